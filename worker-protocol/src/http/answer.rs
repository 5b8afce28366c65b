//! The head of an answer as workers write it for a web server (a status line, headers, a blank line), turned into what an
//! HTTP client is told. Pure; the router asks for each answer that it passes on.
//!
//! What is said of the connection between router and worker does not concern the client and is left out (RFC 9110 section
//! 7.6.1); how the end of the answer is told is decided here, by [`framing`].
//!
//! ```
//! use worker_protocol::http::answer::{Additions, Asked, Flaw, Passed, pass_on};
//! use worker_protocol::http::framing::Framing;
//! use worker_protocol::response::Version;
//!
//! let asked = Asked { version: Version::Http11, is_head: false, persistent: true };
//! let additions = Additions { date: b"Sun, 06 Nov 1994 08:49:37 GMT", server: None };
//! let mut out = Vec::new();
//! let passed = pass_on(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", asked, &additions, &mut out)?;
//! assert_eq!(passed, Passed::Final { framing: Framing::Length(2), persistent: true, coded: false });
//! assert_eq!(pass_on(b"no head\r\n\r\n", asked, &additions, &mut out), Err(Flaw::Malformed));
//! # Ok::<(), Flaw>(())
//! ```

use core::mem::MaybeUninit;

use httparse::Header;
use thiserror::Error;

use super::framing::{self, Framing};
use super::hop::is_of_connection;
use super::list::{list, trim};
use crate::decimal;
use crate::response::{self, HEAD_BYTES_MAX, Head, Version};

/// Header lines that an answer has at most.
pub const HEADERS_MAX: usize = 512;

/// Why an answer cannot be passed on: 502.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Flaw {
    /// No blank line within [`HEAD_BYTES_MAX`], or more headers than [`HEADERS_MAX`].
    #[error("its head is larger than {HEAD_BYTES_MAX} bytes, or has more than {HEADERS_MAX} headers")]
    TooLarge,
    /// No status line, or a line that is no header.
    #[error("its head is none of HTTP")]
    Malformed,
    /// A `Content-Length` that is no number, or two that differ.
    #[error("its Content-Length is not one number")]
    Length,
    /// A transfer coding other than one `chunked`, or one beside a length.
    #[error("its Transfer-Encoding cannot be undone")]
    Coding,
}

/// What is known before there is an answer.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// The version of the request.
    pub version: Version,
    /// Whether the request is a HEAD.
    pub is_head: bool,
    /// Whether client and router both let the connection go on.
    pub persistent: bool,
}

/// What is added to the head of an answer that does not say it.
#[derive(Debug, Clone, Copy)]
pub struct Additions<'a> {
    /// The value of `Date`.
    pub date: &'a [u8],
    /// The value of `Server`, if the server is named.
    pub server: Option<&'a [u8]>,
}

/// How an answer goes on after its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// The answer proper is still to come (RFC 9110 section 15.2).
    Interim,
    /// Another protocol is spoken from here on.
    Switched,
    /// With a body, or none.
    Final {
        /// How its end is told to the client.
        framing: Framing,
        /// Whether another request may follow, once all has been sent.
        persistent: bool,
        /// Whether the worker sends the body in chunks, which are to be decoded first.
        coded: bool,
    },
}

/// Where the head ends in what has come of an answer; `None`: later.
///
/// # Errors
/// It does not end in time.
pub fn end_of_head(received: &[u8], searched: usize) -> Result<Option<usize>, Flaw> {
    const END: &[u8] = b"\r\n\r\n";
    let from = searched.saturating_sub(END.len() - 1).min(received.len());
    match memchr::memmem::find(&received[from..], END) {
        Some(at) if from + at + END.len() <= HEAD_BYTES_MAX => Ok(Some(from + at + END.len())),
        None if received.len() <= HEAD_BYTES_MAX => Ok(None),
        _ => Err(Flaw::TooLarge),
    }
}

