//! Bodies that are files: sent by the kernel without a copy, one after another in the parts that the protocol has. Worker only.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;

use super::{NamedFile, Reply, State};

impl Reply<'_> {
    /// The same as [`Reply::send_file`] of what ends the body: a client that does not take all of it at once is left to others
    /// (`offload-threads`), if there are any.
    ///
    /// # Errors
    /// As for [`Reply::send_file`].
    pub fn send_last_file(&mut self, file: &impl AsFd, offset: u64, length: u64) -> io::Result<()> {
        self.is_last = self.left.is_none_or(|left| left <= length);
        let sent = self.send_file(file, offset, length);
        self.is_last = false;
        sent
    }

    /// The file that stands for the body, which is to be sent by [`Reply::send_named`].
    pub(crate) fn take_named(&mut self) -> Option<NamedFile> {
        self.named.take()
    }

    /// Sends a file that stands for the body.
    ///
    /// # Errors
    /// As for [`Reply::send_file`].
    pub(crate) fn send_named(&mut self, file: &impl AsFd, length: u64) -> io::Result<()> {
        if self.state == State::HeadReady && (self.body_allowed || self.manner.is_head) {
            self.tell_length(length);
        }
        self.send_last_file(file, 0, length)
    }

    /// Sends a part of a file without copying it. A file that ends early breaks the answer off.
    ///
    /// # Errors
    /// As for [`Reply::send`]; [`ErrorKind::UnexpectedEof`] when the file is shorter.
    pub fn send_file(&mut self, file: &impl AsFd, offset: u64, length: u64) -> io::Result<()> {
        if self.is_settled_otherwise(true) {
            return Ok(());
        }
        if self.state == State::Nothing {
            return Err(ErrorKind::InvalidInput.into());
        }
        let length = self.permitted(length);
        let is_copied = self.seen.watches_body || self.manner.answers.is_some_and(|answers| answers.copies_files);
        if is_copied && length > 0 {
            self.is_last = false;
            return self.copy_file(file, offset, length);
        }
        self.sent.by_sendfile = true;
        if length == 0 || self.state == State::Ended {
            return self.check();
        }
        let is_last = std::mem::take(&mut self.is_last);
        let mut position = offset;
        let mut left = length;
        while left > 0 {
            let part = self.wrapping.part_bytes(left);
            self.write_start(part)?;
            self.is_last = is_last;
            let sent = self.send_file_part(file, position, (part, left - part));
            self.is_last = false;
            sent?;
            if self.handed.is_some() {
                return Ok(());
            }
            self.write_parts([self.wrapping.end_of_part(), &[], &[]])?;
            position += part;
            left -= part;
        }
        Ok(())
    }
}
