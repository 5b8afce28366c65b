//! Bodies that are whole before the application runs (`post-buffering`), whatever is spoken, and those that never are.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use loadgen::packet::Request;
use worker_protocol::fastcgi::request::{RESPONDER, append_begin, append_body, append_params};

use crate::dialogue::{Dialogue, with_http_socket};
use crate::harness::{Instance, Launch, PATIENCE};
use crate::pythons;

fn launch() -> Launch {
    let launch = with_http_socket(pythons::launch(&pythons::one(), "http_views"));
    let (fastcgi, scgi) = (launch.dir().join("fastcgi.sock"), launch.dir().join("scgi.sock"));
    let launch = launch.set("fastcgi-socket", fastcgi.display()).set("scgi-socket", scgi.display());
    launch.set("workers", 1).set("disable-logging", true).set("post-buffering", 1).set("socket-timeout", 60)
}

/// Sends these bytes to a socket of the instance, and reads to the end.
fn exchanged(server: &Instance, socket: &str, bytes: &[u8]) -> String {
    let mut client = UnixStream::connect(server.dir().join(socket)).expect("connect");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    client.write_all(bytes).expect("the request");
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).expect("the answer");
    String::from_utf8_lossy(&answer).into_owned()
}

fn over_fastcgi(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    append_begin(&mut bytes, 1, RESPONDER, 0);
    let length = body.len().to_string();
    let variables: [(&[u8], &[u8]); 4] = [
        (b"REQUEST_METHOD", b"POST"),
        (b"PATH_INFO", b"/whole"),
        (b"REQUEST_URI", b"/whole"),
        (b"CONTENT_LENGTH", length.as_bytes()),
    ];
    append_params(&mut bytes, 1, variables);
    append_body(&mut bytes, 1, body);
    bytes
}

fn over_scgi(body: &[u8]) -> Vec<u8> {
    let (head, length) = ("SCGI\x001\0REQUEST_METHOD\0POST\0PATH_INFO\0/whole\0REQUEST_URI\0/whole\0", body.len());
    let head = format!("CONTENT_LENGTH\0{length}\0{head}");
    [format!("{}:{head},", head.len()).as_bytes(), body].concat()
}

#[test]
fn a_body_is_whole_and_can_be_read_again_whatever_is_spoken() {
    let server = launch().start();
    let mut client = Dialogue::with(&server);
    for body in [b"one\ntwo\nthree".to_vec(), [&b"one\n"[..], &[b'x'; 99_996]].concat()] {
        // What does not fit post-buffering-bufsize is in a file, which has no name.
        let file = if body.len() > 8_192 { format!("[{}, 0]", body.len()) } else { "false".to_owned() };
        let end = String::from_utf8_lossy(&body[body.len() - 3..]).into_owned();
        let expected = format!(
            r#"{{"end": "{end}", "file": {file}, "length": {}, "line": "one\n", "same": true, "told": 4}}"#,
            body.len()
        );
        client.send(format!("POST /whole HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()));
        client.send(&body);
        assert_eq!(client.reply("POST").text(), expected, "HTTP");
        client.send("POST /whole HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        for chunk in body.chunks(3_000) {
            client.send([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
        }
        client.send("0\r\n\r\n");
        assert_eq!(client.reply("POST").text(), expected, "HTTP in chunks");
        // What the application leaves of it is not what the next request begins with.
        client.send(format!("POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()));
        client.send(&body);
        assert_eq!(client.reply("POST").text(), "Hello\n");
        let request = Request::get("/whole").method("POST").body("text/plain", body.clone());
        assert!(exchanged(&server, "app.sock", &request.to_uwsgi().expect("a head")).ends_with(&expected), "uwsgi");
        let answer = exchanged(&server, "scgi.sock", &over_scgi(&body));
        assert!(answer.ends_with(&expected), "SCGI: {answer}");
        let answer = exchanged(&server, "fastcgi.sock", &over_fastcgi(&body));
        assert!(answer.contains(&expected), "FastCGI: {answer}");
    }
}

/// The only worker answers others while a body comes.
#[test]
fn a_body_that_comes_slowly_keeps_no_worker() {
    let server = launch().start();
    let mut slow: Vec<Dialogue> = (0..3).map(|_| Dialogue::with(&server)).collect();
    let body = [&b"one\n"[..], &[b'x'; 99_996]].concat();
    slow[0].send("POST /whole HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(slow[0].reply("POST").status, 100);
    slow[1].send([&b"POST /whole HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"[..], &body[..50_000]].concat());
    slow[2].send("POST /whole HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\none\n");
    assert_eq!(Dialogue::with(&server).get("/").text(), "Hello\n");
    slow[0].send(&body);
    slow[1].send(&body[50_000..]);
    // What follows is another request.
    slow[2].send("twice".to_owned() + "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for (client, length) in slow.iter_mut().zip([100_000, 100_000, 9]) {
        let text = client.reply("POST").text();
        assert!(text.contains(&format!(r#""length": {length}, "line": "one\n", "same": true"#)), "{text}");
    }
    assert_eq!(slow[2].reply("GET").text(), "Hello\n");
    assert_eq!(slow[0].get("/").text(), "Hello\n", "the connection goes on");
}

#[test]
fn a_body_that_does_not_become_whole_is_answered_and_no_application_runs() {
    let mut server = launch().without("socket-timeout").set("socket-timeout", 1).set("limit-post", 50_000).start();
    server.expect_log("request refused with status 40");
    let head = "POST /whole HTTP/1.1\r\nHost: a\r\n";
    for (sent, ends, status) in [
        (format!("{head}Content-Length: 10\r\n\r\nhalf"), true, 400),
        (format!("{head}Content-Length: 10\r\n\r\nhalf"), false, 408),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\nno chunk"), false, 400),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\nd000\r\n{}\r\n0\r\n\r\n", "x".repeat(0xd000)), false, 413),
    ] {
        let mut client = Dialogue::with(&server);
        client.send(sent);
        if ends {
            client.finish_sending();
        }
        let reply = client.reply("POST");
        assert!(reply.status == status && reply.is_last(), "{status}: {reply:?}");
    }
    assert_eq!(Dialogue::with(&server).get("/asked").text(), "0");
}

#[test]
fn a_body_for_which_there_is_no_room_is_told_of() {
    let launch = launch();
    let nowhere = launch.dir().join("nowhere");
    let mut server = launch.env("TMPDIR", nowhere.display()).start();
    server.expect_log("no room for a request body (post-buffering): No such file or directory");
    server.expect_log("request refused with status 507");
    let mut client = Dialogue::with(&server);
    client.send(format!("POST /whole HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n{}", "x".repeat(9_000)));
    assert_eq!(client.reply("POST").status, 507);
    client.assert_ends();
}

#[test]
fn an_application_that_holds_much_of_a_body_at_once_is_told_of() {
    let mut server = launch().set("body-read-warning", 1).start();
    server.expect_log("the application holds 2 MiB of the body of POST /read at once (body-read-warning)");
    let mut client = Dialogue::with(&server);
    client.send(format!("POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 2 << 20));
    client.send(vec![b'x'; 2 << 20]);
    assert_eq!(client.reply("POST").status, 200);
    server.log.wait_for("(body-read-warning)");
}
