//! WSGI applications on HTTP sockets: bodies in chunks, and answers whose end nobody told.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use crate::dialogue::{Dialogue, Reply, tcp_address, with_http_socket};
use crate::harness::Instance;
use crate::pythons;

fn start() -> Instance {
    let python = pythons::one();
    with_http_socket(pythons::launch(&python, "http_views").set("disable-logging", true)).start()
}

/// Sends a body in these chunks, and reads the reply.
fn post_chunks(client: &mut Dialogue, path: &str, chunks: &[&str]) -> Reply {
    client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"));
    chunks.iter().for_each(|chunk| client.send(format!("{:x}\r\n{chunk}\r\n", chunk.len())));
    client.send("0\r\n\r\n");
    client.reply("POST")
}

#[test]
fn a_body_in_chunks_reaches_wsgi_input_decoded() {
    let server = start();
    let mut client = Dialogue::with(&server);
    let reply = post_chunks(&mut client, "/read", &["hello", " ", "world"]);
    assert_eq!(reply.text(), r#"{"body": "hello world", "cl": 0, "length": null, "terminated": true}"#);
    let reply = post_chunks(&mut client, "/lines", &["one\ntw", "o\nthr", "ee"]);
    assert_eq!(reply.text(), r#"["one\n", "two\n", "three"]"#);
    assert_eq!(
        post_chunks(&mut client, "/read", &[]).text(),
        r#"{"body": "", "cl": 0, "length": null, "terminated": true}"#
    );
    client.send("POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(client.reply("POST").text(), r#"{"body": "hello", "cl": 5, "length": "5", "terminated": null}"#);
    let environ = client.get("/environ").text();
    assert!(environ.contains(r#""SERVER_PROTOCOL": "HTTP/1.1""#) && environ.contains(r#""wsgi.url_scheme": "http""#));
}

#[test]
fn chunks_can_be_read_as_the_client_cut_them() {
    let server = start();
    let mut client = Dialogue::with(&server);
    let long = "x".repeat(100_000);
    let reply = post_chunks(&mut client, "/chunks", &["one", "two", &long]);
    assert_eq!(reply.text(), format!(r#"["one", "two", "{long}"]"#));
    // Nothing is here, then half a chunk, then all of it: only whole ones are given.
    client.send("POST /polled HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for piece in ["6", "\r\nhal", "ves\r\n3\r\none\r\n", "0\r", "\n\r\n"] {
        client.send(piece);
        std::thread::yield_now();
    }
    let text = client.reply("POST").text();
    assert!([r#"[null, "halves", "one"]"#, r#"["halves", "one"]"#].contains(&text.as_str()), "{text}");
    assert_eq!(client.get("/").text(), "Hello\n");
}

#[test]
fn chunks_that_do_not_come_or_are_none_are_errors() {
    let server = start();
    for (sent, expected) in [
        // Nothing for a second.
        ("Transfer-Encoding: chunked\r\n\r\n", r#""unable to receive chunked part""#),
        ("Transfer-Encoding: chunked\r\n\r\nzz\r\n", r#""unable to receive chunked part""#),
        ("Transfer-Encoding: chunked\r\n\r\n200000\r\n", r#""unable to receive chunked part""#),
        ("Content-Length: 5\r\n\r\nhello", r#""unable to receive chunked part""#),
        ("\r\n", r#""b''""#),
    ] {
        let mut client = Dialogue::with(&server);
        client.send(format!("POST /failing HTTP/1.1\r\nHost: a\r\n{sent}"));
        assert_eq!(client.reply("POST").text(), expected, "{sent:?}");
    }
}

#[test]
fn an_answer_that_is_known_to_be_whole_gets_its_length_and_others_come_in_chunks() {
    let server = start();
    let mut client = Dialogue::with(&server);
    let whole = client.get("/");
    assert_eq!((whole.text().as_str(), whole.header("content-length")), ("Hello\n", Some("6")));
    let pieces = client.get("/pieces");
    assert_eq!(
        (pieces.text().as_str(), pieces.header("transfer-encoding")),
        ("piece 0\npiece 1\npiece 2\n", Some("chunked"))
    );
    assert_eq!(client.get("/written").text(), "written\nreturned\n");
    let nothing = client.get("/nothing");
    assert_eq!(
        (nothing.status, nothing.header("content-length"), nothing.header("transfer-encoding")),
        (204, None, None)
    );
    assert_eq!(client.get("/unchanged").status, 304);
    for method in ["HEAD", "GET"] {
        client.send(format!("{method} /pieces HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(client.reply(method).body.is_empty(), method == "HEAD");
    }
    assert_eq!(client.get("/long").text(), "long", "never more than was announced");
    let own = client.get("/headers");
    assert_eq!(
        (own.header("date"), own.header("server"), own.header("keep-alive")),
        (Some("mine"), Some("mine"), None)
    );
    assert!(own.is_last());
    client.assert_ends();
}

/// What curl gets, unpacked where it says that it can do that.
fn curl(address: SocketAddr, target: &str, more: &[&str]) -> (String, Vec<u8>) {
    let headers = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--dump-header"]).arg(headers.path()).args(more);
    let output = curl.arg(format!("http://{address}{target}")).output().expect("execute curl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (fs::read_to_string(headers.path()).expect("the headers").to_ascii_lowercase(), output.stdout)
}

#[test]
fn a_router_packs_what_the_application_marks_for_it_for_clients_that_unpack_it() {
    let python = pythons::one();
    let launch = pythons::launch(&python, "http_views").set("disable-logging", true).set("http", "127.0.0.1:0");
    let server = launch.set("http-auto-gzip", true).start();
    let address = tcp_address(&server);
    let (_, text) = curl(address, "/packed", &[]);
    assert!(text.len() > 150_000 && text.starts_with(b"line 0 "));
    for target in ["/packed", "/packed?pieces"] {
        for version in ["--http1.1", "--http1.0"] {
            let (head, unpacked) = curl(address, target, &[version, "--compressed"]);
            assert!(unpacked == text, "{target} {version}");
            assert!(
                head.contains("\ncontent-encoding: gzip\r\n") && head.contains("\nvary: accept-encoding\r\n"),
                "{head}"
            );
            assert!(head.contains("\netag: w/\"4000\"\r\n") && !head.contains("content-length"), "{head}");
            let (_, packed) = curl(address, target, &[version, "--header", "Accept-Encoding: gzip"]);
            assert!(packed.len() < text.len() / 4, "{} of {}", packed.len(), text.len());
        }
        let (head, plain) = curl(address, target, &["--header", "Accept-Encoding: gzip;q=0, br"]);
        assert!(plain == text && head.contains("\nvary: accept-encoding\r\n"), "{head}");
        assert!(!head.contains("content-encoding") && !head.contains("uwsgi-encoding"), "{head}");
    }
    let (head, nothing) = curl(address, "/packed", &["--head", "--header", "Accept-Encoding: gzip"]);
    assert!(nothing.starts_with(b"HTTP/1.1 200") && !head.contains("transfer-encoding"), "{head}");
    // What is not marked is not packed.
    let (head, hello) = curl(address, "/hello", &["--compressed"]);
    assert!(hello == b"Hello\n" && !head.contains("content-encoding") && !head.contains("vary"), "{head}");
    server.stop();
}

#[test]
fn an_answer_that_breaks_off_does_not_look_whole() {
    let mut server = start();
    server.expect_log("ended before its announced length");
    server.expect_log("exception in GET /broken");
    server.expect_log("exception in GET /coded");
    for path in ["/broken", "/short"] {
        let mut client = Dialogue::with(&server);
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let error = client.try_reply("GET").expect_err("it is not whole");
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{path}: {error}");
    }
    // An application that frames its answer itself would have it framed twice.
    let mut client = Dialogue::with(&server);
    assert_eq!(client.get("/coded").status, 500);
    assert_eq!(client.get("/").status, 200);
}
