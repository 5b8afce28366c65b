//! The head of an answer as workers write it for a web server (a status line, headers, a blank line), turned into what an
//! HTTP client is told. Pure; the router asks for each answer that it passes on.
//!
//! What is said of the connection between router and worker does not concern the client and is left out (RFC 9110 section
//! 7.6.1); how the end of the answer is told is decided here, by [`framing`].
//!
//! ```
//! use worker_protocol::http::answer::{Additions, Asked, Coming, Flaw, Passed, pass_on};
//! use worker_protocol::http::framing::Framing;
//! use worker_protocol::http::packing::Packing;
//! use worker_protocol::response::Version;
//!
//! let asked = Asked { version: Version::Http11, is_head: false, persistent: true, packing: Packing::Off };
//! let additions = Additions { date: b"Sun, 06 Nov 1994 08:49:37 GMT", server: None };
//! let mut out = Vec::new();
//! let passed = pass_on(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", asked, &additions, &mut out)?;
//! let (framing, coming) = (Framing::Length(2), Coming::Length(2));
//! assert_eq!(passed, Passed::Final { framing, persistent: true, coming, packed: false });
//! assert_eq!(pass_on(b"no head\r\n\r\n", asked, &additions, &mut out), Err(Flaw::Malformed));
//! # Ok::<(), Flaw>(())
//! ```

use core::mem::MaybeUninit;

use httparse::Header;
use thiserror::Error;

use super::framing::{self, Framing};
use super::hop::is_of_connection;
use super::list::{list, trim};
use super::packing::{Packing, Wish};
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
    /// What becomes of an application's wish to have the answer packed.
    pub packing: Packing,
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
        /// How the worker sends the body.
        coming: Coming,
        /// Whether the client gets the body packed with gzip.
        packed: bool,
    },
}

/// How the end of a body is told that comes from a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coming {
    /// By its length.
    Length(u64),
    /// It comes in chunks, which are to be decoded.
    Chunked,
    /// By the end of the connection.
    Close,
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
    let written = Said::of(parsed.headers, status, asked.packing)
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
    wish: Wish,
}

