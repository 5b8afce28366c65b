//! What there is to tell of a cache.

use std::sync::atomic::Ordering;

use super::geometry::SHARDS;
use super::memory::{Head, Memory};

/// Sizes and counts of a cache at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Entries, those included that have expired and have not been removed.
    pub entries: u64,
    /// Most entries.
    pub entries_max: u64,
    /// Values that were found.
    pub hits: u64,
    /// Values that were not.
    pub misses: u64,
    /// How often there was no room for an entry.
    pub full: u64,
    /// When an entry was changed last, in seconds since the epoch; 0 where that is not kept.
    pub changed_s: u64,
    /// Most bytes of a key.
    pub key_bytes: u64,
    /// Blocks of data.
    pub blocks: u64,
    /// Blocks of data that are taken.
    pub blocks_taken: u64,
    /// Bytes of a block.
    pub block_bytes: u64,
    /// Chains.
    pub buckets: u64,
}

impl Figures {
    pub(super) fn of(memory: &Memory<'_>) -> Self {
        let sum = |which: usize| {
            let counts = (0..SHARDS).map(|shard| memory.counters(shard)[which].load(Ordering::Relaxed));
            counts.fold(0_u64, u64::wrapping_add)
        };
        let entries = memory.read(Head::Count).min(memory.entries as u64);
        Self {
            entries,
            entries_max: memory.entries as u64,
            hits: sum(0),
            misses: sum(1),
            full: memory.read(Head::Full),
            changed_s: memory.read(Head::ChangedAt),
            key_bytes: memory.key_bytes as u64,
            blocks: memory.blocks as u64,
            blocks_taken: if memory.spans { memory.blocks_taken() as u64 } else { entries },
            block_bytes: memory.block_bytes as u64,
            buckets: memory.buckets as u64,
        }
    }
}
