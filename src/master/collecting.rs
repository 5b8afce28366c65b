//! The master's side of the collector (`crate::collector`): it begins one where the configuration wants lines to go elsewhere
//! than to the log, another one when that has ended, and lets it settle before the instance ends. Master only.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::machine::ProcessId;
use crate::collector::{self, Boxes, Order, SETTLE, SETTLED};
use crate::config::model::{LogPlace, Logging};
use crate::sys::clock::monotonic_us;
use crate::sys::mailbox::{Mailbox, Posted};
use crate::sys::pipe;
use crate::sys::process::redirect_output;
use crate::sys::spawn::fork_companion;

/// Least time between two beginnings.
const BETWEEN_US: u64 = 1_000_000;

/// How long the end of an instance waits for its last lines.
const SETTLE_WITHIN: Duration = Duration::from_secs(2);

/// A collector, and the pipe to it.
#[derive(Debug)]
pub(super) struct Collecting {
    process: Option<(ProcessId, UnixStream)>,
    begun_us: u64,
    /// Kept, so that nobody's lines have nowhere to go while there is no collector.
    reading: OwnedFd,
    writing: File,
    /// Where the log would be without it.
    beneath: File,
    /// Alarms for it, and what it wants the master to do; whether the event loop wakes up for that.
    boxes: Boxes,
    is_heard: bool,
    /// Alarms that it could not be told of since the last one that it was.
    lost_alarms: u64,
}

impl Collecting {
    /// Begins one. Nothing is written to it until somebody's standard error is its pipe.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn begin(logging: &Logging, beneath: File) -> io::Result<Self> {
        let (reading, writing) = pipe::roomy()?;
        let boxes = Boxes { calls: Mailbox::new(None)?, orders: Mailbox::new(None)? };
        let writing = writing.into();
        let mut new =
            Self { process: None, begun_us: 0, reading, writing, beneath, boxes, is_heard: false, lost_alarms: 0 };
        new.fork(logging)?;
        Ok(new)
    }

    /// The first one of an instance, if its configuration wants one: from here on it has what this process writes.
    ///
    /// # Errors
    /// What the system says; the log then stays where it is.
    pub(super) fn start(logging: &Logging) -> io::Result<Option<Self>> {
        if !logging.is_collected() {
            return Ok(None);
        }
        let new = Self::begin(logging, own_log()?)?;
        let says_it_anyway = logging.loggers.is_empty() || logging.loggers.iter().any(|one| one.to == LogPlace::Stdio);
        if !says_it_anyway {
            crate::logging::keep_starter(&new.beneath)?;
        }
        redirect_output(&new.writing)?;
        Ok(Some(new))
    }

    /// Begins one for the pipe that is there.
    fn fork(&mut self, logging: &Logging) -> io::Result<()> {
        let (ours, theirs) = UnixStream::pair()?;
        let (input, beneath) = (self.reading.try_clone()?, self.beneath.try_clone()?);
        let boxes = Boxes { calls: self.boxes.calls.try_clone()?, orders: self.boxes.orders.try_clone()? };
        let pid = fork_companion(|| match redirect_output(&beneath) {
            Ok(()) => collector::live(logging, input, theirs, boxes),
            Err(_) => 1,
        })?;
        (self.process, self.begun_us) = (Some((pid, ours)), monotonic_us());
        Ok(())
    }

    /// Raises alarms. One that cannot be told of now is not raised, and counted.
    pub(super) fn raise(&mut self, names: &[String], message: &str) {
        for name in names {
            let told = [name.as_bytes(), b"\t", message.as_bytes()].concat();
            match self.boxes.calls.post(&told) {
                Ok(Posted::Queued) => self.tell_lost(),
                Ok(Posted::Full | Posted::TooLong) | Err(_) => self.lost_alarms += 1,
            }
        }
    }

    fn tell_lost(&mut self) {
        let lost = std::mem::take(&mut self.lost_alarms);
        if lost > 0 {
            log::error!("{lost} alarms were not raised: too many came at once");
        }
    }

    /// What is readable while the collector wants something done, if the event loop does not wait for it yet.
    pub(super) fn unheard(&mut self) -> Option<BorrowedFd<'_>> {
        let is_new = !std::mem::replace(&mut self.is_heard, true);
        is_new.then(|| self.boxes.orders.outlet())
    }

    /// The next thing that the collector wants done.
    pub(super) fn take_order(&self) -> Option<Order> {
        std::iter::from_fn(|| self.boxes.orders.take().ok().flatten()).find_map(|bytes| Order::read(&bytes))
    }

    /// The end of the pipe to write to.
    pub(super) fn pipe(&self) -> &File {
        &self.writing
    }

    /// Where the log would be without it.
    pub(super) fn beneath(&self) -> &File {
        &self.beneath
    }

    /// Whether a process that has ended is it: then there is none.
    pub(super) fn takes_end_of(&mut self, pid: ProcessId) -> bool {
        let is_it = self.process.as_ref().is_some_and(|(own, _)| *own == pid);
        if is_it {
            self.process = None;
        }
        is_it
    }

    /// Begins the next one, if that is due.
    ///
    /// # Errors
    /// What the system says. It is tried again a little later.
    pub(super) fn go_on(&mut self, logging: &Logging) -> io::Result<()> {
        let now_us = monotonic_us();
        if self.due_us().is_none_or(|due_us| due_us > now_us) {
            return Ok(());
        }
        self.begun_us = now_us;
        self.fork(logging)
    }

    /// When the next one is to be begun, if there is none.
    pub(super) fn due_us(&self) -> Option<u64> {
        self.process.is_none().then(|| self.begun_us.saturating_add(BETWEEN_US))
    }

    /// Goes back to where the log was, and waits for a moment until all lines are where they belong.
    pub(super) fn finish(self) {
        if redirect_output(&self.beneath).is_err() {
            return;
        }
        let Some((_, mut control)) = self.process else { return };
        drop((self.writing, self.reading));
        let mut answer = [0; SETTLED.len()];
        let asked = control.set_read_timeout(Some(SETTLE_WITHIN)).and_then(|()| control.write_all(SETTLE));
        if asked.and_then(|()| control.read_exact(&mut answer)).is_err() {
            log::warn!("the last lines of the log may be missing at their places: the collector does not answer");
        }
    }
}

/// Standard error as it is now, under a number of its own.
///
/// # Errors
/// What the system says.
pub(super) fn own_log() -> io::Result<File> {
    Ok(io::stderr().as_fd().try_clone_to_owned()?.into())
}
