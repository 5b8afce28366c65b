//! The request body: what came with the head, then the socket, never beyond its end. One that comes wrapped is unwrapped
//! in `wrapped`; one that is to be whole before the application runs is `gathered` (`whole`). Worker only.

mod gathered;
mod gathering;
mod pace;
mod unwrapping;
mod whole;
mod wrapped;

use std::io::{self, ErrorKind, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use worker_protocol::http;
use worker_protocol::wire::Wrapped;

pub(crate) use self::gathered::{Gathered, Ungathered};
pub(crate) use self::gathering::Gathering;
pub(crate) use self::pace::Pace;
use self::unwrapping::Unwrapping;
pub use crate::handler::request::DeclaredBody;
use crate::sys::clock::monotonic_us;
use crate::sys::stream::Stream;
use crate::sys::wait::{Interest, wait_ready};
use crate::worker::claim::Claim;

/// A request body that is read on demand.
///
/// Errors: [`ErrorKind::TimedOut`] when the client is silent for the socket timeout; [`ErrorKind::UnexpectedEof`] when
/// it goes away before the end; [`ErrorKind::InvalidData`] when what it sends is no body; [`ErrorKind::FileTooLarge`]
/// when it is longer than the configuration allows. All are final.
#[derive(Debug)]
pub struct RequestBody<'c> {
    stream: &'c Stream,
    /// Read together with the head, not yet handed out; perhaps with bytes of the next request at its end.
    buffered: &'c [u8],
    /// What was declared; `None` when the end is only told as it comes.
    length: Option<u64>,
    /// Bytes that may still come: without a declared length as many as are accepted, until the end is seen.
    remaining: u64,
    silence_max_us: u64,
    /// For the moment, what is not here yet is `WouldBlock`.
    never_waits: bool,
    failed: Option<ErrorKind>,
    /// How long it was waited for, in microseconds.
    waited_us: u64,
    unwrapping: Option<Unwrapping<'c>>,
    /// All of it, if it was read before the application ran.
    gathered: Option<Gathered>,
    /// Set while the client waits for word before it sends the body, and no answer has begun.
    awaited: Option<&'c AtomicBool>,
    /// Who may end the request meanwhile.
    claim: Option<&'c dyn Claim>,
}

/// What a body is to be made of besides the connection.
#[derive(Debug)]
pub(crate) struct Source<'c> {
    /// What came with the head, of the body and beyond.
    pub(crate) buffered: &'c [u8],
    /// The declared length.
    pub(crate) length: Option<u64>,
    /// Most bytes that a body of no declared length may have.
    pub(crate) length_max: u64,
    /// What unwraps it.
    pub(crate) wrapped: Option<Wrapped<'c>>,
    /// Set while the client waits for word before it sends the body.
    pub(crate) awaited: Option<&'c AtomicBool>,
    /// Who may end the request meanwhile.
    pub(crate) claim: Option<&'c dyn Claim>,
}

impl<'c> RequestBody<'c> {
    /// A body of which some bytes (and perhaps bytes of nobody's after them) are here already.
    pub(crate) fn new(stream: &'c Stream, source: Source<'c>, silence_max_us: u64) -> Self {
        let Source { buffered, length, length_max, wrapped, awaited, claim } = source;
        let remaining = match (length, &wrapped) {
            (Some(length), _) => length,
            (None, None) => 0,
            // One more, so that nothing is left only of a body that is too long.
            (None, Some(_)) => length_max.saturating_add(1),
        };
        let unwrapping = wrapped.map(Unwrapping::new);
        let length = length.or(if unwrapping.is_some() { None } else { Some(0) });
        Self {
            stream,
            buffered,
            length,
            remaining,
            silence_max_us,
            never_waits: false,
            failed: None,
            waited_us: 0,
            unwrapping,
            gathered: None,
            awaited,
            claim,
        }
    }

    /// Bytes of nobody's that are to be read and forgotten: whatever comes, up to so many.
    pub(crate) fn of_nobody(stream: &'c Stream, bytes_max: u64, silence_max_us: u64) -> Self {
        let source =
            Source { buffered: &[], length: Some(bytes_max), length_max: 0, wrapped: None, awaited: None, claim: None };
        Self::new(stream, source, silence_max_us)
    }

    /// Bytes that may still come on the connection.
    pub(crate) fn outstanding(&self) -> u64 {
        if self.gathered.is_some() { 0 } else { self.remaining }
    }

    /// Whether reading has failed, so that no more can come.
    pub fn failed(&self) -> bool {
        self.failed.is_some()
    }

    /// What status says why it failed, where the client is to blame.
    pub fn refusal(&self) -> Option<u16> {
        match self.failed? {
            ErrorKind::FileTooLarge => Some(413),
            ErrorKind::InvalidData => Some(400),
            _ => None,
        }
    }

