//! Caches of the instance, as handlers use them. Worker only.

use crate::cache::{Arithmetic, Asked, expiry};
use crate::handler::CacheLink;
use crate::member::SharedCache;
use crate::sys::clock::epoch_us;

impl CacheLink for SharedCache<'_> {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        self.cache.get(key, Asked::by(epoch_us), &mut value).map(|_| value)
    }

    fn exists(&self, key: &[u8]) -> bool {
        self.cache.exists(key, Asked::by(epoch_us))
    }

    fn store(&self, key: &[u8], value: &[u8], lifetime_s: i64, is_new: bool) -> bool {
        let now = &Asked::by(epoch_us);
        let expires_us = expiry(lifetime_s, now);
        self.settle(match is_new {
            true => self.cache.add(key, value, expires_us, now),
            false => self.cache.put(key, value, expires_us, now),
        })
    }

    fn count(&self, key: &[u8], by: i64, lifetime_s: i64) -> bool {
        let now = &Asked::by(epoch_us);
        self.settle(self.cache.calculate(key, Arithmetic::Add, by, expiry(lifetime_s, now), now))
    }

    fn number(&self, key: &[u8]) -> i64 {
        self.cache.number(key, Asked::by(epoch_us))
    }

    fn delete(&self, key: &[u8]) -> bool {
        self.settle(self.cache.delete(key, Asked::by(epoch_us)))
    }

    fn clear(&self) -> bool {
        self.settle(self.cache.clear(Asked::by(epoch_us)))
    }
}
