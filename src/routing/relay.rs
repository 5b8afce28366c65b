//! A request as another server gets it from us. Pure; the worker sends it.
//!
//! What is about the connection between client and us stays here, and what says where the body ends is written anew, so that
//! nobody behind us sees another request than we did.

use std::fmt::Write as _;

use worker_protocol::head::RequestHead;
use worker_protocol::http::hop::is_between_servers;
use worker_protocol::uwsgi;

/// Where a request goes, and in which words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// `HOST:PORT`, a path, or `@NAME`.
    pub address: String,
    /// What is spoken there.
    pub words: Words,
}

/// What is spoken there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Words {
    /// HTTP/1.0.
    Http {
        /// What `Host` says, if not what it said.
        host: Option<Vec<u8>>,
        /// What is asked for, if not what was.
        uri: Option<Vec<u8>>,
    },
    /// The uwsgi protocol.
    Uwsgi {
        /// The numbers of its header.
        modifiers: (u8, u8),
    },
}

/// That a request cannot be said in these words, and what of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unspeakable(String);

/// Headers that we say ourselves, or that are between the client and us.
const OWN: [&str; 6] = ["host", "content-length", "content-type", "expect", "x-forwarded-for", "x-forwarded-proto"];

impl Relay {
    /// What goes before the body. `body_bytes`: how many bytes that has; `scheme`: what the client spoke to us.
    ///
    /// # Errors
    /// The request cannot be said in these words.
    pub fn head(&self, head: &RequestHead<'_>, scheme: &str, body_bytes: u64) -> Result<Vec<u8>, Unspeakable> {
        match &self.words {
            Words::Http { host, uri } => http(
                head,
                host.as_deref().unwrap_or(head.host()),
                uri.as_deref().unwrap_or(head.uri()),
                scheme,
                body_bytes,
            ),
            Words::Uwsgi { modifiers } => packet(head, *modifiers, body_bytes),
        }
    }
}

/// The same variables, but for those that nothing acts on and for the length of the body.
fn packet(head: &RequestHead<'_>, modifiers: (u8, u8), body_bytes: u64) -> Result<Vec<u8>, Unspeakable> {
    let length = body_bytes.to_string();
    let is_of_body = |key: &[u8]| key == b"CONTENT_LENGTH" || key == b"HTTP_TRANSFER_ENCODING";
    let variables = head.variables().filter(|(key, _)| !is_of_body(key));
    let length = (body_bytes > 0).then_some((&b"CONTENT_LENGTH"[..], length.as_bytes()));
    let mut packet = Vec::new();
    uwsgi::encode(&mut packet, modifiers.0, modifiers.1, variables.chain(length))
        .map_err(|error| Unspeakable(error.to_string()))?;
    Ok(packet)
}

fn http(
    head: &RequestHead<'_>,
    host: &[u8],
    uri: &[u8],
    scheme: &str,
    body_bytes: u64,
) -> Result<Vec<u8>, Unspeakable> {
    let uri = if uri.is_empty() { b"/" } else { uri };
    if uri.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) {
        return Err(Unspeakable("what is asked for has a blank or a control character".to_owned()));
    }
    let mut text = head.method_or_get().as_bytes().to_vec();
    text.extend([b" ", uri, b" HTTP/1.0\r\n"].concat());
    let of_connection = head.block().get(b"HTTP_CONNECTION").unwrap_or_default();
    for (key, value) in head.joined() {
        let Some(name) = key.strip_prefix(b"HTTP_").map(header_name) else { continue };
        if !is_between(&name, of_connection) {
            add(&mut text, &name, &value)?;
        }
    }
    let variable = |name: &[u8]| head.block().get(name).unwrap_or_default();
    if !variable(b"CONTENT_TYPE").is_empty() {
        add(&mut text, "content-type", variable(b"CONTENT_TYPE"))?;
    }
    if body_bytes > 0 || variable(b"CONTENT_LENGTH") == b"0" {
        add(&mut text, "content-length", body_bytes.to_string().as_bytes())?;
    }
    let before = variable(b"HTTP_X_FORWARDED_FOR");
    let glue: &[u8] = if before.is_empty() || head.remote_addr().is_empty() { b"" } else { b", " };
    let clients = [before, glue, head.remote_addr()].concat();
    if !clients.is_empty() {
        add(&mut text, "x-forwarded-for", &clients)?;
    }
    add(&mut text, "x-forwarded-proto", scheme.as_bytes())?;
    add(&mut text, "connection", b"close")?;
    add(&mut text, "host", host)?;
    text.extend(b"\r\n");
    Ok(text)
}

/// The name of a header, of the variable's behind `HTTP_`.
fn header_name(key: &[u8]) -> String {
    key.iter().fold(String::new(), |mut name, byte| {
        let letter = if *byte == b'_' { '-' } else { char::from(byte.to_ascii_lowercase()) };
        name.push(letter);
        name
    })
}

