//! The answer on its way to the web server or client: head and first bytes in one write, wrapped as the protocol has it,
//! nothing that must not be sent. Worker only.

mod error;
mod file;
mod headers;
mod looking;
mod manner;
mod named;
mod onlooker;
mod page;
mod plain;
mod seen;
mod transfer;
mod upgrade;
mod wrap;
mod write;

use std::io::{self, ErrorKind};

use worker_protocol::decimal;
pub(crate) use worker_protocol::http::date::DateText;
use worker_protocol::response::{Head, Paused};
use worker_protocol::wire::Form;

pub use self::error::StartError;
pub use self::headers::Headers;
pub(crate) use self::manner::Manner;
use self::manner::Said;
use self::named::NamedFile;
pub(crate) use self::onlooker::{Onlooker, Opinion};
pub(crate) use self::page::warn_of_missing_pages;
use self::seen::Seen;
pub(crate) use self::transfer::{Moved, Transfer};
use self::wrap::{Last, Wrapping};
use crate::sys::stream::Stream;

/// The answer to one request. Bytes go out as they are given, except that the head waits for the first of them.
#[derive(Debug)]
pub struct Reply<'c> {
    stream: &'c Stream,
    silence_max_us: u64,
    manner: Manner<'c>,
    /// The encoded head until it is sent; then what is put around the bytes that go out.
    head: &'c mut Vec<u8>,
    /// Of the head that is ready: how far it has come, and what the application says of the connection in it.
    ready: (Paused, Said),
    state: State,
    sent: Sent,
    /// Body bytes that may still be sent, by the Content-Length.
    left: Option<u64>,
    body_allowed: bool,
    wrapping: Wrapping,
    /// Whether another request may follow, if all goes well.
    persistent: bool,
    /// How far rules have looked at it.
    seen: Seen,
    /// Whether what is being sent is the end of the body, so that others may send the rest of it (`offload-threads`).
    is_last: bool,
    /// Whether what is being sent is the last thing that the connection carries.
    is_final: bool,
    /// What others are to send of it.
    handed: Option<Box<Transfer>>,
    /// The file that stands for the body.
    named: Option<NamedFile>,
}

/// How far an answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Nothing,
    HeadReady,
    Sending,
    /// The end was told.
    Ended,
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
    /// Whether a thread for that sends the rest of it (`offload-threads`).
    pub by_offload: bool,
    /// Chunks that the application produced.
    pub chunks: u64,
    /// Whether writing failed: the client has gone, or did not read for the socket timeout.
    pub write_failed: bool,
    /// How long the client was waited for to take more, in microseconds.
    pub waited_us: u64,
}

impl<'c> Reply<'c> {
    #[inline(always)]
    pub(crate) fn new(stream: &'c Stream, silence_max_us: u64, head: &'c mut Vec<u8>, manner: Manner<'c>) -> Self {
        head.clear();
        Self {
            stream,
            silence_max_us,
            wrapping: Wrapping::of(manner.form),
            manner,
            head,
            ready: Default::default(),
            state: State::Nothing,
            sent: Sent::default(),
            left: None,
            body_allowed: true,
            persistent: false,
            seen: Seen::default(),
            is_last: false,
            is_final: false,
            handed: None,
            named: None,
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
    #[inline(always)]
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
        if self.is_replaced(status) {
            return Ok(());
        }
        self.head.clear();
        (self.state, self.named) = (State::Nothing, None);
        self.wrapping.begin(self.head);
        let takes_names = self.manner.answers.is_some_and(|answers| answers.named_below.is_some());
        let head = match self.manner.form {
            Form::Status | Form::Records { status_line: false, .. } => Head::start_cgi(self.head, status, reason),
            _ => Head::start(self.head, self.manner.version, status, reason),
        };
        let said = self.manner.is_http().then(Said::default);
        let mut head = head.map_err(StartError::Head)?;
        let mut removed = &[][..];
        if let Some(answers) = self.manner.answers {
            removed = &answers.removed;
            head = head.within(answers.head_bytes_max);
        }
        let onlooker = self.manner.onlooker;
        let mut given = Headers::new(head, status, said, removed);
        given = given.seen_by(onlooker).naming(takes_names && status >= 200);
        headers(&mut given)?;
        let named = given.take_named()?;
        if let Some(answers) = self.manner.answers.filter(|_| status >= 200) {
            given.add_all(&answers.added)?;
        }
        if let Some(onlooker) = onlooker.filter(|_| status >= 200) {
            given.add_set(onlooker, 0)?;
            self.seen.headers = onlooker.set_headers(0).len();
        }
        self.body_allowed = self.manner.body_allowed(status);
        if let Some(length) = length.filter(|_| named.is_none() && (self.body_allowed || self.manner.is_head)) {
            given.add_length(length)?;
        }
        self.left = given.length();
        self.sent = Sent { status, ..Sent::default() };
        self.ready = given.pause();
        self.state = State::HeadReady;
        self.named = named;
        Ok(())
    }

    /// Whether bytes are on the wire, so that status and headers can no longer change.
    pub fn is_sending(&self) -> bool {
        matches!(self.state, State::Sending | State::Ended | State::Broken)
    }

    /// Whether status and headers have been set.
    pub fn is_started(&self) -> bool {
        self.state != State::Nothing || self.seen.is_replaced
    }

    /// Whether a body may be sent at all: not for HEAD, 1xx, 204 and 304.
    pub fn body_allowed(&self) -> bool {
        self.body_allowed
    }

    /// Whether more of a body changes anything: not when the head alone is the answer, and on its way.
    pub fn wants_more(&self) -> bool {
        !self.seen.is_replaced && (self.body_allowed || !self.is_sending())
    }

    /// Whether a part of the answer is on the wire, and another is still to come for all that is known.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.state == State::Sending && self.body_allowed && self.left != Some(0)
    }

