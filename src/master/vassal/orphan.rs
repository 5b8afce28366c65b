//! Where a vassal waits for the next Emperor that is to outlive the one that is gone. Master only.

use std::path::PathBuf;

use crate::supervision::record::{NAME_VARIABLE, REUNION_VARIABLE};
use crate::sys::clock::monotonic_us;

/// How often it looks: at first, and twice as long each time up to the last.
const LOOK_FIRST_US: u64 = 100_000;
pub(super) const LOOK_LAST_US: u64 = 1_000_000;

/// Where the next Emperor is waited for.
#[derive(Debug)]
pub(in crate::master) struct Orphan {
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) due_us: u64,
    pub(super) after_us: u64,
}

impl Orphan {
    /// By the environment; `None`: it is not to outlive its Emperor.
    pub(super) fn of_environment() -> Option<Self> {
        let path = PathBuf::from(std::env::var_os(REUNION_VARIABLE)?);
        let name = std::env::var(NAME_VARIABLE).ok()?;
        Some(Self { path, name, due_us: monotonic_us(), after_us: LOOK_FIRST_US })
    }

    /// When to look the next time.
    pub(in crate::master) fn due_us(&self) -> u64 {
        self.due_us
    }
}
