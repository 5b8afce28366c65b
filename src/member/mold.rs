//! A worker on its way to being the mold of others (`refork`): when it has answered enough for that, and that the master has
//! told it to be. What becomes of it then is the zygote's code (`zygote/mold.rs`). Worker only.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use worker_protocol::ids::Generation;
use worker_protocol::post::Role;

use crate::config::model::Refork;

/// When the master is told for the first time, where it decides by the memory that there is to be saved.
const AUTO_FROM: u64 = 500;

/// After how many requests the master is told next that this is a worker to fork others from.
#[derive(Debug)]
pub(super) struct Season(AtomicU64);

impl Season {
    pub(super) fn of(refork: Refork, role: Role) -> Self {
        Self(AtomicU64::new(match refork {
            _ if role != Role::Worker => u64::MAX,
            Refork::Never => u64::MAX,
            Refork::After(requests) => requests,
            Refork::Auto => AUTO_FROM,
        }))
    }

    /// Whether it is to be told now; again after twice as many requests, since it may have been no time for it.
    pub(super) fn is_due(&self, requests: u64) -> bool {
        let next = self.0.load(Ordering::Relaxed);
        requests >= next
            && self.0.compare_exchange(next, next.saturating_mul(2), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Of which generation the process is to be the mold; 0: of none.
#[derive(Debug, Default)]
pub(super) struct Calling(AtomicU32);

impl Calling {
    pub(super) fn hear(&self, generation: Generation) {
        self.0.store(generation.0, Ordering::Release);
    }

    pub(super) fn forget(&self) {
        self.0.store(0, Ordering::Release);
    }

    pub(super) fn get(&self) -> Option<Generation> {
        Some(Generation(self.0.load(Ordering::Acquire))).filter(|generation| generation.0 > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_at_the_number_and_at_each_doubling_of_it() {
        let season = Season::of(Refork::After(3), Role::Worker);
        let told: Vec<u64> = (1..=30).filter(|requests| season.is_due(*requests)).collect();
        assert_eq!(told, [3, 6, 12, 24]);
        for (refork, role) in [(Refork::Never, Role::Worker), (Refork::After(3), Role::Mule)] {
            assert!(!Season::of(refork, role).is_due(1_000_000_000));
        }
    }
}