    /// Whether the other side can tell the end of the body, of which a part is on the wire, only by the end of the
    /// connection.
    pub(crate) fn ends_by_closing(&self) -> bool {
        self.is_unfinished() && self.left.is_none() && !self.wrapping.tells_end()
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
        if self.is_settled_otherwise(!piece.is_empty()) {
            return Ok(());
        }
        if self.state == State::Nothing {
            return Err(ErrorKind::InvalidInput.into());
        }
        self.sent.chunks += 1;
        // An empty piece does not push the head out: an error may still replace it (uWSGI's manual, "The uwsgi
        // Protocol").
        if piece.is_empty() || self.state == State::Ended {
            return self.check();
        }
        let piece = &piece[..self.permitted(piece.len() as u64) as usize];
        if piece.is_empty() { self.push_head() } else { self.write_out(piece, Last::No) }
    }

    /// Sends a body that is whole: what is known to be the end goes out with it.
    ///
    /// # Errors
    /// As for [`Reply::send`].
    #[inline(always)]
    pub fn send_whole(&mut self, body: &[u8]) -> io::Result<()> {
        if self.is_settled_otherwise(!body.is_empty()) {
            return Ok(());
        }
        if self.state != State::HeadReady || body.is_empty() {
            return self.send(body);
        }
        if !self.manner.is_http() && self.manner.form == Form::Plain {
            self.is_last = self.left.is_none_or(|left| left <= body.len() as u64);
            let sent = self.send(body);
            self.is_last = false;
            return sent;
        }
        self.sent.chunks += 1;
        let permitted = &body[..self.permitted(body.len() as u64) as usize];
        if self.left.is_none() && self.body_allowed && self.manner.is_http() {
            self.tell_length(permitted.len() as u64);
        }
        // A body that is too short has no end that could be told.
        let is_whole = !self.body_allowed || self.left.is_none_or(|left| left == permitted.len() as u64);
        self.is_last = is_whole;
        let sent = self.write_out(permitted, if is_whole { Last::Yes } else { Last::No });
        self.is_last = false;
        sent
    }

    /// What others are to send of the answer.
    pub(crate) fn take_handed(&mut self) -> Option<Box<Transfer>> {
        self.handed.take()
    }

    /// Sends the status and headers now, if they have been set and are still here.
    pub fn push_head(&mut self) -> io::Result<()> {
        if self.is_settled_otherwise(true) {
            return Ok(());
        }
        if self.state == State::HeadReady { self.write_out(&[], Last::No) } else { self.check() }
    }

    /// The application cannot go on. Where an end would be told that was not reached, the client gets none.
    pub(crate) fn break_off(&mut self) {
        if self.state == State::Sending && self.wrapping.tells_end() {
            self.state = State::Broken;
        }
    }

    /// No other request may follow on the connection.
    pub(crate) fn end_connection(&mut self) {
        self.manner.persistent = false;
    }

    /// Whether another request may follow on the connection: the client knows where this answer ends, and has it.
    pub(crate) fn persists(&self) -> bool {
        self.persistent && self.state == State::Ended
    }

    /// The end of the answer: sends what is left of it. False when the answer is not what it announced.
    #[inline(always)]
    pub(crate) fn finish(&mut self) -> bool {
        self.is_settled_otherwise(true);
        if self.state == State::HeadReady {
            // There was no body.
            if self.left.is_none() && self.body_allowed && self.manner.is_http() {
                self.tell_length(0);
            }
            let is_whole = !self.body_allowed || self.left.is_none_or(|left| left == 0);
            if self.write_out(&[], if is_whole { Last::Yes } else { Last::No }).is_err() {
                return false;
            }
        }
        if self.state == State::Sending && (!self.body_allowed || self.left.is_none_or(|left| left == 0)) {
            let wrapping = self.wrapping;
            self.state = match self.write_parts([wrapping.end_of_answer(), &[], &[]]) {
                Ok(()) => State::Ended,
                Err(_) => State::Broken,
            };
        }
        self.state == State::Ended
    }

    /// The application did not say how long the body is, but now it is known.
    fn tell_length(&mut self, length: u64) {
        if !matches!(self.sent.status, 100..=199) {
            let mut digits = [0; 20];
            self.ready.0.add(self.head, "Content-Length", decimal::format(length, &mut digits));
            self.left = Some(length);
        }
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
}
