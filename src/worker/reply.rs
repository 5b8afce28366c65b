//! The answer on its way to the web server: head and first bytes in one write, nothing that must not be sent. Worker
//! only.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;

use worker_protocol::decimal;
use worker_protocol::response::{self, Head, Version, body_allowed};

use crate::sys::stream::Stream;
use crate::sys::wait::{Interest, wait_ready};

/// Why an answer cannot be started. The application's fault.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Status or headers are not fit to be sent.
    #[error(transparent)]
    Head(#[from] response::Error),
    /// A `Content-Length` that is no number, or two that differ.
    #[error("the Content-Length header is not one decimal number")]
    ContentLength,
    /// Part of another answer is on the wire already.
    #[error("an answer was already being sent")]
    AlreadySent,
}

/// The answer to one request. Bytes go out as they are given, except that the head waits for the first of them.
#[derive(Debug)]
pub struct Reply<'c> {
    stream: &'c Stream,
    silence_max_us: u64,
    version: Version,
    is_head: bool,
    /// The encoded head until it is sent.
    head: &'c mut Vec<u8>,
    state: State,
    sent: Sent,
    /// Body bytes that may still be sent, by the Content-Length.
    left: Option<u64>,
    body_allowed: bool,
}

/// How far an answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Nothing,
    HeadReady,
    Sending,
    Broken,
}

/// What was sent, for the log and the statistics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Status code; 0 when there was no answer.
    pub status: u16,
    /// Number of headers.
    pub headers_count: usize,
    /// Bytes of the head.
    pub head_bytes: usize,
    /// Bytes of the body.
    pub body_bytes: u64,
    /// Whether the kernel sent a file.
    pub by_sendfile: bool,
    /// Chunks that the application produced.
    pub chunks: u64,
    /// Whether writing failed: the client has gone, or did not read for the socket timeout.
    pub write_failed: bool,
}

/// The headers of an answer, while they are being given.
#[derive(Debug)]
pub struct Headers<'b> {
    head: Head<'b>,
    /// By the Content-Length among them.
    length: Option<u64>,
}

impl Headers<'_> {
    /// Adds a header.
    ///
    /// # Errors
    /// A name or value that must not be sent, or a `Content-Length` that is none.
    pub fn add(&mut self, name: &[u8], value: &[u8]) -> Result<(), StartError> {
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = parse_length(value).ok_or(StartError::ContentLength)?;
            if self.length.is_some_and(|other| other != length) {
                return Err(StartError::ContentLength);
            }
            self.length = Some(length);
        }
        Ok(self.head.header(name, value)?)
    }
}

impl<'c> Reply<'c> {
    pub(crate) fn new(
        stream: &'c Stream,
        silence_max_us: u64,
        head: &'c mut Vec<u8>,
        version: Version,
        is_head: bool,
    ) -> Self {
        head.clear();
        Self {
            stream,
            silence_max_us,
            version,
            is_head,
            head,
            state: State::Nothing,
            sent: Sent::default(),
            left: None,
            body_allowed: true,
        }
    }

