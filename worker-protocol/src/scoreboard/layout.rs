//! How big a scoreboard is and where its parts are.

use std::ops::Range;

use thiserror::Error;

use super::capacity::CORES_MAX;
use crate::ids::Seat;

/// `RHSB` in the upper half of the first word, the version of this layout in the lower.
pub const MAGIC: u64 = 0x5248_5342_0000_0002;
/// Words of a line of 64 bytes.
pub const LINE_WORDS: usize = 8;
/// Most seats: as many as there can be process ids on a usual Linux.
pub const SEATS_MAX: u32 = 32_768;
/// Most threads of a worker.
pub const THREADS_MAX: u32 = 1_024;

const WORD_BYTES: usize = 8;
const GLOBAL_LINES: usize = 2;
pub(super) const CAPACITY_WORD: usize = LINE_WORDS;
pub(super) const NOTICES_WORD: usize = LINE_WORDS + 1;
/// The first of the trial's words.
pub(super) const TRIAL_WORD: usize = LINE_WORDS + 2;
/// How many seats have ever been used; 0 where nobody says.
pub(super) const USED_WORD: usize = 4;
/// Lines of a seat before its cores: the master's and the worker's.
pub(super) const SEAT_HEAD_LINES: usize = 2;
/// Lines of a core: state and figures, two histograms, what else is counted.
pub(super) const CORE_LINES: usize = 6;
/// Words of the description of a core's request, the first of which is its header.
pub(super) const DESCRIPTION_WORDS: usize = 256;

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
        self.descriptions_start() + self.seats as usize * self.threads as usize * DESCRIPTION_WORDS
    }

    /// Bytes before the descriptions of requests, whose memory is touched only where requests are described.
    pub fn figures_bytes(&self) -> usize {
        self.descriptions_start() * WORD_BYTES
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

    pub(super) fn seat_words(&self) -> usize {
        (SEAT_HEAD_LINES + self.threads as usize * CORE_LINES) * LINE_WORDS
    }

    /// Behind the last seat.
    fn descriptions_start(&self) -> usize {
        GLOBAL_LINES * LINE_WORDS + self.seats as usize * self.seat_words()
    }

    /// Where the descriptions of a seat's requests are.
    pub(super) fn descriptions(&self, seat: Seat) -> Option<Range<usize>> {
        let words = self.threads as usize * DESCRIPTION_WORDS;
        let start = self.descriptions_start() + seat.0 as usize * words;
        (seat.0 < self.seats).then_some(start..start + words)
    }

    pub(super) fn seat_start(&self, seat: Seat) -> Option<usize> {
        (seat.0 < self.seats).then(|| GLOBAL_LINES * LINE_WORDS + seat.0 as usize * self.seat_words())
    }
}
