//! FastCGI sockets, record by record: what a web server may do besides one request for each connection.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use worker_protocol::fastcgi::record::{HEADER_BYTES, Header, kind};
use worker_protocol::fastcgi::request::{
    FILTER, KEEP_CONNECTION, RESPONDER, append_begin, append_body, append_params, append_question, append_record,
};

use crate::harness::{Instance, Launch, PATIENCE};

fn hello(option: &str) -> Instance {
    let launch = Launch::hello().set("workers", 2).set("threads", 3).set("disable-logging", true);
    let path = launch.dir().join("fastcgi.sock");
    launch.set(option, path.display()).start()
}

/// A connection of a web server.
struct WebServer(UnixStream);

impl WebServer {
    fn of(server: &Instance) -> Self {
        let stream = UnixStream::connect(server.dir().join("fastcgi.sock")).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self(stream)
    }

    fn send(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = Vec::new();
        append(&mut bytes);
        self.0.write_all(&bytes).expect("the server takes it");
    }

    /// The next record: type, number, content.
    fn record(&mut self) -> (u8, u16, Vec<u8>) {
        let mut header = [0; HEADER_BYTES];
        self.0.read_exact(&mut header).expect("a record");
        let header = Header::parse(header).expect("version 1");
        let mut content = vec![0; usize::from(header.content_bytes) + usize::from(header.padding_bytes)];
        self.0.read_exact(&mut content).expect("its content");
        content.truncate(usize::from(header.content_bytes));
        (header.kind, header.id, content)
    }

    /// The answer to a request.
    fn answer(&mut self, id: u16) -> String {
        let mut answer = Vec::new();
        loop {
            match self.record() {
                (kind::STDOUT, own, content) if own == id => answer.extend(content),
                (kind::END_REQUEST, own, content) if own == id => {
                    assert_eq!(content, [0; 8], "complete");
                    return String::from_utf8(answer).expect("text");
                }
                other => panic!("{other:?} while request {id} is answered"),
            }
        }
    }

    fn assert_ends(&mut self) {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).expect("an orderly end");
        assert!(rest.is_empty(), "{rest:?}");
    }
}

fn append_request(out: &mut Vec<u8>, id: u16, flags: u8, path: &str, body: &str) {
    append_begin(out, id, RESPONDER, flags);
    let length = body.len().to_string();
    let variables = [
        ("REQUEST_METHOD", "POST"),
        ("PATH_INFO", path),
        ("REQUEST_URI", path),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("CONTENT_LENGTH", if body.is_empty() { "" } else { &length }),
    ];
    append_params(out, id, variables);
    append_body(out, id, body.as_bytes());
}

#[test]
fn a_connection_ends_with_its_answer_or_is_kept_as_the_web_server_wants() {
    let server = hello("fastcgi-socket");
    let mut web = WebServer::of(&server);
    web.send(|out| append_request(out, 1, 0, "/echo", "hello"));
    let answer = web.answer(1);
    assert!(answer.starts_with("Status: 200 OK\r\n") && answer.ends_with("\r\n\r\nhello"), "{answer}");
    web.assert_ends();
    let mut web = WebServer::of(&server);
    for id in [1, 1, 2, 700] {
        web.send(|out| append_request(out, id, KEEP_CONNECTION, "/echo", "hello"));
        assert!(web.answer(id).ends_with("\r\n\r\nhello"));
        // An answer that does not wait for the body, whose rest is skipped.
        web.send(|out| append_request(out, id, KEEP_CONNECTION, "/ignore", "GET / HTTP/1.1"));
        assert!(web.answer(id).ends_with("ignored\n"));
    }
}

/// What says that a body has ended comes after all its bytes: a connection that was closed before would be reset by it, and
/// over TCP the end of the answer lost.
#[test]
fn the_end_of_a_body_may_come_after_the_answer() {
    let server = hello("fastcgi-socket");
    for body in ["hello".to_owned(), "x".repeat(100_000)] {
        let mut web = WebServer::of(&server);
        let mut request = Vec::new();
        append_request(&mut request, 1, 0, "/echo", &body);
        let end = request.split_off(request.len() - HEADER_BYTES);
        web.send(|out| out.extend(request));
        assert!(web.answer(1).ends_with(&format!("\r\n\r\n{body}")));
        web.send(|out| out.extend(end));
        web.assert_ends();
    }
}

#[test]
fn nph_answers_begin_with_a_status_line() {
    let server = hello("fastcgi-nph-socket");
    let mut web = WebServer::of(&server);
    web.send(|out| append_request(out, 1, 0, "/nothing", ""));
    assert!(web.answer(1).starts_with("HTTP/1.1 404 Not Found\r\n"));
}

#[test]
fn long_answers_are_many_records() {
    let server = hello("fastcgi-socket");
    let body = "x".repeat(300_000);
    let mut web = WebServer::of(&server);
    web.send(|out| append_request(out, 1, KEEP_CONNECTION, "/echo", &body));
    assert!(web.answer(1).ends_with(&format!("\r\n\r\n{body}")));
    web.send(|out| append_request(out, 1, KEEP_CONNECTION, "/file", ""));
    assert!(web.answer(1).contains("fn main() -> ExitCode"), "a file that the kernel sends");
    web.send(|out| append_request(out, 1, KEEP_CONNECTION, "/stream?n=0", ""));
    assert!(web.answer(1).starts_with("Status: 404"), "the query is not part of PATH_INFO here");
}

