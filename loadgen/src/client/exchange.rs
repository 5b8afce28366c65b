//! One request and its whole reply, blocking: for readiness, for tests, for looking at what a server says.
//!
//! Not for measuring: it opens a connection, waits, and keeps the reply in memory. Runs in the measuring process.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::Target;
use super::reply::{Outcome, ReplyReader, find_head_end};

/// Everything a server sent before it closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The bytes as they came.
    pub bytes: Vec<u8>,
}

/// Most bytes that [`exchange`] keeps.
const REPLY_BYTES_MAX: u64 = 64 * 1024 * 1024;

impl Reply {
    /// Whether it is whole, and how it ended.
    pub fn outcome(&self, no_body: bool) -> Outcome {
        let mut reader = ReplyReader::new(no_body);
        reader.feed(&self.bytes).unwrap_or_else(|| reader.end())
    }

    /// The status of the status line, if there is one.
    pub fn status(&self) -> Option<u16> {
        let line = self.bytes.strip_prefix(b"HTTP/1.")?.get(2..5)?;
        std::str::from_utf8(line).ok()?.parse().ok()
    }

    /// What follows the head; empty if the head has no end.
    pub fn body(&self) -> &[u8] {
        find_head_end(&self.bytes).map_or(&[], |at| &self.bytes[at..])
    }

    /// The first header of that name, without blanks around it.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = &self.bytes[..find_head_end(&self.bytes)?];
        String::from_utf8_lossy(head).split("\r\n").skip(1).find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }
}

/// Sends `request` (a packet as bytes) and reads until the server closes.
///
/// # Errors
/// Those of connect, write and read; `WouldBlock` when nothing moved for `patience`.
pub fn exchange(target: &Target, request: &[u8], patience: Duration) -> io::Result<Reply> {
    match target {
        Target::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(patience))?;
            stream.set_write_timeout(Some(patience))?;
            converse(stream, request)
        }
        Target::Tcp(address) => {
            let stream = TcpStream::connect_timeout(address, patience)?;
            stream.set_read_timeout(Some(patience))?;
            stream.set_write_timeout(Some(patience))?;
            converse(stream, request)
        }
    }
}

/// Repeats `request` until it is answered well; the time that took. Between attempts it pauses for `pause` and asks
/// `give_up`, whose error ends the waiting.
///
/// # Errors
/// `TimedOut` after `patience`, or what `give_up` says.
pub fn wait_for_answer(
    target: &Target,
    request: &[u8],
    pause: Duration,
    patience: Duration,
    mut give_up: impl FnMut() -> io::Result<()>,
) -> io::Result<Duration> {
    let began = Instant::now();
    loop {
        let left = patience.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("{target}: no answer in {patience:?}")));
        }
        if exchange(target, request, left).is_ok_and(|reply| reply.outcome(false) == Outcome::Ok) {
            return Ok(began.elapsed());
        }
        give_up()?;
        std::thread::sleep(pause);
    }
}

fn converse(mut stream: impl Read + Write, request: &[u8]) -> io::Result<Reply> {
    stream.write_all(request)?;
    let mut bytes = Vec::new();
    stream.take(REPLY_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(Reply { bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_taken_apart() {
        let reply = Reply { bytes: b"HTTP/1.1 404 Not Found\r\nX-A:  b \r\nContent-Length: 2\r\n\r\nno".to_vec() };
        assert_eq!(reply.status(), Some(404));
        assert_eq!(reply.header("x-a").as_deref(), Some("b"));
        assert_eq!(reply.header("x-b"), None);
        assert_eq!(reply.body(), b"no");
        assert_eq!(reply.outcome(false), Outcome::BadStatus(404));
    }

    #[test]
    fn no_reply_has_nothing() {
        let reply = Reply { bytes: Vec::new() };
        assert_eq!((reply.status(), reply.body(), reply.outcome(false)), (None, &b""[..], Outcome::Empty));
    }
}
