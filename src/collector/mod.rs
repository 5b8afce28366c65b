//! The collector: a process of its own that takes every line of the log from a pipe, which is the standard error of everybody
//! else, and says where it goes (`logger`, `log-encoder`, `log-filter` and their kin). The master begins it and begins it
//! again; it ends when nobody is left who could write. It raises alarms, too (`desk`). `lines`, `messages`, `sieve` and `alarms`
//! decide; the places are those of `log_places`.
//!
//! It waits for no place, so that the pipe is empty again in a moment and nobody waits for it.

mod alarms;
mod commands;
mod desk;
mod lines;
mod messages;
mod order;
mod sieve;

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::config::model::Logging;
use crate::sys::clock::monotonic_us;
use crate::sys::mailbox::Mailbox;
use crate::sys::process::{close_all_but, set_name};

use self::desk::Desk;
use self::lines::Lines;
use self::messages::Messages;
pub(crate) use self::order::Order;

/// What the master says when it is about to end: everything that has been written by then is to be where it belongs.
pub(crate) const SETTLE: &[u8] = b"s";

/// What the collector answers when it is.
pub(crate) const SETTLED: &[u8] = b"S";

/// How long it waits for what takes its time (commands) when it settles or ends.
const PATIENCE_US: u64 = 1_000_000;

/// How long it waits at most while commands of alarms run, whose ends nothing tells of.
const COMMANDS_MS: u16 = 1_000;

/// Most alarms that it takes before it looks at everything else.
const CALLS_MAX: usize = 256;

/// Most it reads before it looks at everything else.
const READS_MAX: usize = 64;

/// How long it waits for the rest of a traceback that is printed line by line.
const REST_MS: u16 = 200;

struct Collector {
    input: File,
    lines: Lines,
    messages: Messages,
    desk: Desk,
    /// Alarms that the master raises.
    calls: Mailbox,
}

/// The mailboxes between master and collector.
#[derive(Debug)]
pub(crate) struct Boxes {
    /// Alarms that the master raises: a name, a tab, a message.
    pub(crate) calls: Mailbox,
    /// What the collector has the master do ([`Order`]).
    pub(crate) orders: Mailbox,
}

/// What came of reading.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    /// There is nothing more for now.
    Nothing,
    /// There may be more.
    Something,
    /// Nobody is left who could write.
    End,
}

/// The life of the collector; returns its exit code. Standard error is where the log was before there were places.
pub(crate) fn live(logging: &Logging, input: OwnedFd, control: UnixStream, boxes: Boxes) -> i32 {
    set_name("rhinod logger");
    crate::logging::forget_way();
    let Boxes { calls, orders } = boxes;
    close_all_but(&[&[input.as_fd(), control.as_fd()][..], &calls.ends(), &orders.ends()].concat());
    crate::logging::wait_for_nobody();
    let mut collector = Collector {
        input: input.into(),
        lines: Lines::default(),
        messages: Messages::default(),
        desk: Desk::of(logging, orders),
        calls,
    };
    // A control socket that cannot be read without waiting is not listened to.
    let mut control = control.set_nonblocking(true).ok().map(|()| control);
    while collector.wait(control.as_ref()) {
        if collector.read() == Came::End {
            break;
        }
        collector.answer_calls();
        collector.desk.go_on();
        control = control.and_then(|control| collector.hear(control));
    }
    collector.end();
    0
}

impl Collector {
    /// Waits until something comes, or a place takes more, or the rest of a traceback has not come in time. False when waiting
    /// is impossible.
    fn wait(&mut self, control: Option<&UnixStream>) -> bool {
        let ears = [Some(self.input.as_fd()), Some(self.calls.outlet()), control.map(AsFd::as_fd)];
        let readable = ears.into_iter().flatten().map(|one| PollFd::new(one, PollFlags::POLLIN));
        let writable = self.desk.places.waiting().map(|one| PollFd::new(one, PollFlags::POLLOUT));
        let mut all: Vec<PollFd<'_>> = readable.chain(writable).collect();
        let timeout = match (self.messages.is_open(), self.desk.runs_commands()) {
            (true, _) => PollTimeout::from(REST_MS),
            (false, true) => PollTimeout::from(COMMANDS_MS),
            (false, false) => PollTimeout::NONE,
        };
        let waited = poll(&mut all, timeout);
        if waited == Ok(0) {
            let Self { messages, desk, .. } = self;
            messages.finish(|message| desk.take(message));
        }
        matches!(waited, Ok(_) | Err(Errno::EINTR))
    }

    /// Takes in lines, as many as are there but not for ever.
    fn read(&mut self) -> Came {
        let mut bytes = [0; 64 * 1_024];
        for _ in 0..READS_MAX {
            let Self { input, lines, messages, desk, .. } = self;
            let mut take = |message: &str| desk.take(message);
            match input.read(&mut bytes) {
                Ok(0) => return Came::End,
                Ok(count) => lines.take(&bytes[..count], |line| messages.take(line, &mut take)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    messages.pause(take);
                    return Came::Nothing;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    log::error!("the log cannot be read any more: {error}");
                    return Came::End;
                }
            }
        }
        Came::Something
    }

    /// Hears the master, and answers. `None` when it is gone.
    fn hear(&mut self, mut control: UnixStream) -> Option<UnixStream> {
        let mut said = [0; 16];
        match control.read(&mut said) {
            Ok(0) => None,
            Ok(_) => {
                self.settle();
                // One that has not waited for the answer needs none.
                let _ = control.write_all(SETTLED);
                Some(control)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Some(control),
            Err(_) => None,
        }
    }

    /// Raises the alarms that the master calls.
    fn answer_calls(&mut self) {
        for _ in 0..CALLS_MAX {
            let Some(call) = self.calls.take().ok().flatten() else { return };
            let call = String::from_utf8_lossy(&call);
            let (name, message) = call.split_once('\t').unwrap_or((&call, ""));
            self.desk.call(name, message);
        }
    }

    /// Brings everything that has been written where it belongs.
    fn settle(&mut self) {
        while self.read() == Came::Something {}
        let Self { messages, desk, .. } = self;
        messages.finish(|message| desk.take(message));
        let give_up_us = monotonic_us().saturating_add(PATIENCE_US);
        while self.desk.places.waiting().next().is_some() && self.wait_for_places(give_up_us) {
            self.desk.places.go_on();
        }
    }

    /// Nobody writes any more: the last line, and the ends of commands.
    fn end(&mut self) {
        let Self { lines, messages, desk, .. } = self;
        let mut take = |message: &str| desk.take(message);
        lines.finish(|line| messages.take(line, &mut take));
        messages.finish(take);
        let give_up_us = monotonic_us().saturating_add(PATIENCE_US);
        while !self.desk.places.finish() && self.wait_for_places(give_up_us) {}
    }

    /// Waits a little for places to take more, or for commands to end. False when the time is over.
    fn wait_for_places(&self, give_up_us: u64) -> bool {
        const LOOK_MS: u16 = 10;
        let mut all: Vec<_> = self.desk.places.waiting().map(|one| PollFd::new(one, PollFlags::POLLOUT)).collect();
        let _ = poll(&mut all, PollTimeout::from(LOOK_MS));
        monotonic_us() < give_up_us
    }
}
