//! What there is to tell of what all processes share: caches, the queue, metrics of the application, locks. Master only.

use super::super::driver::Driver;
use crate::config::model::{CacheSettings, Metric as MetricSettings, MetricKind, QueueSettings};
use crate::stats::{Cache, Metric, Queue};

/// Where the first of the user locks is in the memory file (`python/modules/uwsgi.py`).
const USER_LOCKS_START: i64 = 1 << 40;

/// Where the lock of the first shared area is (`python/modules/areas.py`).
const AREA_LOCKS_START: i64 = 1 << 41;

/// Most locks of each kind that are told of.
const LOCKS_MAX: usize = 256;

impl Driver<'_> {
    pub(super) fn caches(&self) -> Vec<Cache> {
        let told = |settings: &CacheSettings| {
            let figures = self.in_force.memories.figures(settings)?;
            Some(Cache {
                name: settings.name.clone(),
                buckets: figures.buckets,
                key_bytes: figures.key_bytes,
                items: figures.entries,
                items_max: figures.entries_max,
                blocks: figures.blocks,
                block_bytes: figures.block_bytes,
                hits: figures.hits,
                misses: figures.misses,
                full: figures.full,
                changed_s: figures.changed_s,
            })
        };
        self.in_force.config.caches.list.iter().filter_map(told).collect()
    }

    pub(super) fn queue(&self) -> Option<Queue> {
        let items = self.in_force.memories.queue_items()?;
        Some(Queue { slots: self.in_force.config.queue.slots, items: items.into() })
    }

    pub(super) fn own_metrics(&self) -> Vec<Metric> {
        let list = &self.in_force.config.metrics.list;
        let told = |(settings, value): (&MetricSettings, i64)| Metric {
            name: settings.name.clone(),
            is_counter: settings.kind == MetricKind::Counter,
            type_number: match settings.kind {
                MetricKind::Counter => 0,
                MetricKind::Gauge => 1,
                MetricKind::Absolute => 2,
            },
            oid: settings.oid.clone(),
            value,
        };
        list.iter().zip(self.in_force.memories.metrics()).map(told).collect()
    }

    /// Those of the application by name, and who has them. Those of caches and the queue, each held for a moment only, have
    /// the names that uWSGI has for such.
    pub(super) fn locks(&self) -> Vec<(String, i32)> {
        let config = &self.in_force.config;
        let given = config.given.iter().rev().find(|(name, _)| name == "locks");
        let count = given.and_then(|(_, value)| value.as_deref()?.parse().ok()).unwrap_or(0_usize);
        let numbered = |name: &'static str, start: i64, count: usize| {
            let bytes = (start..).take(count.min(LOCKS_MAX)).enumerate();
            bytes.map(move |(number, byte)| (format!("{name} {number}"), self.children.lock_holder(byte)))
        };
        let of_caches = config.caches.list.iter().map(|cache| (format!("cache_{}", cache.name), cache.memory_name()));
        let of_queue = ("queue".to_owned(), QueueSettings::MEMORY_NAME.to_owned());
        let of_memories = of_caches
            .chain([of_queue])
            .filter_map(|(name, memory)| Some((name, self.in_force.memories.lock_holder(&memory)?)));
        numbered("user", USER_LOCKS_START, count.saturating_add(1))
            .chain(numbered("sharedarea", AREA_LOCKS_START, config.areas.len()))
            .chain(of_memories)
            .collect()
    }
}
