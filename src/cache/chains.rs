//! Chains of slots: finding an entry, with the lock and without.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::entry::Slot;
use super::memory::{Head, Memory};
use crate::checksum::hash;

/// How often a reader begins again before it asks for the lock.
const TRIES: usize = 64;

/// After how many slots a reader looks whether it is still where it began: a slot that was given back leads elsewhere.
const STEPS_BETWEEN_LOOKS: usize = 32;

/// An entry in its chain, as the owner of the lock finds it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'m> {
    pub(super) slot: Slot<'m>,
    /// The word that leads to it.
    pub(super) from: &'m AtomicU64,
}

/// That others wrote whenever we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Disturbed;

impl<'m> Memory<'m> {
    pub(super) fn hash_of(&self, key: &[u8]) -> u64 {
        hash(self.read(Head::Seed), key)
    }

    /// Reads an entry without the lock. `take` may be called several times; what it did the last time holds.
    pub(super) fn look<R>(
        &self,
        hash: u64,
        key: &[u8],
        mut take: impl FnMut(Slot<'m>) -> R,
    ) -> Result<Option<R>, Disturbed> {
        let bucket = self.bucket_of(hash);
        let stripe = self.stripe(bucket);
        for _ in 0..TRIES {
            let before = stripe.load(Ordering::Acquire);
            let taken = self.walk(bucket, stripe, before, hash, key).map(&mut take);
            // What was read is read before the count is looked at again.
            fence(Ordering::Acquire);
            if stripe.load(Ordering::Relaxed) == before {
                return Ok(taken);
            }
            std::hint::spin_loop();
        }
        Err(Disturbed)
    }

    fn walk(&self, bucket: usize, stripe: &AtomicU64, before: u64, hash: u64, key: &[u8]) -> Option<Slot<'m>> {
        let mut link = self.bucket(bucket).load(Ordering::Acquire);
        for step in 0..=self.slots {
            let slot = self.slot(usize::try_from(link).ok()?.checked_sub(1)?);
            if slot.has_key(hash, key) {
                return Some(slot);
            }
            if step % STEPS_BETWEEN_LOOKS == STEPS_BETWEEN_LOOKS - 1 && stripe.load(Ordering::Acquire) != before {
                return None;
            }
            link = slot.link().load(Ordering::Acquire);
        }
        None
    }

    /// Finds an entry. For the owner of the lock.
    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Option<Place<'m>> {
        self.find_that(hash, |slot| slot.has_key(hash, key))
    }

    /// Where a slot is linked in the chain that its hash belongs to. For the owner of the lock.
    pub(super) fn place_of(&self, index: usize) -> Option<Place<'m>> {
        self.find_that(self.slot(index).hash(), |slot| slot.index == index)
    }

    fn find_that(&self, hash: u64, is_it: impl Fn(&Slot<'m>) -> bool) -> Option<Place<'m>> {
        let mut from = self.bucket(self.bucket_of(hash));
        for _ in 0..=self.slots {
            let slot = self.slot(usize::try_from(from.load(Ordering::Acquire)).ok()?.checked_sub(1)?);
            if is_it(&slot) {
                return Some(Place { slot, from });
            }
            from = slot.link();
        }
        None
    }
}
