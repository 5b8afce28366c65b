//! Where the bytes of a client come from, as far as nothing is taken off them: what came with a header of the PROXY protocol,
//! then the connection, which is only asked when there may be something. Router only.

use std::io::{self, ErrorKind};

use crate::sys::stream::Stream;

/// Where bytes come from: what came before, then the connection.
pub(super) struct Source<'s> {
    pub(super) before: &'s mut Vec<u8>,
    pub(super) stream: &'s Stream,
    /// Whether there may be something to be read on the connection.
    pub(super) readable: &'s mut bool,
}

impl Source<'_> {
    /// Reads what is there; 0 at the end, `WouldBlock` when there is nothing.
    pub(super) fn take(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.before.is_empty() {
            let count = self.before.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.before[..count]);
            self.before.drain(..count);
            // Asked for more there may be some.
            *self.readable = true;
            return Ok(count);
        }
        if !*self.readable {
            return Err(ErrorKind::WouldBlock.into());
        }
        let taken = self.stream.read(buffer);
        *self.readable = !matches!(&taken, Err(error) if error.kind() == ErrorKind::WouldBlock);
        taken
    }
}

impl io::Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.take(buffer)
    }
}
