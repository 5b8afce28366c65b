//! A small HTTP/1.1 client: one request for each connection, the reply taken apart strictly.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use super::PATIENCE;

/// A whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpReply {
    /// Status code.
    pub status: u16,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, chunks put together.
    pub body: Vec<u8>,
}

impl HttpReply {
    /// The first header of that name (in lower case).
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// `GET target` of a server that is there.
pub(crate) fn http_get(address: SocketAddr, target: &str) -> HttpReply {
    let head = format!("GET {target} HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n");
    converse(address, &head, &[]).unwrap_or_else(|error| panic!("GET {target}: {error}"))
}

/// Sends head and body and reads until the server closes. Head and body are written while the reply is read.
///
/// # Errors
/// Those of the socket, and a reply that is no whole HTTP reply.
pub(crate) fn converse(address: SocketAddr, head: &str, body: &[u8]) -> io::Result<HttpReply> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut bytes = Vec::new();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            // A server that has answered may not want the rest; the reply tells whether all is well.
            let _ = (&stream).write_all(head.as_bytes()).and_then(|()| (&stream).write_all(body));
        });
        let read = (&stream).read_to_end(&mut bytes);
        let _ = stream.shutdown(Shutdown::Both);
        let _ = writer.join();
        read
    })?;
    parse(&bytes, head.starts_with("HEAD "))
        .ok_or_else(|| io::Error::other(format!("not a whole reply: {:?}", String::from_utf8_lossy(&bytes))))
}

fn parse(bytes: &[u8], no_body: bool) -> Option<HttpReply> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.trim_end().split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())))
        .collect::<Option<_>>()?;
    let mut reply = HttpReply { status, headers, body: Vec::new() };
    let rest = &bytes[end..];
    reply.body = if no_body || matches!(status, 204 | 304) {
        rest.is_empty().then(Vec::new)?
    } else if reply.header("transfer-encoding") == Some("chunked") {
        without_chunks(rest)?
    } else {
        let length: usize = reply.header("content-length")?.parse().ok()?;
        (rest.len() == length).then(|| rest.to_vec())?
    };
    Some(reply)
}

fn without_chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?, 16).ok()?;
        let chunk = rest.get(line + 2..line + 2 + size)?;
        body.extend_from_slice(chunk);
        rest = rest[line + 2 + size..].strip_prefix(b"\r\n")?;
        if size == 0 {
            return rest.is_empty().then_some(body);
        }
    }
}
