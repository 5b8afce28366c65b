//! What comes of one look: the number of workers to add or to let go, why, and when to look again. Pure.

use serde::{Deserialize, Serialize};
use std::fmt;

use super::Reason;

/// What to do with the number of workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Nothing.
    Hold,
    /// Start so many.
    Grow(u32),
    /// Retire so many idle ones.
    Shrink(u32),
}

/// What should wake the master before the next look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wake {
    /// Nothing that workers or clients do is of interest (the number is at its maximum, say).
    Never,
    /// A worker that begins a request and leaves at most so many workers idle.
    SpareAtMost(u32),
    /// A listening socket that is readable (everybody is busy, so nobody else will take the connection at once).
    QueueReadable,
}

/// The outcome of one [`step`](super::step()).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// What to do, bounds applied.
    pub decision: Decision,
    /// What the policy wished before the bounds: workers to add, negative to remove.
    pub wished: i64,
    /// Why, with the inputs that mattered.
    pub reason: Reason,
    /// The bound that cut the wish down, if one did.
    pub bound: Option<Bound>,
    /// When to look again although nothing happened, on the sample's clock.
    pub next_look_us: Option<u64>,
    /// What should wake the master earlier.
    pub wake: Wake,
}

impl Decided {
    /// Workers that would have been added, had whoever shares out the memory allowed them.
    pub fn unmet(&self) -> u32 {
        let granted = if let Decision::Grow(granted) = self.decision { i64::from(granted) } else { 0 };
        match self.bound {
            Some(Bound::Allowance) => u32::try_from(self.wished.saturating_sub(granted)).unwrap_or(0),
            _ => 0,
        }
    }
}

/// What cut a wish down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// `workers` reached.
    Maximum,
    /// `cheaper` reached.
    Minimum,
    /// Nobody is idle, so nobody can be retired.
    NobodyIdle,
    /// `cheaper-rss-limit-soft` reached.
    SoftLimit,
    /// No memory left for one more worker.
    MemoryShort,
    /// The memory that instances share has none left for this one ([`Sample::allowance`](super::Sample::allowance)).
    Allowance,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Bound::Maximum => "no more may run",
            Bound::Minimum => "no fewer may run",
            Bound::NobodyIdle => "nobody is idle",
            Bound::SoftLimit => "the memory limit is reached",
            Bound::MemoryShort => "memory is short",
            Bound::Allowance => "the Emperor allows no more",
        })
    }
}
