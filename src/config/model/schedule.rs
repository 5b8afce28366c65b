//! More workers at some times of the week (`cheaper-schedule`).
//!
//! A section of the configuration. Not for deciding (`crate::scaling`). Pure; the master reads it.

use serde::{Deserialize, Serialize};

/// Minutes of a day.
pub const DAY_MINUTES: u16 = 1_440;

/// A time of the week, and how many workers there are at least.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// The days on which it begins, from Sunday on.
    pub days: [bool; 7],
    /// The minute of the day with which it begins.
    pub from: u16,
    /// The minute of the day before which it ends: of the next one, if that is not later.
    pub to: u16,
    /// Fewest workers.
    pub workers: u32,
    /// By whose clocks, as the tz database has them; the machine's without.
    pub zone: Option<String>,
    /// Where the configuration says so.
    pub line: String,
}

impl Period {
    /// How long it lasts, in minutes.
    pub fn minutes(&self) -> u16 {
        if self.to > self.from { self.to - self.from } else { self.to + DAY_MINUTES - self.from }
    }
}
