//! What changes a cache. Each change is one swapped word for those who read.

use std::sync::atomic::Ordering;

use super::chains::Place;
use super::entry::{Content, Slot};
use super::handle::{Cache, Lock};
use super::lifetime::{Clock, is_over};
use super::memory::{Head, Memory};

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// There is such a key already.
    Exists,
    /// There is no such key.
    Absent,
    /// An empty key or value, or one that is too long; or a counter that is none.
    Unfit,
    /// There is no room.
    Full {
        /// Whether that is worth a line in the log: it has not been told in the last minute.
        tell: bool,
    },
    /// The memory was spoilt.
    Spoilt,
}

/// What is done with a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// Adds.
    Add,
    /// Subtracts.
    Subtract,
    /// Multiplies.
    Multiply,
    /// Divides; by zero that gives zero.
    Divide,
}

impl Arithmetic {
    fn apply(self, one: i64, other: i64) -> i64 {
        match self {
            Self::Add => one.wrapping_add(other),
            Self::Subtract => one.wrapping_sub(other),
            Self::Multiply => one.wrapping_mul(other),
            Self::Divide if other == 0 => 0,
            Self::Divide => one.wrapping_div(other),
        }
    }
}

/// How often at most it is told that a cache is full.
const TELL_FULL_EVERY_US: u64 = 60_000_000;

impl<'m, L: Lock> Cache<'m, L> {
    /// Stores a value under a key that there is not yet. `expires_us`: since the epoch; 0: never.
    pub fn add(&self, key: &[u8], value: &[u8], expires_us: u64, now: impl Clock) -> Outcome {
        self.store(key, value, expires_us, now, false)
    }

    /// Stores a value, whether there is such a key or not.
    pub fn put(&self, key: &[u8], value: &[u8], expires_us: u64, now: impl Clock) -> Outcome {
        self.store(key, value, expires_us, now, true)
    }

    fn store(&self, key: &[u8], value: &[u8], expiry: u64, now: impl Clock, replaces: bool) -> Outcome {
        let hash = self.memory.hash_of(key);
        let content = Content { hash, key, value, expiry };
        self.change(&now, |cache| {
            let old = cache.memory.find(hash, key);
            match old.filter(|old| !replaces && !has_expired(old, &now)) {
                Some(_) => Outcome::Exists,
                None => cache.place(&content, old, &now),
            }
        })
    }

    /// Stores a value in the place of `old`, if that is what the key has; otherwise nothing is changed.
    pub fn swap(&self, key: &[u8], old: &[u8], value: &[u8], expires_us: u64, now: impl Clock) -> Outcome {
        let hash = self.memory.hash_of(key);
        let content = Content { hash, key, value, expiry: expires_us };
        self.change(&now, |cache| {
            let Some(place) = cache.living(hash, key, &now) else { return Outcome::Absent };
            let mut there = Vec::with_capacity(old.len());
            match place.slot.copy_value(&mut there) && there == old {
                true => cache.place(&content, Some(place), &now),
                false => Outcome::Exists,
            }
        })
    }

    /// Removes an entry.
    pub fn delete(&self, key: &[u8], now: impl Clock) -> Outcome {
        let hash = self.memory.hash_of(key);
        self.change(&now, |cache| {
            let Some(place) = cache.memory.find(hash, key) else { return Outcome::Absent };
            let was_alive = !has_expired(&place, &now);
            cache.memory.remove(&place);
            if was_alive { Outcome::Done } else { Outcome::Absent }
        })
    }

    /// Removes all entries.
    pub fn clear(&self, now: impl Clock) -> Outcome {
        self.change(&now, |cache| {
            cache.memory.remove_all();
            Outcome::Done
        })
    }

    /// Calculates with a counter, which begins where the configuration says. Its expiry is that of its first value.
    pub fn calculate(&self, key: &[u8], what: Arithmetic, number: i64, expires_us: u64, now: impl Clock) -> Outcome {
        let hash = self.memory.hash_of(key);
        self.change(&now, |cache| {
            let mut bytes = Vec::with_capacity(8);
            let found = cache.memory.find(hash, key);
            let (old, expiry) = match found.filter(|place| !has_expired(place, &now)) {
                None => (cache.policy.math_initial, expires_us),
                Some(place) => {
                    place.slot.copy_value(&mut bytes);
                    let Ok(old) = <[u8; 8]>::try_from(bytes.as_slice()) else { return Outcome::Unfit };
                    (i64::from_ne_bytes(old), place.slot.expiry())
                }
            };
            let value = what.apply(old, number).to_ne_bytes();
            cache.place(&Content { hash, key, value: &value, expiry }, found, &now)
        })
    }

    fn change(&self, now: &impl Clock, act: impl FnOnce(&Self) -> Outcome) -> Outcome {
        let changed = self.locked(|cache| {
            cache.sweep_if_due(now);
            let outcome = act(cache);
            if cache.policy.dates && outcome == Outcome::Done {
                cache.memory.write(Head::ChangedAt, now.now_us() / 1_000_000);
            }
            outcome
        });
        changed.unwrap_or(Outcome::Spoilt)
    }