    /// Whether the client still waits for word before it sends the body.
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited.is_some_and(|awaited| awaited.load(Ordering::Relaxed))
    }

    /// Reads and forgets what the application left, so that closing does not reset the connection under the answer
    /// (uWSGI's manual, "Nginx support"). Gives up when it takes longer than `patience_us`.
    pub(crate) fn discard(&mut self, patience_us: u64) {
        let deadline = monotonic_us() + patience_us;
        self.claim = None;
        let mut sink = [0; 16 * 1024];
        while self.outstanding() > 0 && !self.failed() {
            let now = monotonic_us();
            if now >= deadline {
                return;
            }
            self.silence_max_us = self.silence_max_us.min(deadline - now);
            if self.read(&mut sink).is_err() {
                return;
            }
        }
    }

    /// Reads and forgets what is here already, as far as it is not more than `bytes_max`.
    pub(crate) fn discard_what_is_here(&mut self, bytes_max: u64) {
        let mut sink = [0; 16 * 1024];
        let mut left = bytes_max;
        self.never_waits = true;
        while self.outstanding() > 0 && left > 0 && !self.failed() {
            let wanted = (sink.len() as u64).min(left) as usize;
            match self.read(&mut sink[..wanted]) {
                // The end, or no more is here.
                Ok(0) | Err(_) => break,
                Ok(count) => left -= count as u64,
            }
        }
        self.never_waits = false;
    }

    /// What was read beyond its end: the beginning of the next request. Only once nothing is left of it.
    pub(crate) fn beyond(&self) -> Vec<u8> {
        match (self.buffered, &self.unwrapping) {
            ([], None) => Vec::new(),
            (buffered, unwrapping) => [buffered, unwrapping.as_ref().map_or(&[][..], Unwrapping::beyond)].concat(),
        }
    }

    /// Waits at most so long for each read from here on.
    pub fn set_patience(&mut self, patience: Duration) {
        self.silence_max_us = patience.as_micros().try_into().unwrap_or(u64::MAX);
    }

    /// How long it was waited for, in microseconds.
    pub(crate) fn waited_us(&self) -> u64 {
        self.waited_us
    }

    fn fail(&mut self, kind: ErrorKind) -> io::Error {
        self.failed = Some(kind);
        kind.into()
    }

    fn read_socket(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.claim.is_some_and(|claim| claim.is_struck()) {
                // The request is over for the application; what still comes is for nobody.
                return Err(ErrorKind::TimedOut.into());
            }
            match self.stream.read(buffer) {
                Ok(0) => return Err(self.fail(ErrorKind::UnexpectedEof)),
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock && self.never_waits => return Err(error),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let since_us = monotonic_us();
                    let is_there = wait_ready(self.stream, Interest::Readable, self.silence_max_us)?;
                    self.waited_us += monotonic_us().saturating_sub(since_us);
                    if !is_there {
                        return Err(self.fail(ErrorKind::TimedOut));
                    }
                }
                // A reset is the client's going away, however it looks on the wire.
                Err(_) => return Err(self.fail(ErrorKind::UnexpectedEof)),
            }
        }
    }

    /// Tells a client that waits for it to send the body.
    #[cold]
    fn ask_for_body(&mut self) -> io::Result<()> {
        let Some(awaited) = self.awaited.take() else { return Ok(()) };
        if !awaited.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        write_all(self.stream, http::CONTINUE, self.silence_max_us).map_err(|error| self.fail(error.kind()))
    }

    fn read_plain(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.remaining).unwrap_or(usize::MAX));
        if self.buffered.is_empty() {
            return self.read_socket(&mut buffer[..wanted]);
        }
        let here = wanted.min(self.buffered.len());
        buffer[..here].copy_from_slice(&self.buffered[..here]);
        self.buffered = &self.buffered[here..];
        Ok(here)
    }
}

/// Writes all of it, waiting for room at most so long at a time.
pub(super) fn write_all(stream: &Stream, mut bytes: &[u8], silence_max_us: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if !wait_ready(stream, Interest::Writable, silence_max_us)? {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl DeclaredBody for RequestBody<'_> {
    fn length(&self) -> Option<u64> {
        self.length
    }

    fn remaining(&self) -> u64 {
        self.remaining
    }
}

impl Read for RequestBody<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(kind) = self.failed {
            return Err(kind.into());
        }
        if buffer.is_empty() || self.remaining == 0 {
            return Ok(0);
        }
        if let Some(gathered) = &mut self.gathered {
            let count = gathered.read(buffer)?;
            if count == 0 {
                // Somebody has made the file shorter.
                return Err(self.fail(ErrorKind::UnexpectedEof));
            }
            self.remaining -= count as u64;
            return Ok(count);
        }
        if self.awaited.is_some() {
            self.ask_for_body()?;
        }
        let count = match self.unwrapping {
            None => self.read_plain(buffer)?,
            Some(_) => self.read_wrapped(buffer)?,
        };
        self.remaining = self.remaining.saturating_sub(count as u64);
        if self.remaining == 0 && self.length.is_none() && count > 0 {
            return Err(self.fail(ErrorKind::FileTooLarge));
        }
        Ok(count)
    }
}