/// Reads a whole head, and appends to `out` what the client is told in its place.
///
/// # Errors
/// What is wrong with it; `out` is as before then.
pub fn pass_on(head: &[u8], asked: Asked, additions: &Additions<'_>, out: &mut Vec<u8>) -> Result<Passed, Flaw> {
    let mut room = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    match config.parse_response_with_uninit_headers(&mut parsed, head, &mut room) {
        Ok(httparse::Status::Complete(end)) if end == head.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Flaw::TooLarge),
        _ => return Err(Flaw::Malformed),
    }
    let (status, reason) = (parsed.code.ok_or(Flaw::Malformed)?, parsed.reason.unwrap_or_default());
    if matches!(status, 100 | 102..=199) {
        // A client of HTTP/1.0 knows none of them; the word for the body is the router's to give.
        if asked.version == Version::Http11 && status != 100 {
            out.extend_from_slice(head);
        }
        return Ok(Passed::Interim);
    }
    let before = out.len();
    let reason = if reason.is_empty() { None } else { Some(reason.as_bytes()) };
    let written = Said::of(parsed.headers, status)
        .and_then(|said| said.write(parsed.headers, (status, reason), asked, additions, out));
    if written.is_err() {
        out.truncate(before);
    }
    written
}

/// What the headers of an answer say of the message itself.
#[derive(Default)]
struct Said {
    length: Option<u64>,
    coded: bool,
    closes: bool,
    date: bool,
    server: bool,
}