    fn living(&self, hash: u64, key: &[u8], now: &impl Clock) -> Option<Place<'m>> {
        self.memory.find(hash, key).filter(|place| !has_expired(place, now))
    }

    /// Stores an entry in the place of the one that has its key (`old`), making room where there is none.
    fn place(&self, content: &Content<'_>, mut old: Option<Place<'m>>, now: &impl Clock) -> Outcome {
        let Content { hash, key, value, .. } = *content;
        let memory = &self.memory;
        let fits = (1..=memory.key_bytes).contains(&key.len()) && (1..=memory.value_bytes_max()).contains(&value.len());
        if !fits {
            return Outcome::Unfit;
        }
        loop {
            if let Some(slot) = memory.take_slot(value.len(), old.is_some()) {
                let written_us = if memory.checked { now.now_us() } else { 0 };
                slot.fill(content, written_us);
                if self.policy.purges {
                    memory.last_use(slot.index).store(now.now_us(), Ordering::Release);
                }
                memory.link(slot, old, hash);
                self.note_expiry(content.expiry);
                return Outcome::Done;
            }
            if !self.make_room(old, now.now_us()) {
                return Outcome::Full { tell: self.note_full(now.now_us()) };
            }
            // It may have gone for it.
            old = memory.find(hash, key);
        }
    }

    fn note_full(&self, now_us: u64) -> bool {
        let memory = &self.memory;
        memory.write(Head::Full, memory.read(Head::Full).wrapping_add(1));
        let told = memory.read(Head::FullToldAt);
        let tell = !self.policy.quiet && (told == 0 || now_us.saturating_sub(told) >= TELL_FULL_EVERY_US);
        if tell {
            memory.write(Head::FullToldAt, now_us);
        }
        tell
    }
}

fn has_expired(place: &Place<'_>, now: &impl Clock) -> bool {
    is_over(place.slot.expiry(), now)
}

impl<'m> Memory<'m> {
    /// Takes a free slot, and blocks for a value. `replaces`: another one will be given back for it.
    fn take_slot(&self, value_bytes: usize, replaces: bool) -> Option<Slot<'m>> {
        if !replaces && self.read(Head::Count) >= self.entries as u64 {
            return None;
        }
        let run = match self.spans {
            true => Some(self.free_run(self.blocks_for(value_bytes))?),
            false => None,
        };
        let slot = self.next_free()?;
        if let Some(run) = run {
            slot.set_run(Some(run));
            self.mark(run, true);
        }
        Some(slot)
    }

    fn next_free(&self) -> Option<Slot<'m>> {
        let (free, used) = (self.read(Head::Free), self.read(Head::Used));
        if free != 0 {
            let slot = self.slot(usize::try_from(free).ok()?.checked_sub(1)?);
            self.write(Head::Taken, free);
            self.write(Head::Free, slot.link().load(Ordering::Relaxed));
            return Some(slot);
        }
        let slot = self.slot(usize::try_from(used).ok().filter(|used| *used < self.slots)?);
        self.write(Head::Taken, used + 1);
        self.write(Head::Used, used + 1);
        Some(slot)
    }

    /// Has everybody see a slot that is filled, in the place of `old` if there is one.
    fn link(&self, slot: Slot<'m>, old: Option<Place<'m>>, hash: u64) {
        let number = slot.index as u64 + 1;
        let bucket = self.bucket_of(hash);
        match old {
            Some(old) => {
                slot.link().store(old.slot.link().load(Ordering::Relaxed), Ordering::Release);
                self.write(Head::Given, old.slot.index as u64 + 1);
                old.from.store(number, Ordering::Release);
                self.note_swap(bucket);
                self.give_back(old.slot);
            }
            None => {
                slot.link().store(self.bucket(bucket).load(Ordering::Relaxed), Ordering::Release);
                self.bucket(bucket).store(number, Ordering::Release);
                self.write(Head::Count, self.read(Head::Count).saturating_add(1));
            }
        }
        self.write(Head::Given, 0);
        self.write(Head::Taken, 0);
    }

    /// Removes an entry.
    pub(super) fn remove(&self, place: &Place<'m>) {
        let Place { slot, from } = place;
        self.write(Head::Given, slot.index as u64 + 1);
        from.store(slot.link().load(Ordering::Relaxed), Ordering::Release);
        self.note_swap(self.bucket_of(slot.hash()));
        self.give_back(*slot);
        self.write(Head::Count, self.read(Head::Count).saturating_sub(1));
        self.write(Head::Given, 0);
    }

    /// Gives back a slot that is not linked, with its blocks.
    pub(super) fn give_back(&self, slot: Slot<'m>) {
        slot.vacate();
        if let Some(run) = slot.run().filter(|_| self.spans) {
            self.mark(run, false);
            slot.set_run(None);
        }
        slot.link().store(self.read(Head::Free), Ordering::Release);
        self.write(Head::Free, slot.index as u64 + 1);
    }

    /// Removes all entries.
    pub(super) fn remove_all(&self) {
        for slot in self.living_from(0) {
            if let Some(place) = self.place_of(slot) {
                self.remove(&place);
            }
        }
    }
}
