//! The response head: what is written byte for byte, and what is refused.

use proptest::prelude::*;
use worker_protocol::response::{Error, HEAD_BYTES_MAX, Head, Version, Written, body_allowed, standard_reason};

fn status_line(protocol: Version, status: u16, reason: Option<&[u8]>) -> Result<String, Error> {
    let mut out = Vec::new();
    Head::start(&mut out, protocol, status, reason)?.finish();
    Ok(String::from_utf8(out).expect("UTF-8"))
}

#[test]
fn a_head_is_what_was_asked_for_and_nothing_else() {
    let mut out = b"before".to_vec();
    let mut head = Head::start(&mut out, Version::Http11, 200, None).expect("valid");
    head.header("Content-Type", "text/plain").expect("valid");
    head.header("X-Empty", "").expect("valid");
    head.header("X-Tab", "a\tb").expect("valid");
    head.header(b"X-Latin-1", b"caf\xe9").expect("valid");
    head.content_length(u64::MAX).expect("valid");
    head.header("Set-Cookie", "a=1").expect("valid");
    head.header("Set-Cookie", "b=2").expect("valid");
    let written = head.finish();
    let expected = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Empty: \r\nX-Tab: a\tb\r\n\
        X-Latin-1: caf\xe9\r\nContent-Length: 18446744073709551615\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n";
    assert_eq!(out[6..], *expected);
    assert_eq!(written, Written { headers_count: 7, head_bytes: expected.len() });
}

#[test]
fn status_lines() {
    for (protocol, status, reason, expected) in [
        (Version::Http11, 200, None, "HTTP/1.1 200 OK\r\n\r\n"),
        (Version::Http10, 404, None, "HTTP/1.0 404 Not Found\r\n\r\n"),
        (Version::Http11, 404, Some("Nope".as_bytes()), "HTTP/1.1 404 Nope\r\n\r\n"),
        (Version::Http11, 299, None, "HTTP/1.1 299 Unknown\r\n\r\n"),
        (Version::Http11, 999, Some(b""), "HTTP/1.1 999 \r\n\r\n"),
        (Version::Http11, 101, None, "HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    ] {
        assert_eq!(status_line(protocol, status, reason).as_deref(), Ok(expected));
    }
    for status in [0, 20, 99, 100, 102, 103, 199, 1000, 65535] {
        assert_eq!(status_line(Version::Http11, status, None), Err(Error::Status(status)));
    }
    for reason in ["OK\r\nX-Injected: 1", "O\nK", "O\0K"] {
        assert_eq!(status_line(Version::Http11, 200, Some(reason.as_bytes())), Err(Error::Reason(200)));
    }
}

#[test]
fn an_injected_header_is_refused_by_name() {
    let mut out = Vec::new();
    let mut head = Head::start(&mut out, Version::Http11, 200, None).expect("valid");
    for byte in *b"\r\n\0" {
        let value = [b"a", [byte].as_slice(), b"X-Injected: 1"].concat();
        assert_eq!(head.header("X-A", &value), Err(Error::Value { name: "X-A".to_owned(), byte }));
    }
    for name in ["", "X A", "X:", "X\r\n", "X\0", " X", "X-É", "(X)"] {
        assert_eq!(head.header(name, "v"), Err(Error::Name(name.to_owned())));
    }
    assert_eq!(head.finish().headers_count, 0);
    assert_eq!(out, b"HTTP/1.1 200 OK\r\n\r\n", "nothing of a refused header is written");
}

#[test]
fn control_bytes_that_end_no_line_pass() {
    let mut out = Vec::new();
    let mut head = Head::start(&mut out, Version::Http11, 200, Some(b"O\x01K")).expect("valid");
    head.header("X-A", "a\t\x0b\x1b\x7fb").expect("invalid, but not dangerous");
    assert_eq!(head.finish().headers_count, 1);
    assert_eq!(out, b"HTTP/1.1 200 O\x01K\r\nX-A: a\t\x0b\x1b\x7fb\r\n\r\n");
}

#[test]
fn errors_say_which_header() {
    let mut out = Vec::new();
    let mut head = Head::start(&mut out, Version::Http11, 200, None).expect("valid");
    let error = head.header("X-A", "b\r\n").expect_err("refused");
    assert_eq!(error.to_string(), "value of header X-A contains the control character 0x0d");
    let error = head.header("X".repeat(100) + " ", "").expect_err("refused");
    assert_eq!(error, Error::Name("X".repeat(64)), "a long name is cut in the message");
}

#[test]
fn a_head_ends_at_64_kib_to_the_byte() {
    let overhead = "HTTP/1.1 200 OK\r\nX: \r\n\r\n".len();
    let mut out = b"body of another response".to_vec();
    let before = out.len();
    let mut head = Head::start(&mut out, Version::Http11, 200, None).expect("valid");
    let too_long = vec![b'v'; HEAD_BYTES_MAX - overhead + 1];
    assert_eq!(head.header("X", &too_long), Err(too_large("X", HEAD_BYTES_MAX)));
    head.header("X", &too_long[1..]).expect("fits exactly");
    assert_eq!(head.header("Y", ""), Err(too_large("Y", HEAD_BYTES_MAX)));
    assert_eq!(head.finish().head_bytes, HEAD_BYTES_MAX);
    assert_eq!(out.len(), before + HEAD_BYTES_MAX);
    let reason = vec![b'r'; HEAD_BYTES_MAX];
    assert!(matches!(status_line(Version::Http11, 200, Some(&reason)), Err(Error::TooLarge { .. })));
}

fn too_large(name: &str, bytes_max: usize) -> Error {
    Error::TooLarge { name: name.to_owned(), bytes_max }
}

#[test]
fn a_head_may_have_a_closer_limit() {
    let mut out = Vec::new();
    let mut head = Head::start(&mut out, Version::Http11, 200, None).expect("valid").within(30);
    assert_eq!(head.header("X", "1234567"), Err(too_large("X", 30)));
    head.header("X", "123456").expect("fits exactly");
    assert_eq!(head.finish().head_bytes, 30);
}

#[test]
fn responses_without_a_body() {
    for status in [200, 201, 206, 301, 400, 404, 500, 999] {
        assert!(body_allowed("GET", status) && body_allowed("POST", status));
        assert!(!body_allowed("HEAD", status));
        assert!(body_allowed("head", status), "methods are case-sensitive");
    }
    for status in [100, 101, 103, 199, 204, 304] {
        assert!(!body_allowed("GET", status), "{status}");
    }
}

#[test]
fn reasons_of_the_answers_we_give_ourselves() {
    for (status, reason) in [
        (400, "Bad Request"),
        (408, "Request Timeout"),
        (413, "Content Too Large"),
        (431, "Request Header Fields Too Large"),
        (500, "Internal Server Error"),
        (501, "Not Implemented"),
        (503, "Service Unavailable"),
    ] {
        assert_eq!(standard_reason(status), reason);
    }
}

proptest! {
    #[test]
    fn no_header_can_end_its_line(name: Vec<u8>, value: Vec<u8>) {
        let mut out = Vec::new();
        let mut head = Head::start(&mut out, Version::Http11, 200, None).expect("valid");
        let accepted = head.header(&name, &value).is_ok();
        head.finish();
        let lines = out.iter().filter(|&&byte| byte == b'\n').count();
        prop_assert_eq!(lines, 2 + usize::from(accepted));
        prop_assert_eq!(out.iter().filter(|&&byte| byte == b'\r').count(), lines);
    }
}
