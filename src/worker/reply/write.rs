//! The bytes of an answer on their way: what is written together, and what is waited for. Worker only.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::path::Path;

use super::transfer::Transfer;
use super::wrap::Last;
use super::{Reply, State};
use crate::sys::clock::monotonic_us;
use crate::sys::stream::read_at;
use crate::sys::wait::{Interest, wait_ready};
use crate::worker::offloading::Berth;

/// Up to here a piece is copied behind the head: that costs less than a second part in the system call.
const JOINED_BYTES_MAX: usize = 1_024;

/// Bytes of a file that are read at a time.
const COPIED_BYTES: usize = 64 * 1024;

/// The kernel's own bound for one `sendfile(2)`.
const SENDFILE_BYTES_MAX: usize = 0x7fff_f000;

/// What is left of the parts behind so many bytes.
fn beyond(parts: [&[u8]; 3], mut bytes: usize) -> [&[u8]; 3] {
    parts.map(|part| {
        let skipped = bytes.min(part.len());
        bytes -= skipped;
        &part[skipped..]
    })
}

impl Reply<'_> {
    /// Writes the head, if it is still here, and `piece`, in one system call if the socket takes them.
    #[inline(always)]
    pub(super) fn write_out(&mut self, piece: &[u8], last: Last) -> io::Result<()> {
        if self.seen.watches_body
            && let Some(onlooker) = self.manner.onlooker
        {
            onlooker.see_body(piece);
        }
        let mut rest = piece;
        let is_last = self.is_last;
        loop {
            let part = self.wrapping.part_bytes(rest.len() as u64) as usize;
            let (now, later) = rest.split_at(part);
            let last = if later.is_empty() { last } else { Last::No };
            self.is_last = is_last && later.is_empty();
            self.write_part(now, last)?;
            if later.is_empty() {
                return Ok(());
            }
            rest = later;
        }
    }

    #[inline(always)]
    fn write_part(&mut self, piece: &[u8], last: Last) -> io::Result<()> {
        let begun = self.begin_part(piece.len() as u64)?;
        let wrapping = self.wrapping;
        let end = wrapping.end_of_part_if(!piece.is_empty());
        let end_of_answer = if last == Last::Yes { wrapping.end_of_answer() } else { &[] };
        if last == Last::Yes {
            self.state = State::Ended;
        }
        let outcome = if begun && piece.len() <= JOINED_BYTES_MAX {
            self.head.extend_from_slice(piece);
            self.head.extend_from_slice(end);
            self.head.extend_from_slice(end_of_answer);
            self.is_final = last == Last::Yes && !self.persistent && self.manner.is_http();
            self.write_head_and([&[], &[]])
        } else if end_of_answer.is_empty() {
            self.write_head_and([piece, end])
        } else {
            self.write_head_and([piece, &[end, end_of_answer].concat()])
        };
        outcome?;
        self.account(piece.len() as u64);
        Ok(())
    }

    /// Writes the head, if it is still here, and what comes before a part of so many bytes.
    pub(super) fn write_start(&mut self, part: u64) -> io::Result<()> {
        self.begin_part(part)?;
        self.write_head_and([&[], &[]])
    }

    /// Puts what comes before a part of so many bytes into the buffer, behind the head if that is still here. False:
    /// there is nothing in it.
    #[inline(always)]
    fn begin_part(&mut self, bytes: u64) -> io::Result<bool> {
        self.check()?;
        if self.state == State::HeadReady {
            self.seal();
            self.claim()?;
        } else {
            self.head.clear();
            self.wrapping.begin(self.head);
        }
        self.state = State::Sending;
        self.wrapping.begin_part(self.head, bytes);
        Ok(!self.head.is_empty())
    }

    /// Makes the answer this thread's, unless the request is over its time and has had another one.
    fn claim(&mut self) -> io::Result<()> {
        let shows_end = !self.body_allowed || self.left.is_some() || self.wrapping.tells_end();
        if self.manner.claim.is_none_or(|claim| claim.begin_answer(shows_end)) {
            return Ok(());
        }
        self.state = State::Broken;
        Err(ErrorKind::BrokenPipe.into())
    }

    /// Completes the head.
    #[inline(always)]
    pub(super) fn seal(&mut self) {
        let (mut paused, said) = self.ready;
        let ending = self.manner.seal(self.head, &mut paused, self.sent.status, self.left, said);
        let written = paused.finish(self.head);
        (self.sent.headers_count, self.sent.head_bytes) = (written.headers_count, written.head_bytes);
        self.persistent = ending.persistent;
        self.wrapping.seal(ending.chunked);
    }

    #[inline(always)]
    fn write_head_and(&mut self, parts: [&[u8]; 2]) -> io::Result<()> {
        // What is written must not change meanwhile, and waiting changes only what is noted of it.
        let head = std::mem::take(self.head);
        let outcome = self.write_parts([&head, parts[0], parts[1]]);
        *self.head = head;
        outcome
    }

    pub(super) fn write_parts(&mut self, parts: [&[u8]; 3]) -> io::Result<()> {
        let mut done = 0;
        let total: usize = parts.iter().map(|part| part.len()).sum();
        while done < total {
            let left = if done == 0 { parts } else { beyond(parts, done) };
            let written = match left {
                [all, [], []] if self.is_final => self.stream.write_last(all),
                _ => self.stream.write_parts(left),
            };
            match written {
                Ok(count) => done += count,
                Err(error) if self.hands_over(&error, |berth, room| Transfer::of_bytes(left, room, berth)) => break,
                Err(error) => self.recover(error)?,
            }
        }
        Ok(())
    }

    /// Leaves what is left of the answer to others, if it is the end of it, the client takes no more of it for now, and there
    /// are any with room for it.
    fn hands_over(&mut self, error: &io::Error, rest: impl FnOnce(Berth, &Path) -> io::Result<Transfer>) -> bool {
        if error.kind() != ErrorKind::WouldBlock || !self.is_last || self.state == State::Broken {
            return false;
        }
        let Some(berths) = self.manner.berths else { return false };
        if self.manner.claim.is_some_and(|claim| claim.is_struck()) {
            return false;
        }
        // Where there is no room for it, this thread sends it.
        let rest = berths.book().and_then(|berth| rest(berth, berths.room()).ok());
        self.handed = rest.map(Box::new);
        if self.handed.is_some() {
            // As far as this thread is concerned.
            self.state = State::Ended;
            (self.sent.by_offload, self.sent.by_sendfile) = (true, false);
        }
        self.handed.is_some()
    }

    /// Waits for room if that is what is missing; any other error ends the answer.
    pub(super) fn recover(&mut self, error: io::Error) -> io::Result<()> {
        let is_over = self.manner.claim.is_some_and(|claim| claim.is_struck());
        let kind = match error.kind() {
            ErrorKind::WouldBlock if is_over => ErrorKind::BrokenPipe,
            ErrorKind::WouldBlock => {
                let since_us = monotonic_us();
                let waited = wait_ready(self.stream, Interest::Writable, self.silence_max_us);
                self.sent.waited_us += monotonic_us().saturating_sub(since_us);
                match waited {
                    Ok(true) => return Ok(()),
                    Ok(false) => ErrorKind::TimedOut,
                    Err(_) => ErrorKind::BrokenPipe,
                }
            }
            _ => ErrorKind::BrokenPipe,
        };
        self.state = State::Broken;
        self.sent.write_failed = !is_over;
        Err(kind.into())
    }

    /// Reads a part of a file and sends what was read, piece by piece (`disable-sendfile`).
    pub(super) fn copy_file(&mut self, file: &impl AsFd, offset: u64, length: u64) -> io::Result<()> {
        let mut piece = vec![0; COPIED_BYTES];
        let (mut position, end) = (offset, offset + length);
        while position < end {
            let wanted = (end - position).min(COPIED_BYTES as u64) as usize;
            let count = read_at(file, &mut piece[..wanted], position)?;
            if count == 0 {
                self.state = State::Broken;
                return Err(ErrorKind::UnexpectedEof.into());
            }
            self.send(&piece[..count])?;
            position += count as u64;
        }
        Ok(())
    }

    /// Sends what the kernel takes of a file, until all of it is sent.
    /// `behind`: bytes of the same that come in further parts.
    pub(super) fn send_file_part(
        &mut self,
        file: &impl AsFd,
        offset: u64,
        (length, behind): (u64, u64),
    ) -> io::Result<()> {
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
                Err(error) => {
                    let (wrapping, rest) = (self.wrapping, (end - position, behind));
                    if self.hands_over(&error, |berth, _| Transfer::of_file(file, position, rest, wrapping, berth)) {
                        self.account(rest.0 + rest.1);
                        return Ok(());
                    }
                    self.recover(error)?;
                }
            }
        }
        Ok(())
    }
}
