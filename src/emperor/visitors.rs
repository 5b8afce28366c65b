//! Who is being told of the vassals, and how far each has come. Nothing here waits. Emperor only.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, RawFd};

use crate::sys::stream::Stream;

/// Most who are told at the same time, and how long each may take.
const VISITORS_MAX: usize = 16;
const VISIT_US: u64 = 10_000_000;

/// One who has not taken all of it yet.
struct Visitor {
    stream: Stream,
    document: Vec<u8>,
    taken: usize,
    until_us: u64,
}

/// All of them, in the order in which they came.
#[derive(Default)]
pub(super) struct Visitors {
    inside: BTreeMap<u32, Visitor>,
    next: u32,
}

impl Visitor {
    /// Whether it has taken all, or is gone.
    fn go_on(&mut self) -> io::Result<bool> {
        while self.taken < self.document.len() {
            match self.stream.write(&self.document[self.taken..]) {
                Ok(0) => return Ok(true),
                Ok(count) => self.taken += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

impl Visitors {
    /// Tells one, who came just now. With a number, if it takes the rest later: what is to be watched for that.
    pub(super) fn tell(&mut self, stream: Stream, document: Vec<u8>, now_us: u64) -> Option<(u32, RawFd)> {
        let mut visitor = Visitor { stream, document, taken: 0, until_us: now_us.saturating_add(VISIT_US) };
        if visitor.go_on().unwrap_or(true) {
            return None;
        }
        if self.inside.len() >= VISITORS_MAX {
            self.inside.pop_first();
        }
        let (number, raw) = (self.next, visitor.stream.as_fd().as_raw_fd());
        self.next = number.wrapping_add(1);
        self.inside.insert(number, visitor);
        Some((number, raw))
    }

    /// When the first one has had time enough.
    pub(super) fn due_us(&self) -> Option<u64> {
        self.inside.values().next().map(|visitor| visitor.until_us)
    }

    /// Hangs up on those whose time is over.
    pub(super) fn drop_late(&mut self, now_us: u64) {
        while self.due_us().is_some_and(|due_us| due_us <= now_us) {
            self.inside.pop_first();
        }
    }

    /// One has room for more.
    pub(super) fn go_on(&mut self, number: u32) {
        if self.inside.get_mut(&number).is_some_and(|visitor| visitor.go_on().unwrap_or(true)) {
            self.inside.remove(&number);
        }
    }
}
