//! Moments of the monotonic clock as people and programs count them. Master only.

use crate::sys::clock::{epoch_us, monotonic_us};

/// How much earlier the monotonic clock began than the epoch, so that moments of it can be told.
#[derive(Clone, Copy)]
pub(super) struct Calendar {
    ahead_us: u64,
}

impl Calendar {
    pub(super) fn now() -> Self {
        Self { ahead_us: epoch_us().saturating_sub(monotonic_us()) }
    }

    pub(super) fn epoch_s(self, monotonic_us: u64) -> u64 {
        monotonic_us.saturating_add(self.ahead_us) / 1_000_000
    }
}