impl Said {
    fn of(headers: &[Header<'_>], status: u16) -> Result<Said, Flaw> {
        let mut said = Said::default();
        for Header { name, value } in headers {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            match name.len() {
                4 if is("date") => said.date = true,
                6 if is("server") => said.server = true,
                10 if is("connection") => said.closes |= list(value).any(|word| word.eq_ignore_ascii_case(b"close")),
                14 if is("content-length") => said.note_length(value)?,
                17 if is("transfer-encoding") => {
                    if said.coded || !trim(value).eq_ignore_ascii_case(b"chunked") {
                        return Err(Flaw::Coding);
                    }
                    said.coded = true;
                }
                _ => {}
            }
        }
        let has_both = said.coded && said.length.is_some();
        if has_both || said.coded && status == 101 { Err(Flaw::Coding) } else { Ok(said) }
    }

    fn note_length(&mut self, value: &[u8]) -> Result<(), Flaw> {
        let length = decimal::parse(trim(value)).filter(|_| !trim(value).is_empty()).ok_or(Flaw::Length)?;
        if self.length.is_some_and(|other| other != length) {
            return Err(Flaw::Length);
        }
        self.length = Some(length);
        Ok(())
    }

    fn write(
        &self,
        headers: &[Header<'_>],
        (status, reason): (u16, Option<&[u8]>),
        asked: Asked,
        additions: &Additions<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Passed, Flaw> {
        let mut head = Head::start(out, asked.version, status, reason).map_err(flaw)?;
        let (mut has_length, switches) = (false, status == 101);
        for Header { name, value } in headers {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            let is_dropped = match name.len() {
                10 if switches && is("connection") => false,
                14 if is("content-length") => std::mem::replace(&mut has_length, true) || matches!(status, 101 | 204),
                _ => is_of_connection(name.as_bytes()),
            };
            if !is_dropped {
                head.header(name, value).map_err(flaw)?;
            }
        }
        let method = if asked.is_head { "HEAD" } else { "GET" };
        let persistent = asked.persistent && !self.closes;
        let plan =
            framing::plan(&framing::Answer { version: asked.version, method, status, length: self.length, persistent });
        if plan.framing == Framing::Chunked {
            head.header("Transfer-Encoding", "chunked").map_err(flaw)?;
        }
        plan.connection.map_or(Ok(()), |connection| head.header("Connection", connection)).map_err(flaw)?;
        if !self.date {
            head.header("Date", additions.date).map_err(flaw)?;
        }
        if let Some(server) = additions.server.filter(|_| !self.server) {
            head.header("Server", server).map_err(flaw)?;
        }
        head.finish();
        Ok(match switches {
            true => Passed::Switched,
            false => Passed::Final { framing: plan.framing, persistent: plan.persistent, coded: self.coded },
        })
    }
}

fn flaw(error: response::Error) -> Flaw {
    match error {
        response::Error::TooLarge { .. } => Flaw::TooLarge,
        _ => Flaw::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked = Asked { version: Version::Http11, is_head: false, persistent: true };
    const ADDITIONS: Additions<'static> = Additions { date: b"now", server: Some(b"us") };

    #[track_caller]
    fn check(head: &str, asked: Asked, expected: Result<(Passed, &str), Flaw>) {
        let mut out = b"before".to_vec();
        let passed = pass_on(head.as_bytes(), asked, &ADDITIONS, &mut out);
        let text = String::from_utf8_lossy(&out[b"before".len()..]).into_owned();
        assert_eq!(passed.map(|passed| (passed, text.as_str())), expected, "{head}");
        assert!(passed.is_ok() || out == b"before");
    }

    fn whole(framing: Framing, persistent: bool) -> Passed {
        Passed::Final { framing, persistent, coded: false }
    }

    #[test]
    fn what_concerns_the_connection_is_the_routers_to_say() {
        let head =
            "HTTP/1.1 200 Fine\r\nX-A: 1\r\nKeep-Alive: 5\r\nConnection: x\r\nContent-Length: 3\r\nTrailer: X\r\n\r\n";
        let told = "HTTP/1.1 200 Fine\r\nX-A: 1\r\nContent-Length: 3\r\nDate: now\r\nServer: us\r\n\r\n";
        check(head, ASKED, Ok((whole(Framing::Length(3), true), told)));
        let head = "HTTP/1.0 404 \r\nDate: d\r\nServer: s\r\nConnection: Close\r\n\r\n";
        let told =
            "HTTP/1.1 404 Not Found\r\nDate: d\r\nServer: s\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
        check(head, ASKED, Ok((whole(Framing::Chunked, false), told)));
        let old = Asked { version: Version::Http10, ..ASKED };
        let told = "HTTP/1.0 200 OK\r\nConnection: close\r\nDate: now\r\nServer: us\r\n\r\n";
        check("HTTP/1.1 200 OK\r\n\r\n", old, Ok((whole(Framing::Close, false), told)));
        let told = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nDate: now\r\nServer: us\r\n\r\n";
        let length = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n";
        check(length, Asked { is_head: true, ..ASKED }, Ok((whole(Framing::Bodiless, true), told)));
    }

    #[test]
    fn chunks_of_the_worker_are_decoded_and_interim_answers_are_not_the_last() {
        let told = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nDate: now\r\nServer: us\r\n\r\n";
        let coded = Passed::Final { framing: Framing::Chunked, persistent: true, coded: true };
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding:  Chunked \r\n\r\n", ASKED, Ok((coded, told)));
        check("HTTP/1.1 100 Continue\r\n\r\n", ASKED, Ok((Passed::Interim, "")));
        let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
        check(hints, ASKED, Ok((Passed::Interim, hints)));
        check(hints, Asked { version: Version::Http10, ..ASKED }, Ok((Passed::Interim, "")));
        let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nDate: d\r\nServer: s\r\n\r\n";
        check(switch, ASKED, Ok((Passed::Switched, switch)));
    }

    #[test]
    fn what_is_no_answer_is_not_passed_on() {
        for (head, flaw) in [
            ("hello\r\n\r\n", Flaw::Malformed),
            ("HTTP/1.1 20 OK\r\n\r\n", Flaw::Malformed),
            ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", Flaw::Malformed),
            ("HTTP/1.1 200 OK\r\nA: 1\r\n folded\r\n\r\n", Flaw::Malformed),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", Flaw::Length),
            ("HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n", Flaw::Length),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", Flaw::Length),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", Flaw::Coding),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", Flaw::Coding),
        ] {
            check(head, ASKED, Err(flaw));
        }
    }

    #[test]
    fn the_end_of_a_head_is_found_wherever_it_is_cut() {
        let head = b"HTTP/1.1 200 OK\r\nA: 1\r\n\r\nbody";
        for cut in 0..head.len() {
            let first = end_of_head(&head[..cut], 0);
            assert_eq!(first, Ok((cut >= 25).then_some(25)), "{cut}");
            assert_eq!(end_of_head(head, cut.min(24)), Ok(Some(25)), "{cut}");
        }
        assert_eq!(end_of_head(&vec![b'a'; HEAD_BYTES_MAX + 1], 0), Err(Flaw::TooLarge));
    }
}
