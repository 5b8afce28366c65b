//! What is asked of a cache: without the lock, unless others write all the time.

use std::sync::atomic::Ordering;

use super::entry::Slot;
use super::handle::{Cache, Lock};
use super::lifetime::{Clock, is_over};

/// An entry that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// When it expires, in microseconds since the epoch; 0: never.
    pub expires_us: u64,
}

impl<L: Lock> Cache<'_, L> {
    /// Appends the value of a key to `out`. Counts a hit or a miss.
    pub fn get(&self, key: &[u8], now: impl Clock, out: &mut Vec<u8>) -> Option<Found> {
        let start = out.len();
        let read = |slot: Slot<'_>| {
            out.truncate(start);
            let last_use = self.policy.purges.then(|| self.memory.last_use(slot.index).load(Ordering::Relaxed));
            slot.copy_value(out).then_some((slot.index, last_use))
        };
        let found = self.look(key, &now, read).and_then(|(whole, expires_us)| Some((whole?, expires_us)));
        let [hits, misses] = self.memory.counters(self.shard);
        let Some(((index, last_use), expires_us)) = found else {
            out.truncate(start);
            misses.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        hits.fetch_add(1, Ordering::Relaxed);
        if let Some(last_use) = last_use {
            // Unless the slot has another entry by now.
            let word = self.memory.last_use(index);
            let _ = word.compare_exchange(last_use, now.now_us(), Ordering::Relaxed, Ordering::Relaxed);
        }
        Some(Found { expires_us })
    }

    /// Whether there is such a key. Counts nothing.
    pub fn exists(&self, key: &[u8], now: impl Clock) -> bool {
        self.look(key, &now, |_| ()).is_some()
    }

    /// The number that a counter stands at; 0 where there is none.
    pub fn number(&self, key: &[u8], now: impl Clock) -> i64 {
        let mut value = Vec::with_capacity(8);
        self.get(key, now, &mut value);
        <[u8; 8]>::try_from(value).map_or(0, i64::from_ne_bytes)
    }

    /// All keys.
    pub fn keys(&self, now: impl Clock) -> Vec<Vec<u8>> {
        let memory = &self.memory;
        let all = |_: &Self| {
            let living = memory.living_from(0).map(|slot| memory.slot(slot));
            living.filter(|slot| !is_over(slot.expiry(), &now)).map(|slot| slot.key()).collect()
        };
        self.locked(all).unwrap_or_default()
    }

    fn look<R>(&self, key: &[u8], now: impl Clock, mut take: impl FnMut(Slot<'_>) -> R) -> Option<(R, u64)> {
        if key.is_empty() || key.len() > self.memory.key_bytes {
            return None;
        }
        let hash = self.memory.hash_of(key);
        let mut read = |slot: Slot<'_>| {
            let expiry = slot.expiry();
            (!is_over(expiry, &now)).then(|| (take(slot), expiry))
        };
        match self.memory.look(hash, key, &mut read) {
            Ok(found) => found.flatten(),
            Err(_) => self.locked(|_| self.memory.find(hash, key).and_then(|place| read(place.slot))).flatten(),
        }
    }
}
