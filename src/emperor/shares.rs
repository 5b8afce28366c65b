//! The memory that vassals share (`emperor-memory`), and what the log was told of it. Emperor only.

use std::collections::BTreeMap;

use crate::config::model::SharedMemory;
use crate::scaling::budget::Budget;
use crate::sys::clock::monotonic_us;
use crate::sys::memory;

/// How often a line of the log may tell of one vassal.
const LINE_EVERY_US: u64 = 1_000_000;

/// The memory, and what was said of it.
pub(super) struct Sharing {
    pub(super) budget: Budget,
    /// When the log was told last of each vassal.
    pub(super) told_us: BTreeMap<u32, u64>,
    /// Whether it was said that the fewest workers alone take more.
    pub(super) is_too_small: bool,
}

impl Sharing {
    /// # Errors
    /// When the system does not tell how much there is.
    pub(super) fn of(memory: SharedMemory) -> Result<Self, String> {
        let bytes = match memory {
            SharedMemory::Bytes(bytes) => bytes,
            SharedMemory::Auto => match memory::total_bytes() {
                Some(bytes) => bytes / 10 * 9,
                None => {
                    return Err("emperor-memory = auto: the system does not tell how much memory there is".to_owned());
                }
            },
        };
        log::info!("[emperor] the workers of all vassals may take {} MiB together", bytes >> 20);
        Ok(Self { budget: Budget::new(bytes), told_us: BTreeMap::new(), is_too_small: false })
    }

    /// Whether the log may have a line of this vassal.
    pub(super) fn may_tell(&mut self, who: u32) -> bool {
        let now_us = monotonic_us();
        let before_us = self.told_us.get(&who).copied();
        let may = before_us.is_none_or(|before_us| now_us.saturating_sub(before_us) >= LINE_EVERY_US);
        if may {
            self.told_us.insert(who, now_us);
        }
        may
    }
}
