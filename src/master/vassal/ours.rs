//! What is known of an Emperor that is a rhinod, and what it was told. Master only.

use std::os::unix::process::parent_id;

use crate::scaling::budget::Told;
use crate::supervision::record::{EMPEROR_VARIABLE, SHARES_MEMORY, is_ours};

/// An Emperor that is a rhinod.
#[derive(Debug, Default)]
pub(super) struct Ours {
    /// Whether it shares out memory.
    pub(super) shares_memory: bool,
    /// How many workers it allows; `None`: it has not said.
    pub(super) allowance: Option<u32>,
    pub(super) told: Told,
    pub(super) told_us: u64,
    /// When to tell what has changed since.
    pub(super) due_us: Option<u64>,
    pub(super) worker_bytes: u64,
    pub(super) measured_us: u64,
    /// Whether it was told that old code goes on.
    pub(super) is_stale: bool,
}

impl Ours {
    /// The next Emperor, after one of ours: this is not its child.
    pub(super) fn after_reunion() -> Option<Self> {
        let value = std::env::var(EMPEROR_VARIABLE).ok()?;
        Some(Self { shares_memory: value.ends_with(SHARES_MEMORY), ..Self::default() })
    }

    /// By the environment; `None`: the Emperor is another program.
    pub(super) fn of_environment() -> Option<Self> {
        let value = std::env::var(EMPEROR_VARIABLE).ok()?;
        let shares_memory = is_ours(&value, parent_id())?;
        Some(Self { shares_memory, ..Self::default() })
    }
}
