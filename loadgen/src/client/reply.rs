//! Judges the bytes of a reply: is it whole, and what status has it?
//!
//! Pure: bytes in, a verdict out; no socket, no clock. It reads as much of HTTP/1.1 as a load generator needs (status
//! line, `Content-Length`, end by close) and checks no header otherwise. Runs in the measuring process.

/// What became of one request. A reply counts as good only when all of it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Whole, status 200 to 399.
    Ok,
    /// Whole, another status.
    BadStatus(u16),
    /// The head ended early, or fewer bytes came than `Content-Length` says.
    Short,
    /// Closed without one byte: what nginx answers with 502.
    Empty,
    /// Connection reset, or the server closed while the request was still being sent.
    Reset,
    /// Not an HTTP reply, or a head beyond [`HEAD_BYTES_MAX`].
    Malformed,
    /// No end within the time allowed.
    TimedOut,
}

/// Longest head that is read. Servers' own limits are around 8 to 64 KiB.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Reads one reply piece by piece: [`feed`](Self::feed) until it gives an outcome, or [`end`](Self::end) at the end of
/// the stream.
#[derive(Debug)]
pub struct ReplyReader {
    state: State,
    no_body: bool,
    received: u64,
    closing: bool,
}

#[derive(Debug)]
enum State {
    /// Bytes of an unfinished head.
    Head(Vec<u8>),
    /// So many bytes of the body are missing.
    Counted { status: u16, missing: u64 },
    /// The body ends with the stream.
    UntilClose { status: u16 },
}

impl ReplyReader {
    /// `no_body`: the request was a HEAD.
    pub fn new(no_body: bool) -> Self {
        Self { state: State::Head(Vec::new()), no_body, received: 0, closing: true }
    }

    /// Takes the next bytes. `Some` once the reply is whole (or cannot become so); nothing is read after that.
    pub fn feed(&mut self, bytes: &[u8]) -> Option<Outcome> {
        self.received += bytes.len() as u64;
        match &mut self.state {
            State::Head(head) => {
                if head.is_empty() && find_head_end(bytes).is_some() {
                    return self.enter_body(bytes);
                }
                head.extend_from_slice(bytes);
                if find_head_end(head).is_some() {
                    let whole = std::mem::take(head);
                    return self.enter_body(&whole);
                }
                (head.len() > HEAD_BYTES_MAX).then_some(Outcome::Malformed)
            }
            State::Counted { status, missing } => {
                *missing = missing.saturating_sub(bytes.len() as u64);
                (*missing == 0).then(|| judged(*status))
            }
            State::UntilClose { .. } => None,
        }
    }

    /// The stream ended.
    pub fn end(&self) -> Outcome {
        match &self.state {
            State::Head(_) if self.received == 0 => Outcome::Empty,
            State::Head(_) | State::Counted { .. } => Outcome::Short,
            State::UntilClose { status } => judged(*status),
        }
    }

    /// Bytes taken so far, head included.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Whether the server will close: anything but an HTTP/1.1 reply that does not say `Connection: close`.
    pub fn closing(&self) -> bool {
        self.closing
    }

    /// `bytes` hold a whole head and what followed it.
    fn enter_body(&mut self, bytes: &[u8]) -> Option<Outcome> {
        let Some((head, body_at)) = find_head_end(bytes).and_then(|end| Some((Head::parse(&bytes[..end])?, end)))
        else {
            return Some(Outcome::Malformed);
        };
        self.closing = head.closing;
        if self.no_body || head.status == 204 || head.status == 304 {
            return Some(judged(head.status));
        }
        let Some(length) = head.content_length else {
            self.state = State::UntilClose { status: head.status };
            return None;
        };
        let missing = length.saturating_sub((bytes.len() - body_at) as u64);
        self.state = State::Counted { status: head.status, missing };
        (missing == 0).then(|| judged(head.status))
    }
}

fn judged(status: u16) -> Outcome {
    if (200..400).contains(&status) { Outcome::Ok } else { Outcome::BadStatus(status) }
}

/// Where the body begins.
pub(super) fn find_head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// What the reader needs of a head.
struct Head {
    status: u16,
    content_length: Option<u64>,
    closing: bool,
}

impl Head {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (status_line, headers) = text.split_once("\r\n")?;
        let (version, rest) = status_line.split_once(' ')?;
        if !version.starts_with("HTTP/1.") {
            return None;
        }
        let status = rest.get(..3)?.parse().ok()?;
        let mut head = Self { status, content_length: None, closing: version != "HTTP/1.1" };
        for (name, value) in headers.split("\r\n").filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                head.content_length = Some(value.trim().parse().ok()?);
            } else if name.eq_ignore_ascii_case("connection") {
                head.closing = value.trim().eq_ignore_ascii_case("close");
            }
        }
        Some(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";

    /// Feeds `bytes` in pieces of `step` bytes, then ends the stream.
    fn outcome_in_steps(bytes: &[u8], step: usize, no_body: bool) -> Outcome {
        let mut reader = ReplyReader::new(no_body);
        for piece in bytes.chunks(step) {
            if let Some(outcome) = reader.feed(piece) {
                return outcome;
            }
        }
        reader.end()
    }

    fn outcome(bytes: &[u8]) -> Outcome {
        let whole = outcome_in_steps(bytes, usize::MAX, false);
        for step in 1..bytes.len() {
            assert_eq!(outcome_in_steps(bytes, step, false), whole, "in steps of {step} bytes");
        }
        whole
    }

    #[test]
    fn a_whole_reply_is_ok_and_trailing_bytes_do_not_matter() {
        assert_eq!(outcome(HELLO), Outcome::Ok);
        assert_eq!(outcome(&[HELLO, b"more"].concat()), Outcome::Ok);
    }

    #[test]
    fn every_missing_byte_makes_it_short_and_none_at_all_empty() {
        for cut in 1..HELLO.len() {
            assert_eq!(outcome(&HELLO[..cut]), Outcome::Short, "cut at {cut}");
        }
        assert_eq!(outcome(b""), Outcome::Empty);
    }

    #[test]
    fn without_a_length_the_close_ends_it() {
        assert_eq!(outcome(b"HTTP/1.0 200 OK\r\n\r\nsome"), Outcome::Ok);
        assert_eq!(outcome(b"HTTP/1.0 500 Oops\r\n\r\n"), Outcome::BadStatus(500));
    }

    #[test]
    fn replies_that_have_no_body_end_with_the_head() {
        assert_eq!(outcome(b"HTTP/1.1 204 No Content\r\n\r\n"), Outcome::Ok);
        assert_eq!(outcome(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"), Outcome::Ok);
        assert_eq!(outcome_in_steps(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 7, true), Outcome::Ok);
    }

    #[test]
    fn what_is_not_http_is_malformed() {
        assert_eq!(outcome(b"\x64\0\0\x01\r\n\r\n"), Outcome::Malformed);
        assert_eq!(outcome(b"HTTP/1.1 2x0 OK\r\n\r\n"), Outcome::Malformed);
        assert_eq!(outcome(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), Outcome::Malformed);
        let endless = vec![b'a'; HEAD_BYTES_MAX + 1];
        assert_eq!(outcome_in_steps(&endless, 4096, false), Outcome::Malformed);
    }

    #[test]
    fn the_connection_persists_only_where_http_says_so() {
        let closing = |bytes: &[u8]| {
            let mut reader = ReplyReader::new(false);
            assert_eq!(reader.feed(bytes), Some(Outcome::Ok));
            reader.closing()
        };
        assert!(!closing(HELLO));
        assert!(closing(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
        assert!(closing(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
        assert!(!closing(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"));
    }
}