impl Said {
    fn of(headers: &[Header<'_>], status: u16, packing: Packing) -> Result<Said, Flaw> {
        let mut said = Said { wish: Wish::of(headers, packing), ..Said::default() };
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
        let packed = self.wish.is_granted(asked.packing, status, self.length);
        for Header { name, value } in headers {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            let is_dropped = match name.len() {
                10 if switches && is("connection") => false,
                14 if is("content-length") => std::mem::replace(&mut has_length, true) || matches!(status, 101 | 204),
                _ => is_of_connection(name.as_bytes()),
            };
            if is_dropped || Wish::leaves_out(name, asked.packing, packed) {
                continue;
            }
            match packed && is("etag") {
                true => head.header(name, Wish::weakened(value)),
                false => head.header(name, value),
            }
            .map_err(flaw)?;
        }
        for (name, value) in self.wish.adds(packed) {
            head.header(name, value).map_err(flaw)?;
        }
        let method = if asked.is_head { "HEAD" } else { "GET" };
        let persistent = asked.persistent && !self.closes;
        let length = self.length.filter(|_| !packed);
        let plan = framing::plan(&framing::Answer { version: asked.version, method, status, length, persistent });
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
            false => {
                Passed::Final { framing: plan.framing, persistent: plan.persistent, coming: self.coming(), packed }
            }
        })
    }

    fn coming(&self) -> Coming {
        match self.length {
            Some(length) => Coming::Length(length),
            None if self.coded => Coming::Chunked,
            None => Coming::Close,
        }
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

    const ASKED: Asked = Asked { version: Version::Http11, is_head: false, persistent: true, packing: Packing::Off };
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
        let coming = if let Framing::Length(length) = framing { Coming::Length(length) } else { Coming::Close };
        Passed::Final { framing, persistent, coming, packed: false }
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
        let of_head =
            Passed::Final { framing: Framing::Bodiless, persistent: true, coming: Coming::Length(3), packed: false };
        check(length, Asked { is_head: true, ..ASKED }, Ok((of_head, told)));
    }

    #[test]
    fn chunks_of_the_worker_are_decoded_and_interim_answers_are_not_the_last() {
        let told = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nDate: now\r\nServer: us\r\n\r\n";
        let coming = Coming::Chunked;
        let coded = Passed::Final { framing: Framing::Chunked, persistent: true, coming, packed: false };
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding:  Chunked \r\n\r\n", ASKED, Ok((coded, told)));
        check("HTTP/1.1 100 Continue\r\n\r\n", ASKED, Ok((Passed::Interim, "")));
        let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
        check(hints, ASKED, Ok((Passed::Interim, hints)));
        check(hints, Asked { version: Version::Http10, ..ASKED }, Ok((Passed::Interim, "")));
        let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nDate: d\r\nServer: s\r\n\r\n";
        check(switch, ASKED, Ok((Passed::Switched, switch)));
    }

    #[test]
    fn an_answer_is_packed_where_its_application_and_the_client_want_that() {
        const TAKES: Asked = Asked { packing: Packing::Gzip, ..ASKED };
        const OLD: Asked = Asked { version: Version::Http10, ..TAKES };
        const HEAD: Asked = Asked { is_head: true, ..TAKES };
        let wish = "uWSGI-Encoding: gzip\r\n";
        let more = "Content-Length: 5\r\nETag: \"a\"\r\nAccept-Ranges: bytes\r\nContent-MD5: x\r\n";
        let answer = format!("HTTP/1.1 200 OK\r\n{wish}{more}\r\n");
        let packed = "ETag: W/\"a\"\r\nContent-Encoding: gzip\r\nVary: Accept-Encoding\r\n";
        let end = "Date: now\r\nServer: us\r\n\r\n";
        let passed = |framing, persistent| {
            let coming = Coming::Length(5);
            Passed::Final { framing, persistent, coming, packed: true }
        };
        let told = format!("HTTP/1.1 200 OK\r\n{packed}Transfer-Encoding: chunked\r\n{end}");
        check(&answer, TAKES, Ok((passed(Framing::Chunked, true), &told)));
        let told = format!("HTTP/1.0 200 OK\r\n{packed}Connection: close\r\n{end}");
        check(&answer, OLD, Ok((passed(Framing::Close, false), &told)));
        let told = format!("HTTP/1.1 200 OK\r\n{packed}{end}");
        check(&answer, HEAD, Ok((passed(Framing::Bodiless, true), &told)));
        // Who does not take it gets it as it is; caches hear of that, too.
        let told = format!("HTTP/1.1 200 OK\r\n{more}Vary: Accept-Encoding\r\n{end}");
        check(&answer, Asked { packing: Packing::Unwanted, ..ASKED }, Ok((whole(Framing::Length(5), true), &told)));
        let told = format!("HTTP/1.1 200 OK\r\n{wish}{more}{end}");
        check(&answer, ASKED, Ok((whole(Framing::Length(5), true), &told)));
        // It varies already.
        for vary in ["Vary: Cookie, accept-encoding\r\n", "Vary: *\r\n"] {
            let told =
                format!("HTTP/1.1 200 OK\r\n{vary}Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n{end}");
            let answer = format!("HTTP/1.1 200 OK\r\n{wish}{vary}Content-Length: 5\r\n\r\n");
            check(&answer, TAKES, Ok((passed(Framing::Chunked, true), &told)));
        }
    }

    #[test]
    fn what_did_not_ask_for_it_or_cannot_be_is_not_packed() {
        const TAKES: Asked = Asked { packing: Packing::Gzip, ..ASKED };
        for (status, headers) in [
            ("200 OK", "Content-Length: 5"),
            ("200 OK", "uWSGI-Encoding: br\r\nContent-Length: 5"),
            ("200 OK", "uWSGI-Encoding: gzip\r\nContent-Encoding: br\r\nContent-Length: 5"),
            ("200 OK", "uWSGI-Encoding: gzip\r\nContent-Range: bytes 0-4/9\r\nContent-Length: 5"),
            ("206 Partial Content", "uWSGI-Encoding: gzip\r\nContent-Length: 5"),
            ("200 OK", "uWSGI-Encoding: gzip\r\nContent-Length: 0"),
            ("204 No Content", "uWSGI-Encoding: gzip"),
            ("304 Not Modified", "uWSGI-Encoding: gzip\r\nETag: \"a\""),
            ("101 Switching Protocols", "uWSGI-Encoding: gzip\r\nConnection: Upgrade"),
        ] {
            let mut out = Vec::new();
            let head = format!("HTTP/1.1 {status}\r\n{headers}\r\n\r\n");
            let passed = pass_on(head.as_bytes(), TAKES, &ADDITIONS, &mut out).expect("an answer");
            let is_as_it_is = matches!(passed, Passed::Final { packed: false, .. } | Passed::Switched);
            let told = String::from_utf8_lossy(&out).into_owned();
            assert!(is_as_it_is && !told.contains("Content-Encoding: gzip") && !told.contains("uWSGI"), "{told}");
            assert_eq!(told.contains("Vary: Accept-Encoding"), headers.contains("uWSGI-Encoding: gzip"), "{told}");
        }
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
