//! The words of the memory that a master and its workers share: where they are, what they pack, who writes them.
//!
//! Pure: it works on a slice of [`AtomicU64`] that `sys` maps; it maps nothing, reads no clock (times are arguments,
//! microseconds of the monotonic clock) and wakes nobody. Used in the master ([`Scoreboard::create`]) and in each
//! worker ([`Scoreboard::attach`]). Lines are 64 bytes, so that no two writers share a cache line:
//!
//! | line | written by | words |
//! | --- | --- | --- |
//! | 0, header | the master, before the first fork | magic and version, seats, threads, words of a seat |
//! | 1, capacity | everyone, read-modify-write only | [`Capacity`]'s word |
//! | then for each seat: master | the master | order and life |
//! | … worker | the worker | life, flags, boot time, memory, process id, number |
//! | … one for each thread (core) | that thread | state, requests, exceptions, running time, bytes, wait, mean, errors |
//!
//! # Who writes, and in what order
//!
//! Each word has one writer, except the capacity word, which is only changed by single atomic operations. What must be
//! read together is one word: a core's state and the start of its request; an order and the life it is meant for.
//! Counters and figures are `Relaxed`: each stands alone. Words that announce something (state, life, order) are
//! stored with `Release` and loaded with `Acquire`, so that who sees them sees what was written before.
//!
//! # The counter of busy cores and its correction
//!
//! A core begins a request by *entering* (state word), adding itself to the counter, and being *busy* (state word); it
//! ends by *leaving*, subtracting itself, and being *idle*. A worker killed in between leaves the counter too high, for
//! the dead do not subtract. [`Scoreboard::resync`] counts the busy cores of the living and puts the sum into the
//! counter by compare-and-swap against the value it read before counting. Every change of the counter also counts a
//! sequence number up, so any change during the count makes the swap fail; and a core seen entering or leaving, whose
//! addition may or may not be in that value, makes the count start over. Why that is enough: an addition that precedes
//! the first read of the counter (`Acquire`, the addition is `AcqRel`) makes *entering* visible, so the core is counted
//! or the attempt dropped; and a core seen *busy* or *idle* (`Acquire`) has its addition or subtraction behind it, so
//! either the first read had it or the swap fails.

mod capacity;
mod seat;

use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;

pub use self::capacity::{Armed, CORES_MAX, Capacity};
pub use self::seat::{Core, CoreState, LIFE_MAX, MasterSeat, Order, Presence, Served, WorkerFigures, WorkerSeat};
use crate::control::Seat;

/// `RHSB` in the upper half of the first word, the version of this layout in the lower.
pub const MAGIC: u64 = 0x5248_5342_0000_0001;
/// Words of a line of 64 bytes.
pub const LINE_WORDS: usize = 8;
/// Most seats: as many as there can be process ids on a usual Linux.
pub const SEATS_MAX: u32 = 32_768;
/// Most threads of a worker.
pub const THREADS_MAX: u32 = 1_024;

/// How often [`Scoreboard::resync`] counts before it gives up.
pub const RESYNC_ATTEMPTS_MAX: usize = 16;

const WORD_BYTES: usize = 8;
const GLOBAL_LINES: usize = 2;
const CAPACITY_WORD: usize = LINE_WORDS;
/// Lines of a seat before its cores: the master's and the worker's.
const SEAT_HEAD_LINES: usize = 2;

/// How big a scoreboard is and where its parts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    seats: u32,
    threads: u32,
}

/// Why there can be no such scoreboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Error {
    /// No seats, no threads, or too many.
    #[error(
        "no scoreboard for {seats} workers of {threads} threads: at least 1 each, at most {SEATS_MAX} workers, \
         {THREADS_MAX} threads and {CORES_MAX} threads altogether"
    )]
    Size {
        /// Seats asked for.
        seats: u32,
        /// Threads asked for.
        threads: u32,
    },
    /// The memory does not begin like a scoreboard of this version.
    #[error("shared memory begins with {found:#018x}, which is no scoreboard of this version")]
    Magic {
        /// The first word.
        found: u64,
    },
    /// The memory is smaller than its layout.
    #[error("shared memory of {words} words is smaller than the {needed} of its scoreboard")]
    TooSmall {
        /// Words there are.
        words: usize,
        /// Words there should be.
        needed: usize,
    },
}

impl Layout {
    /// Refuses 0 and what the limits of this module exclude.
    pub fn new(seats: u32, threads: u32) -> Result<Layout, Error> {
        let in_range = (1..=SEATS_MAX).contains(&seats) && (1..=THREADS_MAX).contains(&threads);
        if !in_range || seats * threads > CORES_MAX {
            return Err(Error::Size { seats, threads });
        }
        Ok(Layout { seats, threads })
    }

    /// Number of seats.
    pub fn seats(&self) -> u32 {
        self.seats
    }

