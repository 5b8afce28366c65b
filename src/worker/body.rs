//! The request body: what came with the head, then the socket, never beyond the declared length. Worker only.

use std::io::{self, ErrorKind, Read};

pub use crate::handler::request::DeclaredBody;
use crate::sys::clock::monotonic_us;
use crate::sys::stream::Stream;
use crate::sys::wait::{Interest, wait_ready};

/// A request body that is read on demand.
///
/// Errors: [`ErrorKind::TimedOut`] when the client is silent for the socket timeout; [`ErrorKind::UnexpectedEof`] when
/// it goes away before the declared length is there. Both are final.
#[derive(Debug)]
pub struct RequestBody<'c> {
    stream: &'c Stream,
    /// Read together with the head, not yet handed out.
    buffered: &'c [u8],
    length: u64,
    remaining: u64,
    silence_max_us: u64,
    failed: Option<ErrorKind>,
}

impl<'c> RequestBody<'c> {
    /// A body of `length` bytes of which `buffered` (and perhaps bytes of nobody's after it) are here already.
    pub(crate) fn new(stream: &'c Stream, buffered: &'c [u8], length: u64, silence_max_us: u64) -> Self {
        let here = buffered.len().min(usize::try_from(length).unwrap_or(usize::MAX));
        Self { stream, buffered: &buffered[..here], length, remaining: length, silence_max_us, failed: None }
    }

    /// Whether reading has failed, so that no more can come.
    pub fn failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Reads and forgets what the application left, so that closing does not reset the connection under the answer
    /// (uWSGI's manual, "Nginx support"). Gives up when it takes longer than `patience_us`.
    pub(crate) fn discard(&mut self, patience_us: u64) {
        let deadline = monotonic_us() + patience_us;
        let mut sink = [0; 16 * 1024];
        while self.remaining > 0 && !self.failed() {
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

    fn fail(&mut self, kind: ErrorKind) -> io::Error {
        self.failed = Some(kind);
        kind.into()
    }

    fn read_socket(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(self.fail(ErrorKind::UnexpectedEof)),
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !wait_ready(self.stream, Interest::Readable, self.silence_max_us)? {
                        return Err(self.fail(ErrorKind::TimedOut));
                    }
                }
                // A reset is the client's going away, however it looks on the wire.
                Err(_) => return Err(self.fail(ErrorKind::UnexpectedEof)),
            }
        }
    }
}

impl DeclaredBody for RequestBody<'_> {
    fn length(&self) -> u64 {
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
        let wanted = buffer.len().min(usize::try_from(self.remaining).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let count = if self.buffered.is_empty() {
            self.read_socket(&mut buffer[..wanted])?
        } else {
            let here = wanted.min(self.buffered.len());
            buffer[..here].copy_from_slice(&self.buffered[..here]);
            self.buffered = &self.buffered[here..];
            here
        };
        self.remaining -= count as u64;
        Ok(count)
    }
}
