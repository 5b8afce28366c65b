//! What the words of a seat hold, packed and unpacked, and where in the seat each one is.

use std::sync::atomic::AtomicU64;

use super::layout::{CORE_LINES, LINE_WORDS, SEAT_HEAD_LINES};
use crate::ids::Life;

/// What the master wants of the worker in a seat. It repeats what the control socket says, for the accept loop to see
/// without a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeatOrder {
    /// Accept.
    Run,
    /// Accept no more for now.
    Pause,
    /// Accept no more, finish, leave.
    Retire,
}

/// Words of two parts hold a number of two bits above what it is about.
const KIND_SHIFT: u32 = 62;
const PAYLOAD_MASK: u64 = Life::MAX.0;

impl SeatOrder {
    pub(super) fn pack(self, life: Life) -> u64 {
        let number = match self {
            SeatOrder::Run => 0,
            SeatOrder::Pause => 1,
            SeatOrder::Retire => 2,
        };
        number << KIND_SHIFT | life.0 & PAYLOAD_MASK
    }

    pub(super) fn unpack(word: u64) -> (SeatOrder, Life) {
        let order = match word >> KIND_SHIFT {
            0 => SeatOrder::Run,
            1 => SeatOrder::Pause,
            _ => SeatOrder::Retire,
        };
        (order, Life(word & PAYLOAD_MASK))
    }
}

/// What a core is doing, and since when: one word, kind in bits 62 and 63, microseconds below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoreState {
    /// Waits for a request.
    Idle,
    /// Begins a request; its addition to the busy count is under way.
    Entering {
        /// Monotonic time.
        since_us: u64,
    },
    /// Holds a request.
    Busy {
        /// Monotonic time.
        since_us: u64,
    },
    /// Ends a request; its subtraction from the busy count is under way.
    Leaving {
        /// Monotonic time of the request's start.
        since_us: u64,
    },
}

impl CoreState {
    /// When the request began; `None` when idle.
    pub fn since_us(self) -> Option<u64> {
        match self {
            CoreState::Idle => None,
            CoreState::Entering { since_us } | CoreState::Busy { since_us } | CoreState::Leaving { since_us } => {
                Some(since_us)
            }
        }
    }

    pub(super) fn pack(self) -> u64 {
        let number = match self {
            CoreState::Idle => 0,
            CoreState::Entering { .. } => 1,
            CoreState::Busy { .. } => 2,
            CoreState::Leaving { .. } => 3,
        };
        number << KIND_SHIFT | self.since_us().unwrap_or(0) & PAYLOAD_MASK
    }

    pub(super) fn unpack(word: u64) -> CoreState {
        let since_us = word & PAYLOAD_MASK;
        match word >> KIND_SHIFT {
            0 => CoreState::Idle,
            1 => CoreState::Entering { since_us },
            2 => CoreState::Busy { since_us },
            _ => CoreState::Leaving { since_us },
        }
    }
}

/// Words of the master's line.
pub(super) mod master_line {
    pub(in super::super) const ORDER: usize = 0;
}

/// Words of the worker's line, counted from the seat's start.
pub(super) mod worker_line {
    use super::super::layout::LINE_WORDS;
    pub(in super::super) const LIFE: usize = LINE_WORDS;
    pub(in super::super) const FLAGS: usize = LINE_WORDS + 1;
    pub(in super::super) const BOOT_US: usize = LINE_WORDS + 2;
    pub(in super::super) const RSS_BYTES: usize = LINE_WORDS + 3;
    pub(in super::super) const VSZ_BYTES: usize = LINE_WORDS + 4;
    pub(in super::super) const PROCESS: usize = LINE_WORDS + 5;
    pub(in super::super) const NUMBER: usize = LINE_WORDS + 6;
    pub(in super::super) const LOOK_DUE_US: usize = LINE_WORDS + 7;
}

/// Words of a core's lines, counted from the first one's start.
pub(super) mod core_line {
    use super::super::histogram::BUCKETS;
    use super::super::layout::LINE_WORDS;

    pub(in super::super) const STATE: usize = 0;
    pub(in super::super) const REQUESTS: usize = 1;
    pub(in super::super) const EXCEPTIONS: usize = 2;
    pub(in super::super) const RUNNING_US: usize = 3;
    pub(in super::super) const SENT_BYTES: usize = 4;
    pub(in super::super) const LAST_WAIT_US: usize = 5;
    pub(in super::super) const AVERAGE_US: usize = 6;
    pub(in super::super) const IO_ERRORS: usize = 7;
    /// As many words as there are buckets.
    pub(in super::super) const DURATIONS: usize = LINE_WORDS;
    /// The same.
    pub(in super::super) const WAITS: usize = DURATIONS + BUCKETS;
    pub(in super::super) const WAITED_US: usize = WAITS + BUCKETS;
    pub(in super::super) const STATIC_REQUESTS: usize = WAITED_US + 1;
    pub(in super::super) const FAILURES: usize = STATIC_REQUESTS + 1;
    pub(in super::super) const OFFLOADED_REQUESTS: usize = FAILURES + 1;
    /// Of the process, in the lines of its first core.
    pub(in super::super) const SIGNALS: usize = OFFLOADED_REQUESTS + 1;
    /// The same; one more than the number.
    pub(in super::super) const SIGNAL_UNDER_WAY: usize = SIGNALS + 1;
}

/// Words of a mule or a spooler process, in the lines of its first core: in the place of requests that have waited, of which
/// it has none.
pub(super) mod task_line {
    use super::core_line::WAITS;

    pub(in super::super) const DONE: usize = WAITS;
    pub(in super::super) const FAILED: usize = WAITS + 1;
    pub(in super::super) const SINCE_US: usize = WAITS + 2;
    pub(in super::super) const WAITING: usize = WAITS + 3;
}

const FLAG_ACCEPTING: u64 = 1;
const FLAG_LEAVING: u64 = 2;

/// Whether a worker takes requests, as it says itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Not yet, or paused.
    NotAccepting,
    /// Yes.
    Accepting,
    /// No more: it finishes what it holds and leaves.
    Leaving,
}

impl Presence {
    pub(super) fn flags(self) -> u64 {
        match self {
            Presence::NotAccepting => 0,
            Presence::Accepting => FLAG_ACCEPTING,
            Presence::Leaving => FLAG_LEAVING,
        }
    }

    pub(super) fn from_flags(flags: u64) -> Presence {
        match (flags & FLAG_LEAVING != 0, flags & FLAG_ACCEPTING != 0) {
            (true, _) => Presence::Leaving,
            (false, true) => Presence::Accepting,
            (false, false) => Presence::NotAccepting,
        }
    }
}

/// The lines of a core in the words of its seat; `None` beyond the last one.
pub(super) fn core_words(seat: &[AtomicU64], index: usize) -> Option<&[AtomicU64]> {
    let start = index.checked_mul(CORE_LINES)?.checked_add(SEAT_HEAD_LINES)?.checked_mul(LINE_WORDS)?;
    seat.get(start..start.checked_add(CORE_LINES * LINE_WORDS)?)
}

/// Errors of reading and of writing, which share a word.
pub(super) fn unpack_io_errors(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}
