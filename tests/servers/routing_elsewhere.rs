//! Rules that let others answer: functions of the application, here and in another instance, and other servers, also those that
//! are not there, say nothing, or break off.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::harness::Launch;
use crate::pythons::{launch, one};
use loadgen::packet::Request;

/// A server behind that does by the path what it is asked for, until the process ends. What it gets goes to the test.
fn backend(path: &Path) -> Receiver<String> {
    let listener = UnixListener::bind(path).expect("a socket");
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut silent = Vec::new();
        for stream in listener.incoming().flatten() {
            silent.extend(answer(stream, &sender));
        }
    });
    receiver
}

/// Answers; a connection that is to stay silent comes back.
fn answer(mut stream: UnixStream, sender: &Sender<String>) -> Option<UnixStream> {
    let mut got = Vec::new();
    let mut buffer = [0; 4096];
    while !got.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(count @ 1..) => got.extend(&buffer[..count]),
            _ => return None,
        }
    }
    let text = String::from_utf8_lossy(&got).into_owned();
    if text.starts_with("POST") && !text.ends_with("a body") {
        let mut body = [0; 6];
        let _ = stream.read_exact(&mut body[..6 - text.split("\r\n\r\n").nth(1).map_or(0, str::len)]);
    }
    let said: &[u8] = match text.split(' ').nth(1).unwrap_or_default() {
        "/http/silent" => return Some(stream),
        "/http/chunks" => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        "/http/short" => b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        "/http/none" => b"",
        "/http/open" => b"HTTP/1.0 203 Its Own\r\nX-Its: own\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\nto the end",
        _ => b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nbehind",
    };
    let _ = stream.write_all(said);
    let _ = sender.send(text);
    None
}

#[test]
fn other_servers_answer_in_the_place_of_the_application() {
    let directory = tempfile::tempdir().expect("a directory");
    let behind = directory.path().join("behind.sock");
    let got = backend(&behind);
    let other = Launch::hello().start();
    let mut server = Launch::hello()
        .set("socket-timeout", 1)
        .line(format!("route = ^/http/gone http:{}", directory.path().join("none").display()))
        .line(format!("route = ^/http/ http:{}", behind.display()))
        .line(format!("route = ^/named http:{},other.example,/asked?x=$0", behind.display()))
        .line(format!("route = ^/uwsgi uwsgi:{},0,0", other.socket().display()))
        .start();
    let post = Request::get("/http/post").method("POST").body("text/plain", b"a body".to_vec());
    let reply = server.ask(&post.var("HTTP_X_OWN", b"1").var("HTTP_CONNECTION", b"close, x-own"));
    assert_eq!((reply.status(), reply.body()), (Some(200), &b"behind"[..]), "{reply:?}");
    let asked = got.recv().expect("what it got");
    assert!(asked.starts_with("POST /http/post HTTP/1.0\r\n") && asked.contains("content-length: 6\r\n"), "{asked}");
    assert!(!asked.contains("x-own") && asked.contains("x-forwarded-for: 127.0.0.1\r\n"), "{asked}");
    server.get("/named");
    let asked = got.recv().expect("what it got");
    assert!(
        asked.starts_with("GET /asked?x=/named HTTP/1.0\r\n") && asked.contains("host: other.example\r\n"),
        "{asked}"
    );
    let open = server.get("/http/open");
    assert_eq!((open.status(), open.body()), (Some(203), &b"to the end"[..]), "{open:?}");
    let text = String::from_utf8_lossy(&open.bytes).into_owned();
    assert!(text.contains("203 Its Own\r\n") && text.contains("X-Its: own\r\n") && !text.contains("X-Hop"), "{text}");
    assert_eq!(server.get("/uwsgi").bytes, other.get("/uwsgi").bytes, "the other instance answers");
    for (path, status) in [("gone", 502), ("none", 502), ("chunks", 502), ("silent", 504)] {
        let reply = server.get(&format!("/http/{path}"));
        assert_eq!(reply.status(), Some(status), "{path}: {reply:?}");
    }
    server.wait_for_expected("was not answered by");
    assert_eq!(server.get("/http/short").body(), b"short");
    server.wait_for_expected("ended before the length that it had announced");
    assert_eq!(server.get("/").status(), Some(200), "the application answers what no rule is for");
}

#[test]
fn rules_call_functions_here_and_elsewhere_within_the_deadline_of_a_request() {
    let other = launch(&one(), "elsewhere").set("rpc-allow-from", "unix:").start();
    let there = other.socket().display();
    let mut server = launch(&one(), "elsewhere")
        .set("harakiri", 1)
        .line("route = ^/here/(.*) rpc:joined a $1")
        .line(format!("route = ^/there/(.*) rpc:joined@{there} a $1"))
        .line("route = ^/raw rpcraw:answer")
        .line("route = ^/none rpc:text")
        .line("route = ^/slow rpc:sleeping")
        .line("route = ^/signal signal:17")
        .line("route = ^/signal return:204")
        .start();
    for path in ["/here/x y", "/there/x y"] {
        let reply = server.ask(&Request::get("/").var("PATH_INFO", path.as_bytes()));
        assert_eq!((reply.status(), reply.body()), (Some(200), &b"a-x y"[..]), "{path}: {reply:?}");
    }
    let raw = server.get("/raw");
    assert_eq!((raw.status(), raw.body()), (Some(203), &b"raw"[..]), "{raw:?}");
    assert!(String::from_utf8_lossy(&raw.bytes).contains("X-Own: yes\r\n"), "{raw:?}");
    assert_eq!(server.get("/none").status(), Some(500));
    server.wait_for_expected("the function text gave no result");
    server.get("/signal");
    server.log.wait_for("signal 17 came");
    server.expect_log("HARAKIRI");
    server.expect_log("a function that is called from elsewhere");
    assert_eq!(server.get("/slow").status(), Some(504));
    assert_eq!(server.get("/?'on'").body(), b"'on'", "the worker goes on");
}
