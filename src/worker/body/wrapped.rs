//! Bodies that come wrapped, in chunks of HTTP or records of FastCGI: unwrapped as they are read. Worker only.

use std::io::{self, ErrorKind, Read};

use worker_protocol::http;
use worker_protocol::wire::BodyError;

use super::unwrapping::Unwrapping;
use super::{RequestBody, write_all};

/// Bytes read at once of a body that has to be unwrapped.
const WRAPPED_BYTES: usize = 16 * 1024;

/// Most attempts to find the end of a body behind its last byte.
const ENDING_READS_MAX: usize = 8;

/// What was found in the bytes that are here.
enum Unwrapped {
    Bytes(usize),
    Nothing,
    End,
}

impl RequestBody<'_> {
    /// Reads one chunk, as the client has cut them; empty at the end. `None`: not all of it is here, and `waits` is not
    /// set. Without chunks, the next one is what comes.
    ///
    /// # Errors
    /// As for [`Read`]; [`ErrorKind::FileTooLarge`] also for a chunk of more than `bytes_max`.
    pub fn read_chunk(&mut self, bytes_max: u64, waits: bool) -> io::Result<Option<Vec<u8>>> {
        let mut chunk =
            self.unwrapping.as_mut().map(|unwrapping| std::mem::take(&mut unwrapping.chunk)).unwrap_or_default();
        loop {
            let length = chunk.len();
            chunk.resize(length + WRAPPED_BYTES, 0);
            self.never_waits = !waits;
            let read = self.read(&mut chunk[length..]);
            self.never_waits = false;
            chunk.truncate(length + read.as_ref().copied().unwrap_or(0));
            if let (Err(error), Some(unwrapping)) = (&read, &mut self.unwrapping)
                && error.kind() == ErrorKind::WouldBlock
            {
                unwrapping.chunk = chunk;
                return Ok(None);
            }
            let left = self.unwrapped_left();
            if chunk.len() as u64 + left > bytes_max {
                return Err(self.fail(ErrorKind::FileTooLarge));
            }
            if read? == 0 || left == 0 {
                return Ok(Some(chunk));
            }
        }
    }

    /// Whether what says that it has ended is still to come after the last of its bytes. Takes what is here of that.
    pub(crate) fn lacks_end(&mut self) -> bool {
        let mut sink = [0; 64];
        self.never_waits = true;
        for _ in 0..ENDING_READS_MAX {
            let goes_on = self.awaits_end()
                && match self.unwrap_some(&mut sink) {
                    Ok(Unwrapped::Nothing) => self.read_more().is_ok(),
                    Ok(_) => true,
                    Err(_) => false,
                };
            if !goes_on {
                break;
            }
        }
        self.never_waits = false;
        !self.failed() && self.awaits_end()
    }

    fn awaits_end(&self) -> bool {
        self.unwrapping.as_ref().is_some_and(|unwrapping| unwrapping.wrapped.lacks_end())
    }

    /// Bytes that come next without anything between them.
    fn unwrapped_left(&self) -> u64 {
        self.unwrapping.as_ref().map_or(0, |unwrapping| unwrapping.wrapped.unwrapped_left())
    }

    /// Unwraps what is here, then what comes. 0 at the end.
    pub(super) fn read_wrapped(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.remaining).unwrap_or(usize::MAX));
        loop {
            match self.unwrap_some(&mut buffer[..wanted]) {
                Ok(Unwrapped::Bytes(count)) => return Ok(count),
                Ok(Unwrapped::End) => return self.end_wrapped(),
                Ok(Unwrapped::Nothing) => {}
                Err(error) => return Err(self.fail_wrapped(error)),
            }
            let direct = self.unwrapped_left().min(wanted as u64) as usize;
            if direct >= WRAPPED_BYTES {
                let count = self.read_socket(&mut buffer[..direct])?;
                if let Some(unwrapping) = &mut self.unwrapping {
                    unwrapping.wrapped.took(count);
                }
                return Ok(count);
            }
            self.read_more()?;
        }
    }

    /// Takes bytes out of what has been read already.
    fn unwrap_some(&mut self, buffer: &mut [u8]) -> Result<Unwrapped, BodyError> {
        let Some(Unwrapping { wrapped, read, at, .. }) = &mut self.unwrapping else { return Ok(Unwrapped::End) };
        let input = if self.buffered.is_empty() { &read[*at..] } else { self.buffered };
        let piece = wrapped.next(input, buffer.len())?;
        buffer[..piece.data.len()].copy_from_slice(piece.data);
        let (count, consumed, ended) = (piece.data.len(), piece.consumed, piece.ended);
        if self.buffered.is_empty() {
            *at += consumed;
        } else {
            self.buffered = &self.buffered[consumed..];
        }
        if let Some(replies) = wrapped.replies() {
            // A web server that does not read them will not read the answer either.
            let _ = write_all(self.stream, replies, self.silence_max_us);
            replies.clear();
        }
        Ok(match count {
            _ if ended => Unwrapped::End,
            0 => Unwrapped::Nothing,
            count => Unwrapped::Bytes(count),
        })
    }

    fn read_more(&mut self) -> io::Result<()> {
        if !self.buffered.is_empty() {
            return Ok(());
        }
        let Some(unwrapping) = &mut self.unwrapping else { return Ok(()) };
        let mut room = std::mem::take(&mut unwrapping.read);
        room.resize(WRAPPED_BYTES, 0);
        let read = self.read_socket(&mut room);
        room.truncate(*read.as_ref().unwrap_or(&0));
        if let Some(unwrapping) = &mut self.unwrapping {
            (unwrapping.read, unwrapping.at) = (room, 0);
        }
        read.map(drop)
    }

    /// The end has come: too early, if more was declared.
    fn end_wrapped(&mut self) -> io::Result<usize> {
        if self.length.is_some() && self.remaining > 0 {
            return Err(self.fail(ErrorKind::UnexpectedEof));
        }
        self.remaining = 0;
        Ok(0)
    }

    #[cold]
    fn fail_wrapped(&mut self, error: BodyError) -> io::Error {
        log::info!("a request body cannot be read on: {error}");
        let kind = match error {
            BodyError::Chunks(http::chunked::Error::BodyTooLarge) => ErrorKind::FileTooLarge,
            BodyError::Chunks(_) | BodyError::Records(_) => ErrorKind::InvalidData,
            BodyError::Aborted => ErrorKind::UnexpectedEof,
        };
        self.fail(kind)
    }
}
