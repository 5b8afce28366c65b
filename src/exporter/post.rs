//! One request to a collector and its answer. The exporter.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use super::settings::Settings;
use crate::remote::Line;
use crate::tls::ClientSide;

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What a collector has answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Vec<u8>>,
    /// Empty where it comes in pieces.
    pub(super) body: Vec<u8>,
}

/// Sends a message and waits for the answer; with this side of TLS, where there is one.
///
/// # Errors
/// Nobody is there, or is not who it should be, or says nothing that is an answer in time.
pub(super) fn post(settings: &Settings, secure: Option<&ClientSide>, path: &str, body: &[u8]) -> io::Result<Answer> {
    let line = Stream(Line::to(&settings.collector.authority, PATIENCE)?);
    match secure {
        None => converse(line, settings, path, body),
        Some(side) => {
            let connection = side.speak(settings.collector.host(), line).map_err(io::Error::other)?;
            converse(connection, settings, path, body)
        }
    }
}

/// A connection as rustls wants it.
struct Stream(Line);

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn converse(mut with: impl Read + Write, settings: &Settings, path: &str, body: &[u8]) -> io::Result<Answer> {
    let Settings { collector, headers, .. } = settings;
    with.write_all(&head(&collector.path, &collector.authority, headers, path, body.len()))?;
    with.write_all(body)?;
    with.flush()?;
    let mut said = Vec::new();
    let mut bytes = [0; 4 * 1024];
    while said.len() < ANSWER_BYTES_MAX && !is_whole(&said) {
        match with.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => said.extend_from_slice(&bytes[..count]),
            // The other side has ended without a word of TLS; what it has said is read as far as it goes.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof && !said.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    read(&said).ok_or_else(|| io::Error::other("it answers no HTTP"))
}

fn head(base: &str, host: &str, headers: &[(String, String)], path: &str, length: usize) -> Vec<u8> {
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let version = env!("CARGO_PKG_VERSION");
    let head = format!(
        "POST {base}{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-protobuf\r\nContent-Length: {length}\r\n\
         User-Agent: OTel-OTLP-Exporter-rhinod/{version}\r\nConnection: close\r\n{more}\r\n"
    );
    head.into_bytes()
}

/// The head of an answer, and what follows it.
fn split(said: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = said.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((&said[..end], &said[end + 4..]))
}

/// The value of a header.
fn header<'h>(head: &'h [u8], name: &str) -> Option<&'h [u8]> {
    head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        line[..colon].trim_ascii().eq_ignore_ascii_case(name.as_bytes()).then(|| line[colon + 1..].trim_ascii())
    })
}

/// Whether nothing more is needed of an answer.
fn is_whole(said: &[u8]) -> bool {
    let Some((head, body)) = split(said) else { return false };
    let length = header(head, "content-length").and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    length.is_some_and(|length: usize| body.len() >= length)
}

fn read(said: &[u8]) -> Option<Answer> {
    let (head, body) = split(said)?;
    let mut words = head.split(|byte| *byte == b' ');
    words.next().filter(|version| version.starts_with(b"HTTP/1."))?;
    let status = std::str::from_utf8(words.next()?.get(..3)?).ok()?.parse().ok()?;
    let in_pieces = header(head, "transfer-encoding").is_some();
    Some(Answer {
        status,
        retry_after: header(head, "retry-after").map(<[u8]>::to_vec),
        body: if in_pieces { Vec::new() } else { body.to_vec() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_once_it_is_whole_and_nothing_else_is_taken_for_one() {
        let said = b"HTTP/1.1 503 Busy\r\nRetry-AFTER: 3\r\nContent-Length: 2\r\n\r\nhi";
        assert!((0..said.len()).all(|end| !is_whole(&said[..end])) && is_whole(said));
        let answer = Answer { status: 503, retry_after: Some(b"3".to_vec()), body: b"hi".to_vec() };
        assert_eq!(read(said), Some(answer));
        let pieces = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
        assert_eq!(read(pieces).map(|answer| (answer.status, answer.body)), Some((200, Vec::new())));
        for wrong in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "SSH-2.0\r\n\r\n",
            "HTTP/1.1 2\r\n\r\n",
            "HTTP/1.1\r\n\r\n",
            "HTTP/1.1 abc\r\n\r\n",
        ] {
            assert_eq!(read(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn a_request_has_its_own_headers_and_those_that_were_asked_for() {
        let headers = [("Authorization".to_owned(), "Bearer x".to_owned())];
        let head = String::from_utf8(head("/base", "h:1", &headers, "/v1/traces", 7)).unwrap();
        assert!(head.starts_with("POST /base/v1/traces HTTP/1.1\r\nHost: h:1\r\n"), "{head}");
        assert!(
            head.contains("Content-Length: 7\r\n") && head.ends_with("\r\nAuthorization: Bearer x\r\n\r\n"),
            "{head}"
        );
    }
}
