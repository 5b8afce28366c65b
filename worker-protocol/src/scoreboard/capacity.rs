//! The one word that all processes change: how many cores are busy, and whether the master wants to be woken.
//!
//! It decides who has to wake the master; waking is the caller's business. Used in the master and in the workers.

use std::sync::atomic::{AtomicU64, Ordering};

/// Most cores, seats times threads: what the word's fields can count.
pub const CORES_MAX: u32 = (1 << CORES_BITS) - 1;

const CORES_BITS: u32 = 20;
const WAKE_AT_SHIFT: u32 = CORES_BITS;
const ARMED: u64 = 1 << (2 * CORES_BITS);
/// One step of the sequence number, which takes the remaining 23 bits and wraps off the top.
const SEQUENCE_STEP: u64 = ARMED << 1;
const FIELD_MASK: u64 = (1 << CORES_BITS) - 1;

/// The capacity word: how many cores are busy, and at how many the master wants to be woken.
///
/// Bits 0–19 busy cores, 20–39 the threshold, 40 armed, 41–63 a sequence number that every change of the busy count
/// moves on. One word, so that the core that reaches the threshold knows it, and so that of all cores that do only the
/// one that takes the armed bit away wakes the master: at most one wake-up is outstanding until the master arms again.
#[derive(Debug, Clone, Copy)]
pub struct Capacity<'a> {
    pub(super) word: &'a AtomicU64,
}

/// What [`Capacity::arm`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Armed {
    /// The core that makes it that many wakes the master.
    Waiting,
    /// As many are busy already; nothing is armed, the master should act at once.
    Reached {
        /// Busy cores.
        busy: u32,
    },
}

impl Capacity<'_> {
    /// Cores that hold a request now.
    pub fn busy(&self) -> u32 {
        (self.word.load(Ordering::Relaxed) & FIELD_MASK) as u32
    }

    /// Whether the master waits to be woken.
    pub fn is_armed(&self) -> bool {
        self.word.load(Ordering::Relaxed) & ARMED != 0
    }

    /// Master: wants to be woken, once, when `wake_at` cores are busy: all cores less the spare ones wanted, plus one.
    /// Values above [`CORES_MAX`] are as good as never.
    pub fn arm(&self, wake_at: u32) -> Armed {
        let wake_at = u64::from(wake_at.min(CORES_MAX));
        let armed = |word: u64| {
            let kept = word & !(ARMED | FIELD_MASK << WAKE_AT_SHIFT);
            (word & FIELD_MASK < wake_at).then_some(kept | wake_at << WAKE_AT_SHIFT | ARMED)
        };
        match self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, armed) {
            Ok(_) => Armed::Waiting,
            Err(word) => {
                self.disarm();
                Armed::Reached { busy: (word & FIELD_MASK) as u32 }
            }
        }
    }

    /// Master: does not want to be woken.
    pub fn disarm(&self) {
        self.word.fetch_and(!ARMED, Ordering::AcqRel);
    }

    /// One core more is busy. Whether its thread has to wake the master.
    pub(super) fn enter(&self) -> bool {
        let before = self.word.fetch_add(SEQUENCE_STEP + 1, Ordering::AcqRel);
        let busy = (before & FIELD_MASK) + 1;
        let wake_at = before >> WAKE_AT_SHIFT & FIELD_MASK;
        // Most requests end here. Only one thread gets to see the armed bit as it takes it away.
        before & ARMED != 0 && busy >= wake_at && self.word.fetch_and(!ARMED, Ordering::AcqRel) & ARMED != 0
    }

    /// One core less is busy.
    pub(super) fn leave(&self) {
        self.word.fetch_add(SEQUENCE_STEP - 1, Ordering::AcqRel);
    }

    /// Puts `busy` into the count, provided that nothing changed since the word was `before`.
    pub(super) fn replace_busy(&self, before: u64, busy: u32) -> bool {
        let after = (before & !FIELD_MASK | u64::from(busy)).wrapping_add(SEQUENCE_STEP);
        self.word.compare_exchange(before, after, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}
