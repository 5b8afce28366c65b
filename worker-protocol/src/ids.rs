//! The numbers by which processes, their places and their versions are known: each a type of its own, so that none is
//! taken for another. All processes.
//!
//! ```
//! use worker_protocol::ids::{Generation, Life, ProcessId, Seat};
//!
//! assert_eq!((Generation(2).to_string(), Seat(0).to_string()), ("2".to_owned(), "0".to_owned()));
//! assert!(ProcessId::new(0).is_none() && Life(1) < Life::MAX);
//! ```

use std::fmt;

/// One loaded version of the application: a zygote and the workers that it forked. Counts from 1 and never repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Generation(pub u32);

/// A child's place, from 0; of one that is forked its place in shared memory. Belongs to one process at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Seat(pub u32);

/// One fork of an instance: counts from 1 and never repeats, so that what is meant for one process never reaches its
/// successor in the same seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Life(pub u64);

impl Life {
    /// The largest one: in a scoreboard it shares a word with an order, which leaves it 62 bits.
    pub const MAX: Life = Life((1 << 62) - 1);
}

/// The id of one process: greater than 0, so that no signal can go to a group or to everyone by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "i32", into = "i32"))]
pub struct ProcessId(i32);

impl ProcessId {
    /// `None` for 0 and below.
    pub fn new(id: i32) -> Option<ProcessId> {
        (id > 0).then_some(ProcessId(id))
    }

    /// The number, for system calls.
    pub fn get(self) -> i32 {
        self.0
    }
}

impl TryFrom<i32> for ProcessId {
    type Error = &'static str;

    fn try_from(id: i32) -> Result<ProcessId, &'static str> {
        ProcessId::new(id).ok_or("a process id is greater than 0")
    }
}

impl From<ProcessId> for i32 {
    fn from(id: ProcessId) -> i32 {
        id.0
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
