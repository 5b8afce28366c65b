//! HTTP sockets: what a request becomes, how its body comes, what an answer says. Each over one connection to one worker.

#[path = "../../worker-protocol/tests/http/corpus.rs"]
#[allow(dead_code, reason = "what the codec's own tests look at is not all to be seen from outside")]
mod corpus;

use std::collections::BTreeMap;

use corpus::Ending;

use crate::dialogue::{Dialogue, Reply, tcp_address, with_http_socket};
use crate::harness::{Instance, Launch};

fn hello() -> Launch {
    with_http_socket(Launch::hello().set("workers", 1).set("disable-logging", true))
}

/// The variables that `/env` shows.
fn variables(reply: &Reply) -> BTreeMap<String, String> {
    let text = reply.text();
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn refuses(launch: Launch) -> Instance {
    let mut server = launch.start();
    server.expect_log("request refused with status");
    server
}

/// What uWSGI needs a router for, with options of one that people write beside it and that workers can obey.
#[test]
fn http_is_a_socket_of_the_workers_while_nobody_asks_for_a_router() {
    let server = Launch::hello().set("http", "127.0.0.1:0").set("http-timeout", 30).set("http-auto-chunked", true);
    let to = server.socket_path();
    let server = server.set("http-to", to.display()).start();
    let mut client = Dialogue::over_tcp(tcp_address(&server));
    assert_eq!(client.get("/").text(), "Hello, world\n");
    assert_eq!(client.get("/scheme").text(), "http");
    assert!(!server.processes().iter().any(|process| process.name.contains("router")));
}

#[test]
fn a_request_becomes_the_variables_that_uwsgi_makes_of_it() {
    let server = Launch::hello().set("workers", 1).set("http-socket", "127.0.0.1:0").start();
    let address = tcp_address(&server);
    let mut client = Dialogue::over_tcp(address);
    client.send("GET /env/../env?a=%20b HTTP/1.1\r\nHost: app.example:81\r\nX-One: 1\r\nX-One: 2\r\nCookie: a=1\r\n");
    client.send("Cookie: b=2\r\nX_Real_Ip: 6.6.6.6\r\nContent-Type: text/x\r\nProxy: evil\r\n\r\n");
    let found = variables(&client.reply("GET"));
    for (key, value) in [
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_URI", "/env/../env?a=%20b"),
        ("PATH_INFO", "/env"),
        ("QUERY_STRING", "a=%20b"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("SCRIPT_NAME", ""),
        ("SERVER_PORT", &address.port().to_string()),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("HTTP_HOST", "app.example:81"),
        ("CONTENT_TYPE", "text/x"),
    ] {
        assert_eq!(found.get(key).map(String::as_str), Some(value), "{key}: {found:?}");
    }
    assert!(found["REMOTE_PORT"].parse::<u16>().is_ok() && !found["SERVER_NAME"].is_empty(), "{found:?}");
    for absent in ["HTTP_X_REAL_IP", "HTTP_PROXY", "HTTP_CONTENT_TYPE", "CONTENT_LENGTH", "HTTPS"] {
        assert_eq!(found.get(absent), None, "{absent}");
    }
    let line = server.log.wait_for("GET /env/../env?a=%20b");
    assert!(line.text.contains("] 127.0.0.1 () {"), "{}", line.text);
}

fn is_refused_for_its_body(sent: &[u8]) -> bool {
    use worker_protocol::fuzz::http::{End, requests};
    matches!(requests(sent, worker_protocol::http::Limits::default(), u64::MAX), (_, End::BodyRefused(_)))
}

/// Every case of the codec's corpus, against a whole server: as many answers as there are requests, then the refusal,
/// and the end where there is to be one.
#[test]
fn the_corpus_of_ambiguous_requests_has_the_same_outcomes_over_a_socket() {
    let server = refuses(hello());
    check_corpus(|| Dialogue::with(&server), false);
}

#[test]
fn the_corpus_of_ambiguous_requests_has_the_same_outcomes_behind_a_router() {
    let routed = Launch::hello().set("workers", 1).set("disable-logging", true).set("http", "127.0.0.1:0");
    let server = refuses(routed.set("http-processes", 1));
    let address = tcp_address(&server);
    check_corpus(|| Dialogue::over_tcp(address), true);
}

/// `bodies_first`: nobody is asked before a body is whole.
fn check_corpus(connect: impl Fn() -> Dialogue, bodies_first: bool) {
    for case in corpus::cases() {
        // A router leaves room for what it adds to a head: its limits are others.
        if bodies_first && case.name.contains("limit") {
            continue;
        }
        let mut client = connect();
        client.send(&case.sent);
        if case.end != Ending::Wait {
            client.finish_sending();
        }
        for (index, wanted) in case.requests.iter().enumerate() {
            let reply = client.try_reply(&wanted.method).unwrap_or_else(|error| panic!("{}: {error}", case.name));
            assert!(matches!(reply.status, 200 | 404), "{}: {reply:?}", case.name);
            let is_last = case.end == Ending::Close && index + 1 == case.requests.len();
            assert_eq!(reply.is_last(), is_last, "{}: {reply:?}", case.name);
        }
        match &case.end {
            // The application answers without reading the body, which shows what it is only afterwards.
            Ending::Refuse(..) if !bodies_first && is_refused_for_its_body(&case.sent) => {
                assert!(matches!(client.reply("POST").status, 200 | 404), "{}", case.name);
                client.assert_ends();
            }
            Ending::Refuse(status, words) => {
                let reply = client.try_reply("GET").unwrap_or_else(|error| panic!("{}: {error}", case.name));
                assert_eq!(reply.status, *status, "{}: {reply:?}", case.name);
                assert!(reply.text().contains(words) && reply.is_last(), "{}: {reply:?}", case.name);
                assert_eq!(reply.header("allow").is_some(), *status == 405, "{}", case.name);
                client.assert_ends();
            }
            Ending::Close | Ending::Idle => client.assert_ends(),
            // It would be waited for.
            Ending::Wait => {}
        }
    }
    assert_eq!(connect().get("/").status, 200);
}

#[test]
fn bodies_come_whole_with_a_length_and_in_chunks() {
    let server = hello().start();
    let mut client = Dialogue::with(&server);
    let body: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    client.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()));
    client.send(&body);
    assert!(client.reply("POST").body == body, "with a length");
    for size in [1, 5_000, 16_384, 16_385, 100_000, 1_200_000] {
        client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        // So small chunks of a smaller body only, and without extensions, of which there may not be many.
        let extension = if size > 1 { ";a=b" } else { "" };
        let body = &body[..body.len().min(size * 10_000)];
        let encoded = body
            .chunks(size)
            .map(|chunk| [format!("{:x}{extension}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
        client.send(encoded.collect::<Vec<_>>().concat());
        client.send("0\r\nX-Trailer: x\r\n\r\n");
        assert!(client.reply("POST").body == body, "in chunks of {size}");
    }
    assert_eq!(client.get("/").status, 200, "the connection is where it should be");
}

#[test]
fn a_body_that_breaks_off_or_is_none_is_the_applications_to_answer() {
    let server = hello().start();
    for (start, rest) in [
        ("Content-Length: 10\r\n\r\nhel", ""),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhel", ""),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "zz\r\n"),
        ("Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n", ""),
    ] {
        let mut client = Dialogue::with(&server);
        client.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\n{start}{rest}"));
        client.finish_sending();
        let reply = client.reply("POST");
        assert_eq!(reply.status, 400, "{start}{rest}: {reply:?}");
        client.assert_ends();
    }
}

#[test]
fn a_body_beyond_limit_post_is_refused_however_it_comes() {
    let server = hello().set("limit-post", 1000).start();
    let mut client = Dialogue::with(&server);
    client.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n{}", "x".repeat(1001)));
    assert_eq!(client.reply("POST").status, 413);
    let mut client = Dialogue::with(&server);
    let chunk = format!("1f4\r\n{}\r\n", "x".repeat(500));
    client.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n"));
    assert_eq!(client.reply("POST").body.len(), 1000, "up to the limit");
    client
        .send(format!("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}1\r\nx\r\n"));
    let reply = client.reply("POST");
    assert!(
        reply.status == 400 && reply.text().contains("broke off"),
        "what the example makes of the error: {reply:?}"
    );
    client.assert_ends();
}

#[test]
fn a_client_that_waits_for_word_gets_it_when_the_body_is_asked_for() {
    let server = hello().start();
    let mut client = Dialogue::with(&server);
    for coding in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
        client.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n{coding}\r\n\r\n"));
        let interim = client.reply("POST");
        assert_eq!((interim.status, interim.headers.len()), (100, 0), "{coding}");
        client.send(if coding.starts_with('C') { "hello" } else { "5\r\nhello\r\n0\r\n\r\n" });
        let reply = client.reply("POST");
        assert_eq!((reply.status, reply.text().as_str(), reply.is_last()), (200, "hello", false), "{coding}");
    }
    // Who has sent it does not wait.
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(client.reply("POST").status, 200);
    // An answer without the body is word enough, and the last one: nobody knows whether the body will come.
    client.send("POST /ignore HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    let reply = client.reply("POST");
    assert_eq!((reply.status, reply.is_last()), (200, true));
    client.assert_ends();
}

#[test]
fn a_body_that_nobody_read_does_not_become_the_next_request() {
    let server = hello().start();
    let mut client = Dialogue::with(&server);
    for _ in 0..3 {
        client.send("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 28\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.reply("POST").text(), "ignored\n");
        client.send("POST /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
        assert_eq!(client.reply("POST").text(), "ignored\n");
    }
    assert_eq!(client.get("/").status, 200);
}

#[test]
fn an_answer_has_what_http_wants_and_no_more() {
    let server = hello().start();
    let mut client = Dialogue::with(&server);
    let reply = client.get("/");
    assert_eq!((reply.version.as_str(), reply.header("content-length")), ("HTTP/1.1", Some("13")));
    assert_eq!((reply.header("server"), reply.header("connection")), (Some("rhinod"), None));
    let date = reply.header("date").expect("a date");
    assert!(date.len() == 29 && date.ends_with(" GMT"), "{date}");
    let stream = client.get("/stream?n=3");
    assert_eq!(
        (stream.text().as_str(), stream.header("transfer-encoding")),
        ("chunk 1\nchunk 2\nchunk 3\n", Some("chunked"))
    );
    let nothing = client.get("/stream?n=0");
    assert_eq!((nothing.body.len(), nothing.header("transfer-encoding")), (0, Some("chunked")));
    let file = client.get("/file");
    assert!(file.text().contains("fn main() -> ExitCode"), "{file:?}");
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\nHEAD /stream?n=3 HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.reply("HEAD");
    assert_eq!((head.status, head.header("content-length")), (200, Some("13")));
    assert_eq!(client.reply("HEAD").header("content-length"), None);
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(client.reply("GET").is_last());
    client.assert_ends();
    // The other socket speaks what it spoke before.
    let headers = String::from_utf8_lossy(&server.get("/").bytes).into_owned();
    for header in ["Server:", "Date:", "Connection:"] {
        assert!(!headers.contains(header), "{headers}");
    }
}

#[test]
fn http_10_ends_with_its_answer_unless_it_asks_to_go_on() {
    let server = hello().start();
    let mut client = Dialogue::with(&server);
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let reply = client.reply("GET");
    assert_eq!((reply.version.as_str(), reply.header("connection")), ("HTTP/1.0", Some("keep-alive")));
    client.send("GET /stream?n=2 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let reply = client.reply("GET");
    assert_eq!((reply.text().as_str(), reply.header("transfer-encoding")), ("chunk 1\nchunk 2\n", None));
    assert!(reply.is_last(), "only the end of the connection tells the end of the body");
    let mut client = Dialogue::with(&server);
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert!(client.reply("GET").is_last());
    client.assert_ends();
}

#[test]
fn the_server_can_be_left_unnamed() {
    let server = hello().set("server-header", false).start();
    let reply = Dialogue::with(&server).get("/");
    assert!(reply.header("server").is_none() && reply.header("date").is_some(), "{reply:?}");
}

#[test]
fn an_application_that_fails_leaves_no_answer_that_looks_whole() {
    let mut server = hello().start();
    server.expect_log("panicked");
    let mut client = Dialogue::with(&server);
    let reply = client.get("/panic");
    assert_eq!(reply.status, 500);
    assert_eq!(client.get("/").status, 200, "the connection is none the worse");
}
