//! A cache as its users have it: memory, rules and the lock of writers. What is done with it is in `reading` and `writing`.

use std::sync::atomic::AtomicU64;

use super::geometry::Layout;
use super::memory::Memory;
use super::policy::Policy;

/// The lock that writers take.
pub trait Lock {
    /// Waits for it and takes it. False: it cannot be had any more, since its memory was spoilt.
    fn acquire(&self) -> bool;

    /// Gives it back.
    fn release(&self);
}

/// One cache.
#[derive(Debug)]
pub struct Cache<'m, L> {
    pub(super) memory: Memory<'m>,
    pub(super) policy: Policy,
    lock: L,
    pub(super) shard: usize,
}

impl<'m, L: Lock> Cache<'m, L> {
    /// The cache in this memory, which must have room for it. `shard`: any number of this process, so that those that
    /// count do not all count in one place.
    pub fn new(words: &'m [AtomicU64], layout: &'m Layout, policy: Policy, lock: L, shard: usize) -> Self {
        Self { memory: Memory::new(words, layout), policy, lock, shard }
    }

    /// Does something as the owner of the lock. `None`: there is no lock any more.
    pub(super) fn locked<R>(&self, act: impl FnOnce(&Self) -> R) -> Option<R> {
        struct Held<'l, L: Lock>(&'l L);
        impl<L: Lock> Drop for Held<'_, L> {
            fn drop(&mut self) {
                self.0.release();
            }
        }
        if !self.lock.acquire() {
            return None;
        }
        let held = Held(&self.lock);
        self.memory.mend();
        let result = act(self);
        drop(held);
        Some(result)
    }
}
