//! What others have left: a writer that died in the middle, or an instance whose file is opened again.
//!
//! A writer goes in steps of one word each, and notes in two words which slot it has taken and which it is about to give
//! back. Wherever it stops, chains are whole, and only these two slots can be neither linked nor free.

use std::sync::atomic::Ordering;

use super::entry::Slot;
use super::memory::{Head, Memory, NEVER};

impl Memory<'_> {
    /// Finishes or undoes what a writer before has left. For the owner of the lock, before anything else; mostly there is
    /// nothing to do.
    pub(super) fn mend(&self) {
        let (taken, given) = (self.read(Head::Taken), self.read(Head::Given));
        if taken == 0 && given == 0 {
            return;
        }
        // The slot that was to be new: linked, or nobody's.
        self.settle(taken);
        self.settle(given);
        let living = self.living().iter().map(|word| u64::from(word.load(Ordering::Relaxed).count_ones())).sum();
        self.write(Head::Count, living);
        self.write(Head::NextExpiry, 0);
        self.note_swaps();
        self.write(Head::Taken, 0);
        self.write(Head::Given, 0);
    }

    /// A slot that is neither linked nor free is given back. One that is free already is the first of the free ones, since
    /// nothing has happened after it.
    fn settle(&self, number: u64) {
        let Some(index) = usize::try_from(number).ok().and_then(|number| number.checked_sub(1)) else { return };
        let was_used = (index as u64) < self.read(Head::Used) && index < self.slots;
        if was_used && self.read(Head::Free) != number && self.place_of(index).is_none() {
            self.give_back(self.slot(index));
        }
    }

    /// Builds chains, free slots and the map of blocks anew from the entries that are whole. Nobody else uses the memory.
    /// Returns how many entries there are.
    pub(super) fn rebuild(&self) -> u64 {
        let places = self.places;
        let clear = |start: usize, count: usize| {
            self.range(start, count).iter().for_each(|word| word.store(0, Ordering::Relaxed));
        };
        clear(places.buckets, self.buckets);
        clear(places.map, places.map_words);
        for head in [Head::Free, Head::Taken, Head::Given, Head::Count, Head::NextExpiry, Head::SweptAt] {
            self.write(head, 0);
        }
        let used = self.living_from(0).last().map_or(0, |last| (last + 1).min(self.slots));
        self.write(Head::Used, used as u64);
        clear(places.expiries, used);
        for index in (0..used).rev() {
            let slot = self.slot(index);
            if !self.restore(&slot) {
                slot.set_run(None);
                self.give_back(slot);
            }
        }
        self.note_swaps();
        if used == 0 {
            self.write(Head::NextExpiry, NEVER);
        }
        self.read(Head::Count)
    }

    /// Links the entry of a slot again, if it is whole and the newest of its key. What it replaces is given back.
    fn restore(&self, slot: &Slot<'_>) -> bool {
        if !self.is_living(slot.index) || !slot.is_whole() {
            return false;
        }
        let key = slot.key();
        let hash = self.hash_of(&key);
        if hash != slot.hash() {
            return false;
        }
        if let Some(other) = self.find(hash, &key) {
            if other.slot.written() >= slot.written() {
                return false;
            }
            self.remove(&other);
        }
        let run = slot.run();
        if self.spans {
            let Some(run) = run.filter(|run| self.is_free(*run)) else { return false };
            self.mark(run, true);
        }
        self.expiry(slot.index).store(slot.expiry(), Ordering::Relaxed);
        let bucket = self.bucket(self.bucket_of(hash));
        slot.link().store(bucket.load(Ordering::Relaxed), Ordering::Relaxed);
        bucket.store(slot.index as u64 + 1, Ordering::Release);
        self.write(Head::Count, self.read(Head::Count) + 1);
        true
    }
}
