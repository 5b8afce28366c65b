//! Room in a cache: entries that have expired, and what goes when it is full. For the owner of the lock.

use std::sync::atomic::Ordering;

use super::chains::Place;
use super::handle::{Cache, Lock};
use super::lifetime::{Clock, is_over};
use super::memory::{Head, Memory, NEVER};

/// How many slots are looked at for the one to purge. In a cache of no more entries it is exactly the one that was used
/// least recently; in a larger one the least recent of so many, taken in turn.
const PURGE_SAMPLE: usize = 1_024;

impl<L: Lock> Cache<'_, L> {
    /// Makes room, once. `old`: the entry that is to be replaced. False: there is none to be made.
    pub(super) fn make_room(&self, old: Option<Place<'_>>, now_us: u64) -> bool {
        let memory = &self.memory;
        if memory.may_have_expired(now_us) && memory.sweep(now_us) > 0 {
            return true;
        }
        if self.policy.purges && memory.purge() {
            return true;
        }
        if self.policy.clears && memory.read(Head::Count) > 0 {
            memory.remove_all();
            return true;
        }
        // There is no room for both, and the old one is not wanted any more.
        old.is_some_and(|old| {
            memory.remove(&old);
            true
        })
    }

    /// Sweeps, if that has not been done for some time and there is something to sweep.
    pub(super) fn sweep_if_due(&self, now: &impl Clock) {
        let Some(every_us) = self.policy.sweep_every_us else { return };
        if self.memory.read(Head::NextExpiry) == NEVER {
            return;
        }
        let (now_us, swept) = (now.now_us(), self.memory.read(Head::SweptAt));
        if now_us.saturating_sub(swept) >= every_us && self.memory.may_have_expired(now_us) {
            self.memory.sweep(now_us);
        }
    }

    /// An entry with this expiry was stored.
    pub(super) fn note_expiry(&self, expiry: u64) {
        let next = self.memory.read(Head::NextExpiry);
        if expiry != 0 && next != 0 && expiry < next {
            self.memory.write(Head::NextExpiry, expiry);
        }
    }
}

impl Memory<'_> {
    fn may_have_expired(&self, now_us: u64) -> bool {
        self.read(Head::NextExpiry) <= now_us
    }

    /// Removes what has expired. Returns how much.
    fn sweep(&self, now_us: u64) -> usize {
        let (mut removed, mut next) = (0, NEVER);
        for (slot, word) in self.range(self.places.expiries, self.slots).iter().enumerate() {
            let expiry = word.load(Ordering::Relaxed);
            if !is_over(expiry, now_us) {
                next = if expiry == 0 { next } else { next.min(expiry) };
            } else if let Some(place) = self.place_of(slot).filter(|place| place.slot.expiry() == expiry) {
                self.remove(&place);
                removed += 1;
            } else {
                // What a fall of the machine has left.
                word.store(0, Ordering::Relaxed);
            }
        }
        self.write(Head::NextExpiry, next);
        self.write(Head::SweptAt, now_us);
        removed
    }

    /// Removes an entry that was not used for long. False: there is none.
    fn purge(&self) -> bool {
        let start = self.read(Head::PurgeHand) as usize % self.slots;
        let turn = self.living_from(start).chain(self.living_from(0).take_while(|slot| *slot < start));
        let sample = turn.take(PURGE_SAMPLE);
        let (mut oldest, mut last) = (None, start);
        for slot in sample {
            let last_use = self.last_use(slot).load(Ordering::Relaxed);
            if oldest.is_none_or(|(least, _)| last_use < least) {
                oldest = Some((last_use, slot));
            }
            last = slot;
        }
        self.write(Head::PurgeHand, (last + 1) as u64);
        let place = oldest.and_then(|(_, slot)| self.place_of(slot));
        place.is_some_and(|place| {
            self.remove(&place);
            true
        })
    }
}