    /// Sets status and headers; they go out with the first bytes of the body, or at the end. May be called again as
    /// long as nothing has gone out: the last call counts.
    ///
    /// `reason`: `None` takes the registered phrase. `length`: adds a `Content-Length` if the headers have none.
    /// `headers` gives them one by one.
    ///
    /// # Errors
    /// What is wrong with status or headers, or what `headers` returned; no status is set then.
    pub fn start<E: From<StartError>>(
        &mut self,
        status: u16,
        reason: Option<&[u8]>,
        length: Option<u64>,
        headers: impl FnOnce(&mut Headers<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if !matches!(self.state, State::Nothing | State::HeadReady) {
            return Err(StartError::AlreadySent.into());
        }
        self.head.clear();
        self.state = State::Nothing;
        let head = Head::start(self.head, self.version, status, reason).map_err(StartError::Head)?;
        let mut given = Headers { head, length: None };
        headers(&mut given)?;
        self.body_allowed = body_allowed(if self.is_head { "HEAD" } else { "" }, status);
        if let (None, Some(length)) = (given.length, length)
            && (self.body_allowed || self.is_head)
        {
            given.head.content_length(length).map_err(StartError::Head)?;
            given.length = Some(length);
        }
        self.left = given.length;
        let written = given.head.finish();
        self.sent =
            Sent { status, headers_count: written.headers_count, head_bytes: written.head_bytes, ..Sent::default() };
        self.state = State::HeadReady;
        Ok(())
    }

    /// A short answer in plain text. Nothing happens if an answer is on its way already.
    pub(crate) fn answer_plainly(&mut self, status: u16, text: &str) {
        let kind = |headers: &mut Headers<'_>| headers.add(b"Content-Type", b"text/plain; charset=utf-8");
        if !self.is_sending() && self.start(status, None, Some(text.len() as u64), kind).is_ok() {
            // If the client has gone, there is nobody to tell.
            let _ = self.send(text.as_bytes());
        }
    }

    /// Whether bytes are on the wire, so that status and headers can no longer change.
    pub fn is_sending(&self) -> bool {
        matches!(self.state, State::Sending | State::Broken)
    }

    /// Whether status and headers have been set.
    pub fn is_started(&self) -> bool {
        self.state != State::Nothing
    }

    /// Whether a body may be sent at all: not for HEAD, 1xx, 204 and 304.
    pub fn body_allowed(&self) -> bool {
        self.body_allowed
    }

    /// Whether more of a body changes anything: not when the head alone is the answer, and on its way.
    pub fn wants_more(&self) -> bool {
        self.body_allowed || !self.is_sending()
    }

    /// What was sent so far.
    pub fn sent(&self) -> Sent {
        self.sent
    }

    /// Sends a piece of the body. Bytes beyond the announced length, and bodies where none may be, are dropped; the
    /// head goes out all the same.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] when the client has not read for the socket timeout, [`ErrorKind::BrokenPipe`] when it
    /// has gone. Both are final; [`ErrorKind::InvalidInput`] when no status was set.
    pub fn send(&mut self, piece: &[u8]) -> io::Result<()> {
        if self.state == State::Nothing {
            return Err(ErrorKind::InvalidInput.into());
        }
        self.sent.chunks += 1;
        // An empty piece does not push the head out: an error may still replace it (uWSGI's manual, "The uwsgi
        // Protocol").
        if piece.is_empty() {
            return self.check();
        }
        let piece = &piece[..self.permitted(piece.len() as u64) as usize];
        if piece.is_empty() { self.push_head() } else { self.write_out(piece) }
    }

    /// Sends a part of a file without copying it. A file that ends early breaks the answer off.
    ///
    /// # Errors
    /// As for [`Reply::send`]; [`ErrorKind::UnexpectedEof`] when the file is shorter.
    pub fn send_file(&mut self, file: &impl AsFd, offset: u64, length: u64) -> io::Result<()> {
        if self.state == State::Nothing {
            return Err(ErrorKind::InvalidInput.into());
        }
        let length = self.permitted(length);
        self.sent.by_sendfile = true;
        if length == 0 {
            return self.check();
        }
        self.push_head()?;
        let end = offset + length;
        let mut position = offset;
        while position < end {
            let wanted = usize::try_from(end - position).unwrap_or(usize::MAX).min(SENDFILE_BYTES_MAX);
            match self.stream.send_file(file, position, wanted) {
                Ok(0) => {
                    self.state = State::Broken;
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                Ok(count) => {
                    position += count as u64;
                    self.account(count as u64);
                }
                Err(error) => self.recover(error)?,
            }
        }
        Ok(())
    }

    /// Sends the status and headers now, if they have been set and are still here.
    pub fn push_head(&mut self) -> io::Result<()> {
        if self.state == State::HeadReady { self.write_out(&[]) } else { self.check() }
    }

    /// The end of the answer: sends what is left of it. False when the answer is not what it announced.
    pub(crate) fn finish(&mut self) -> bool {
        let complete = self.push_head().is_ok() && self.state == State::Sending;
        complete && (!self.body_allowed || self.left.is_none_or(|left| left == 0))
    }

    fn check(&self) -> io::Result<()> {
        if self.state == State::Broken { Err(ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }

    fn permitted(&self, wanted: u64) -> u64 {
        if self.body_allowed { self.left.map_or(wanted, |left| wanted.min(left)) } else { 0 }
    }

    fn account(&mut self, bytes: u64) {
        self.sent.body_bytes += bytes;
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(bytes);
        }
    }

    /// Writes the head, if it is still here, and `piece`, in one system call if the socket takes them.
    fn write_out(&mut self, piece: &[u8]) -> io::Result<()> {
        self.check()?;
        let has_head = self.state == State::HeadReady;
        self.state = State::Sending;
        let joined = has_head && piece.len() <= JOINED_BYTES_MAX;
        if joined {
            self.head.extend_from_slice(piece);
        }
        let (head_bytes, rest) = (if has_head { self.head.len() } else { 0 }, if joined { &[] } else { piece });
        let mut done = 0;
        while done < head_bytes + rest.len() {
            let head = &self.head[done.min(head_bytes)..head_bytes];
            match self.stream.write(head, &rest[done.saturating_sub(head_bytes)..]) {
                Ok(count) => done += count,
                Err(error) => self.recover(error)?,
            }
        }
        self.account(piece.len() as u64);
        Ok(())
    }

    /// Waits for room if that is what is missing; any other error ends the answer.
    fn recover(&mut self, error: io::Error) -> io::Result<()> {
        let kind = match error.kind() {
            ErrorKind::WouldBlock => match wait_ready(self.stream, Interest::Writable, self.silence_max_us) {
                Ok(true) => return Ok(()),
                Ok(false) => ErrorKind::TimedOut,
                Err(_) => ErrorKind::BrokenPipe,
            },
            _ => ErrorKind::BrokenPipe,
        };
        self.state = State::Broken;
        self.sent.write_failed = true;
        Err(kind.into())
    }
}

/// Up to here a piece is copied behind the head: that costs less than a second part in the system call.
const JOINED_BYTES_MAX: usize = 1_024;

/// The kernel's own bound for one `sendfile(2)`.
const SENDFILE_BYTES_MAX: usize = 0x7fff_f000;

/// A decimal number, with blanks around it as RFC 9110 section 5.5 allows them.
fn parse_length(value: &[u8]) -> Option<u64> {
    match value.trim_ascii() {
        [] => None,
        digits => decimal::parse(digits),
    }
}