/// Whether a header is not for the next server, as it is about this connection, or one that we say ourselves.
fn is_between(name: &str, of_connection: &[u8]) -> bool {
    let named = |member: &[u8]| member.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
    OWN.contains(&name) || is_between_servers(name.as_bytes()) || of_connection.split(|byte| *byte == b',').any(named)
}

/// A header whose value has no line end; names that are none are left out.
fn add(text: &mut Vec<u8>, name: &str, value: &[u8]) -> Result<(), Unspeakable> {
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^`|~".contains(&byte));
    if name.is_empty() || !is_name {
        return Ok(());
    }
    if value.iter().any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f) {
        let mut told = String::new();
        let _ = write!(told, "the header {name} has a control character");
        return Err(Unspeakable(told));
    }
    text.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    Ok(())
}

#[cfg(test)]
mod tests {
    use worker_protocol::pairs::{self, Block, PathInfo};

    use super::*;

    fn said(variables: &[(&str, &str)], words: Words, body_bytes: u64) -> Result<String, Unspeakable> {
        bytes(variables, words, body_bytes).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn bytes(variables: &[(&str, &str)], words: Words, body_bytes: u64) -> Result<Vec<u8>, Unspeakable> {
        let mut block = Vec::new();
        for (key, value) in variables {
            pairs::append(&mut block, 0, key.as_bytes(), value.as_bytes()).unwrap();
        }
        let head = RequestHead::read(Block::parse(&block, 100).unwrap(), PathInfo::AsSent).unwrap();
        let relay = Relay { address: "x".to_owned(), words };
        relay.head(&head, "https", body_bytes)
    }

    const HTTP: Words = Words::Http { host: None, uri: None };

    #[test]
    fn a_request_goes_on_with_its_headers_and_without_those_of_the_connection() {
        let asked = [
            ("REQUEST_METHOD", "POST"),
            ("REQUEST_URI", "/a?b=c"),
            ("HTTP_HOST", "app.example"),
            ("HTTP_ACCEPT", "text/html"),
            ("HTTP_CONNECTION", "keep-alive, X-Own"),
            ("HTTP_X_OWN", "1"),
            ("HTTP_TRANSFER_ENCODING", "chunked"),
            ("HTTP_EXPECT", "100-continue"),
            ("HTTP_UPGRADE", "websocket"),
            ("HTTP_X_FORWARDED_FOR", "10.0.0.1"),
            ("HTTP_X_FORWARDED_PROTO", "gopher"),
            ("REMOTE_ADDR", "192.0.2.7"),
            ("CONTENT_TYPE", "text/plain"),
            ("CONTENT_LENGTH", "5"),
            ("UWSGI_FILE", "/etc/passwd"),
        ];
        let expected = "POST /a?b=c HTTP/1.0\r\naccept: text/html\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\
                        x-forwarded-for: 10.0.0.1, 192.0.2.7\r\nx-forwarded-proto: https\r\nconnection: close\r\n\
                        host: app.example\r\n\r\n";
        assert_eq!(said(&asked, HTTP, 5).unwrap(), expected);
        let other = Words::Http { host: Some(b"other".to_vec()), uri: Some(b"/z".to_vec()) };
        let text = said(&asked, other, 5).unwrap();
        assert!(text.starts_with("POST /z HTTP/1.0\r\n") && text.ends_with("host: other\r\n\r\n"), "{text}");
        let packet = said(&asked, Words::Uwsgi { modifiers: (0, 7) }, 5).unwrap();
        assert!(packet.contains("HTTP_ACCEPT") && !packet.contains("UWSGI_FILE") && !packet.contains("chunked"));
        let packet_bytes = bytes(&asked, Words::Uwsgi { modifiers: (5, 7) }, 5).unwrap();
        assert_eq!((packet_bytes[0], packet_bytes[3]), (5, 7));
        assert_eq!(packet.matches("CONTENT_LENGTH").count(), 1);
    }

    #[test]
    fn nothing_of_a_request_becomes_a_line_of_its_own() {
        let get = |key, value| said(&[("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/"), (key, value)], HTTP, 0);
        assert!(get("HTTP_X", "a\r\nHost: evil").is_err());
        assert!(get("HTTP_HOST", "a\nb").is_err());
        assert!(get("REQUEST_URI", "/a HTTP/1.0\r\nX: y").is_err());
        assert!(!get("HTTP_A:B", "c").unwrap().contains("a:b"), "a name that is none is left out");
        assert!(get("HTTP_A", "b\tc").is_ok());
        assert!(said(&[("REQUEST_METHOD", "GET")], HTTP, 0).unwrap().starts_with("GET / HTTP/1.0\r\n"));
    }
}