    /// Threads, and so cores, of each worker.
    pub fn threads(&self) -> u32 {
        self.threads
    }

    /// Words of the whole memory.
    pub fn words(&self) -> usize {
        GLOBAL_LINES * LINE_WORDS + self.seats as usize * self.seat_words()
    }

    /// Bytes of the whole memory.
    pub fn bytes(&self) -> usize {
        self.words() * WORD_BYTES
    }

    /// Bytes from one seat to the next, a multiple of 64.
    pub fn seat_stride_bytes(&self) -> usize {
        self.seat_words() * WORD_BYTES
    }

    /// Byte offset of a seat's first line, the master's; `None` beyond the last seat.
    pub fn seat_offset_bytes(&self, seat: Seat) -> Option<usize> {
        self.seat_start(seat).map(|start| start * WORD_BYTES)
    }

    fn seat_words(&self) -> usize {
        (SEAT_HEAD_LINES + self.threads as usize) * LINE_WORDS
    }

    fn seat_start(&self, seat: Seat) -> Option<usize> {
        (seat.0 < self.seats).then(|| GLOBAL_LINES * LINE_WORDS + seat.0 as usize * self.seat_words())
    }
}

/// The whole memory. Cheap to copy; all views borrow the same words.
#[derive(Debug, Clone, Copy)]
pub struct Scoreboard<'a> {
    layout: Layout,
    words: &'a [AtomicU64],
}

impl<'a> Scoreboard<'a> {
    /// Master: writes the header into fresh memory, which must be all zero.
    pub fn create(words: &'a [AtomicU64], layout: Layout) -> Result<Scoreboard<'a>, Error> {
        let board = Scoreboard::fit(words, layout)?;
        let header = [u64::from(layout.seats), u64::from(layout.threads), layout.seat_words() as u64];
        for (word, value) in words[1..].iter().zip(header) {
            word.store(value, Ordering::Relaxed);
        }
        words[0].store(MAGIC, Ordering::Release);
        Ok(board)
    }

    /// Worker: finds the layout in the header.
    pub fn attach(words: &'a [AtomicU64]) -> Result<Scoreboard<'a>, Error> {
        let word = |index: usize| words.get(index).map_or(0, |word| word.load(Ordering::Acquire));
        if word(0) != MAGIC {
            return Err(Error::Magic { found: word(0) });
        }
        let narrow = |wide: u64| u32::try_from(wide).unwrap_or(u32::MAX);
        Scoreboard::fit(words, Layout::new(narrow(word(1)), narrow(word(2)))?)
    }

    fn fit(words: &'a [AtomicU64], layout: Layout) -> Result<Scoreboard<'a>, Error> {
        let needed = layout.words();
        if words.len() < needed {
            return Err(Error::TooSmall { words: words.len(), needed });
        }
        Ok(Scoreboard { layout, words })
    }

    /// How the memory is laid out.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The counter of busy cores, and the master's wish to be woken.
    pub fn capacity(&self) -> Capacity<'a> {
        Capacity { word: &self.words[CAPACITY_WORD] }
    }

    /// The worker's side of a seat; `None` beyond the last one.
    pub fn worker(&self, seat: Seat) -> Option<WorkerSeat<'a>> {
        Some(WorkerSeat { words: self.seat(seat)?, capacity: self.capacity() })
    }

    /// The master's side of a seat; `None` beyond the last one.
    pub fn master(&self, seat: Seat) -> Option<MasterSeat<'a>> {
        Some(MasterSeat { words: self.seat(seat)? })
    }

    fn seat(&self, seat: Seat) -> Option<&'a [AtomicU64]> {
        let start = self.layout.seat_start(seat)?;
        self.words.get(start..start + self.layout.seat_words())
    }

    /// Master: corrects the counter of busy cores after a death, as the module's page explains. `living` are the seats
    /// of workers that run, with their lives; it is gone over once for each attempt.
    ///
    /// The number of busy cores, or `None` when in [`RESYNC_ATTEMPTS_MAX`] attempts some core was always just beginning
    /// or ending: ask again later.
    pub fn resync(&self, living: impl Iterator<Item = (Seat, u64)> + Clone) -> Option<u32> {
        (0..RESYNC_ATTEMPTS_MAX).find_map(|_| self.try_resync(living.clone()))
    }

    fn try_resync(&self, mut living: impl Iterator<Item = (Seat, u64)>) -> Option<u32> {
        let capacity = self.capacity();
        let before = capacity.word.load(Ordering::Acquire);
        let busy = living.try_fold(0, |sum: u32, (seat, life)| {
            let cores = self.master(seat).map_or(Some(0), |seat| seat.busy_settled(life))?;
            sum.checked_add(cores).filter(|&sum| sum <= CORES_MAX)
        })?;
        capacity.replace_busy(before, busy).then_some(busy)
    }
}