#[test]
fn variables_may_be_spread_over_records_and_exceed_what_a_read_brings() {
    let server = hello("fastcgi-socket");
    let value = "v".repeat(60_000);
    let mut params = Vec::new();
    append_params(&mut params, 1, [("REQUEST_METHOD", "GET"), ("PATH_INFO", "/env"), ("HTTP_X_LONG", value.as_str())]);
    // The content alone, cut into records of one byte for its first part.
    let content = &params[HEADER_BYTES..params.len() - HEADER_BYTES];
    let mut web = WebServer::of(&server);
    web.send(|out| {
        append_begin(out, 1, RESPONDER, 0);
        content[..20_000].iter().for_each(|byte| append_record(out, kind::PARAMS, 1, &[*byte]));
        content[20_000..].chunks(50_000).for_each(|part| append_record(out, kind::PARAMS, 1, part));
        append_record(out, kind::PARAMS, 1, b"");
        append_body(out, 1, b"");
    });
    assert!(web.answer(1).contains(&value));
}

#[test]
fn questions_are_answered_and_a_second_request_is_refused_alone() {
    let server = hello("fastcgi-socket");
    let mut web = WebServer::of(&server);
    web.send(|out| append_question(out, ["FCGI_MAX_CONNS", "FCGI_MPXS_CONNS"]));
    let content = b"\x0e\x01FCGI_MAX_CONNS6\x0f\x01FCGI_MPXS_CONNS0".to_vec();
    assert_eq!(web.record(), (kind::GET_VALUES_RESULT, 0, content), "two workers with three threads");
    web.send(|out| append_begin(out, 1, RESPONDER, KEEP_CONNECTION));
    web.send(|out| append_request(out, 2, KEEP_CONNECTION, "/echo", "of the second"));
    assert_eq!(web.record(), (kind::END_REQUEST, 2, vec![0, 0, 0, 0, 1, 0, 0, 0]), "it cannot be multiplexed");
    web.send(|out| {
        append_params(out, 1, [("REQUEST_METHOD", "GET"), ("PATH_INFO", "/")]);
        append_body(out, 1, b"");
    });
    assert!(web.answer(1).ends_with("Hello, world\n"));
    web.send(|out| append_begin(out, 3, FILTER, KEEP_CONNECTION));
    assert_eq!(web.record(), (kind::END_REQUEST, 3, vec![0, 0, 0, 0, 3, 0, 0, 0]), "a role that is not played");
    web.send(|out| append_record(out, 42, 0, b""));
    assert_eq!(web.record(), (kind::UNKNOWN_TYPE, 0, vec![42, 0, 0, 0, 0, 0, 0, 0]));
}

#[test]
fn a_request_that_is_given_up_ends() {
    let server = hello("fastcgi-socket");
    let mut web = WebServer::of(&server);
    web.send(|out| {
        append_begin(out, 1, RESPONDER, KEEP_CONNECTION);
        append_record(out, kind::ABORT_REQUEST, 1, b"");
    });
    assert_eq!(web.record(), (kind::END_REQUEST, 1, vec![0; 8]));
    // In the middle of its body: the application's read fails, as when a client goes away.
    web.send(|out| {
        append_begin(out, 1, RESPONDER, KEEP_CONNECTION);
        append_params(out, 1, [("REQUEST_METHOD", "POST"), ("PATH_INFO", "/echo"), ("CONTENT_LENGTH", "10")]);
        append_record(out, kind::STDIN, 1, b"hel");
        append_record(out, kind::ABORT_REQUEST, 1, b"");
    });
    assert!(web.answer(1).contains("the request body broke off"));
}

#[test]
fn what_is_wrong_with_a_request_is_answered_in_records() {
    let mut server = hello("fastcgi-socket");
    server.expect_log("request refused with status");
    let mut web = WebServer::of(&server);
    web.send(|out| {
        append_begin(out, 9, RESPONDER, KEEP_CONNECTION);
        append_record(out, kind::PARAMS, 9, b"\x01\x05Kv");
        append_record(out, kind::PARAMS, 9, b"");
    });
    let answer = web.answer(9);
    assert!(answer.starts_with("Status: 400") && answer.contains("runs past the end"), "{answer}");
    web.assert_ends();
    let mut web = WebServer::of(&server);
    web.send(|out| append_record(out, kind::STDOUT, 1, b"x"));
    web.assert_ends();
    // A body that nobody announced comes whole.
    let mut web = WebServer::of(&server);
    web.send(|out| {
        append_begin(out, 1, RESPONDER, 0);
        append_params(out, 1, [("REQUEST_METHOD", "POST"), ("PATH_INFO", "/echo")]);
        append_body(out, 1, b"of no declared length");
    });
    assert!(web.answer(1).ends_with("of no declared length"));
}
