//! How large a cache is, and where in its memory what stands.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::settings::Settings;

/// `RHCA` and the version of the layout. It changes with the layout and with the hash.
const FORMAT: u64 = 0x5248_4341_0000_0002;

/// Words of the header, of which the first belong to the lock.
pub(super) const HEADER_WORDS: usize = 64;
/// Counts of swapped links, one for many chains each.
pub(super) const STRIPES: usize = 256;
/// Places in which hits and misses are counted.
pub(super) const SHARDS: usize = 16;
/// Words of a line, the part of memory that a processor fetches at a time.
const LINE_WORDS: usize = 8;
/// Words of a shard: a line, so that no two processes write into one.
pub(super) const SHARD_WORDS: usize = LINE_WORDS;
/// Words of a slot before its key.
pub(super) const SLOT_HEAD_WORDS: usize = LINE_WORDS;

/// Most bytes that are laid out: more than any machine has, and far from where numbers wrap.
const BYTES_MAX: u128 = 1 << 46;

/// The numbers that say how a cache is laid out. Two caches of one geometry have the same layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Geometry {
    format: u64,
    /// Most entries.
    pub(super) entries: usize,
    /// Most bytes of a key.
    pub(super) key_bytes: usize,
    /// Bytes of a block of data.
    pub(super) block_bytes: usize,
    /// Blocks of data.
    pub(super) blocks: usize,
    /// Chains.
    pub(super) buckets: usize,
    /// Whether a value may have several blocks, one behind the other.
    pub(super) spans: bool,
    /// Whether entries carry a checksum, so that they may be found again after a fall of the machine.
    pub(super) checked: bool,
}

/// That no memory has room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("such a cache would need {0} bytes")]
pub struct TooLarge(u128);

/// Where what stands, in words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    pub(super) stripes: usize,
    pub(super) shards: usize,
    pub(super) buckets: usize,
    /// Which slots have an entry: a bit for each.
    pub(super) living: usize,
    pub(super) living_words: usize,
    /// When each slot's entry expires, for who looks at all of them.
    pub(super) expiries: usize,
    /// When each slot's entry was used last, where that is kept.
    pub(super) uses: usize,
    /// Which blocks are taken.
    pub(super) map: usize,
    pub(super) map_words: usize,
    /// Slots, each with its key and, unless values have blocks elsewhere, its value: a look at an entry is one at a place.
    pub(super) slots: usize,
    pub(super) slot_words: usize,
    /// Blocks that are not in slots.
    pub(super) data: usize,
    pub(super) block_words: usize,
    pub(super) end: usize,
}

/// How a cache is laid out, calculated once.
#[derive(Debug, Clone)]
pub struct Layout {
    geometry: Geometry,
    pub(super) places: Places,
    pub(super) slots: usize,
}

impl Deref for Layout {
    type Target = Geometry;

    fn deref(&self) -> &Geometry {
        &self.geometry
    }
}

impl Geometry {
    /// What is configured.
    ///
    /// # Errors
    /// When no memory has room for it.
    pub fn of(settings: &Settings) -> Result<Self, TooLarge> {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let entries = number(settings.items.max(1));
        let geometry = Self {
            format: FORMAT,
            entries,
            key_bytes: number(settings.keysize.clamp(1, 0xFFFF)),
            block_bytes: number(settings.blocksize.max(1)),
            blocks: if settings.bitmap { number(settings.blocks.max(1)) } else { entries.saturating_add(1) },
            buckets: number(settings.hashsize.max(1)),
            spans: settings.bitmap,
            checked: settings.store.is_some(),
        };
        match geometry.bytes() {
            bytes if bytes > BYTES_MAX || geometry.blocks > u32::MAX as usize => Err(TooLarge(bytes)),
            _ => Ok(geometry),
        }
    }

    /// Slots: one for each entry, and one for the writer.
    fn slots(&self) -> usize {
        self.entries + 1
    }

    /// Most bytes of a value.
    pub fn value_bytes_max(&self) -> usize {
        self.block_bytes * if self.spans { self.blocks } else { 1 }
    }

    /// How many words of memory it needs.
    pub fn words(&self) -> usize {
        self.places().end
    }

    /// How many bytes, in numbers that do not wrap.
    fn bytes(&self) -> u128 {
        let wide = |number: usize| number as u128;
        let slot = wide(SLOT_HEAD_WORDS) + wide(self.key_bytes.div_ceil(8)) + wide(LINE_WORDS) + 3;
        let slots = (wide(self.entries) + 1) * slot;
        // At least as many as slots.
        let data = wide(self.blocks.max(self.entries)) * (wide(self.block_bytes.div_ceil(8)) + 1);
        let rest = wide(self.buckets) + wide(HEADER_WORDS + STRIPES + SHARDS * SHARD_WORDS + LINE_WORDS + 1);
        8 * (slots + data + rest)
    }

    fn places(&self) -> Places {
        let slots = self.slots();
        let block_words = self.block_bytes.div_ceil(8);
        let own_words = if self.spans { 0 } else { block_words };
        let slot_words = (SLOT_HEAD_WORDS + self.key_bytes.div_ceil(8) + own_words).next_multiple_of(LINE_WORDS);
        let (map_words, blocks) = if self.spans { (self.blocks.div_ceil(64), self.blocks) } else { (0, 0) };
        let living_words = slots.div_ceil(64);
        let stripes = HEADER_WORDS;
        let shards = stripes + STRIPES;
        let buckets = shards + SHARDS * SHARD_WORDS;
        let living = buckets + self.buckets;
        let expiries = living + living_words;
        let uses = expiries + slots;
        let map = uses + slots;
        let first_slot = (map + map_words).next_multiple_of(LINE_WORDS);
        let data = first_slot + slots * slot_words;
        Places {
            stripes,
            shards,
            buckets,
            living,
            living_words,
            expiries,
            uses,
            map,
            map_words,
            slots: first_slot,
            slot_words,
            data,
            block_words,
            end: data + blocks * block_words,
        }
    }

    /// The same, with everything that follows from it.
    pub fn layout(&self) -> Layout {
        Layout { places: self.places(), slots: self.slots(), geometry: self.clone() }
    }

    /// The numbers that stand in the header, for whoever finds the memory again.
    pub(super) fn numbers(&self) -> [u64; 8] {
        let Self { format, entries, key_bytes, block_bytes, blocks, buckets, spans, checked } = *self;
        let wide = |number: usize| number as u64;
        [
            format,
            wide(entries),
            wide(key_bytes),
            wide(block_bytes),
            wide(blocks),
            wide(buckets),
            spans.into(),
            checked.into(),
        ]
    }
}
