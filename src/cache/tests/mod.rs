//! Tests of the cache: what it answers, beside a plain map; what a writer leaves that dies at any step; readers beside
//! writers.

mod deaths;
mod rules;
mod threads;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::{Cache, Geometry, Layout, Lock, Policy, create};
use crate::cache::Settings as CacheSettings;

/// A lock for threads.
#[derive(Debug, Default)]
pub(super) struct SpinLock(AtomicBool);

impl Lock for &SpinLock {
    fn acquire(&self) -> bool {
        while self.0.swap(true, Ordering::Acquire) {
            std::thread::yield_now();
        }
        true
    }

    fn release(&self) {
        self.0.store(false, Ordering::Release);
    }
}

/// The memory of a cache.
pub(super) struct Home {
    words: Vec<AtomicU64>,
    geometry: Geometry,
    layout: Layout,
    policy: Policy,
    lock: SpinLock,
}

impl Home {
    pub(super) fn of(settings: &CacheSettings) -> Self {
        let geometry = Geometry::of(settings).expect("a small cache");
        let words: Vec<AtomicU64> = (0..geometry.words()).map(|_| AtomicU64::new(0)).collect();
        create(&words, &geometry, 7);
        let layout = geometry.layout();
        Self { words, geometry, layout, policy: Policy::of(settings, 3), lock: SpinLock::default() }
    }

    pub(super) fn cache(&self) -> Cache<'_, &SpinLock> {
        Cache::new(&self.words, &self.layout, self.policy, &self.lock, 0)
    }
}

/// Few entries of small blocks in few chains, so that all of them meet.
pub(super) fn small() -> CacheSettings {
    CacheSettings { items: 5, blocksize: 16, blocks: 8, keysize: 12, hashsize: 2, ..CacheSettings::default() }
}

impl Cache<'_, &SpinLock> {
    pub(super) fn value(&self, key: &str, now_us: u64) -> Option<Vec<u8>> {
        let mut value = b"before".to_vec();
        self.get(key.as_bytes(), now_us, &mut value)?;
        Some(value.split_off(6))
    }

    /// Looks whether each slot and each block is exactly once where it can be.
    pub(super) fn inspect(&self) {
        let memory = &self.memory;
        let used = memory.read(super::memory::Head::Used) as usize;
        let mut seen = vec![0; memory.slots];
        let mut blocks = vec![0; memory.blocks];
        let mut linked = 0;
        for bucket in 0..memory.buckets {
            let mut link = memory.bucket(bucket).load(Ordering::Relaxed);
            while link != 0 {
                let slot = memory.slot(link as usize - 1);
                seen[slot.index] += 1;
                assert!(seen[slot.index] == 1, "slot {} is linked twice", slot.index);
                assert_eq!(memory.bucket_of(slot.hash()), bucket);
                assert!(memory.is_living(slot.index));
                assert_eq!(memory.expiry(slot.index).load(Ordering::Relaxed), slot.expiry());
                let run = slot.run().map_or(0..0, |run| run.first..run.first + run.count);
                run.for_each(|block| blocks[block] += 1);
                linked += 1;
                link = slot.link().load(Ordering::Relaxed);
            }
        }
        let mut free = memory.read(super::memory::Head::Free);
        while free != 0 {
            seen[free as usize - 1] += 1;
            let slot = memory.slot(free as usize - 1);
            let expiry = memory.expiry(slot.index).load(Ordering::Relaxed);
            assert!(!memory.is_living(slot.index) && (slot.expiry(), expiry) == (0, 0), "a free slot has an entry");
            free = memory.slot(free as usize - 1).link().load(Ordering::Relaxed);
        }
        assert!(seen[..used].iter().all(|count| *count == 1), "a slot is lost, or at two places: {seen:?}");
        assert!(seen[used..].iter().all(|count| *count == 0));
        assert!(blocks.iter().all(|count| *count <= 1), "a block belongs to two");
        let taken = if memory.spans { memory.blocks_taken() } else { 0 };
        assert_eq!(blocks.iter().sum::<i32>() as usize, taken, "blocks are lost");
        assert_eq!(memory.read(super::memory::Head::Count), linked);
    }
}
