//! The words of a cache, by what they mean: header, chains, slots and data. Everything else in `cache` reads and writes
//! through this.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::geometry::{HEADER_WORDS, Layout, SHARD_WORDS, SHARDS, STRIPES};

/// Words at the beginning that belong to the lock.
pub const LOCK_WORDS: usize = 16;

/// What is read where there is nothing.
static NOWHERE: AtomicU64 = AtomicU64::new(0);

/// The moment that does not come.
pub(super) const NEVER: u64 = u64::MAX;

/// That memory holds something else than was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// No cache, or one of a version that this program does not know.
    #[error("it holds no cache that this version of rhinod knows")]
    Format,
    /// A cache of other sizes.
    #[error("it holds a cache of other sizes")]
    Sizes,
}

/// Words of the header, behind the lock.
#[derive(Debug, Clone, Copy)]
pub(super) enum Head {
    /// The first of [`numbers`](super::geometry::Geometry::numbers).
    Numbers = LOCK_WORDS as isize,
    /// What keys are hashed with.
    Seed = LOCK_WORDS as isize + 8,
    /// The first free slot, counted from 1; 0 if there is none but those that were never used.
    Free,
    /// How many slots were ever used: those behind take no memory yet.
    Used,
    /// The slot that the writer has taken and not linked yet, counted from 1.
    Taken,
    /// The slot that the writer is about to unlink and to give back, counted from 1.
    Given,
    /// How many entries there are.
    Count,
    /// No entry expires before, [`NEVER`] if none does; 0 where that is not known.
    NextExpiry,
    /// When the last sweep was.
    SweptAt,
    /// Where the last search for the entry to purge ended.
    PurgeHand,
    /// Where the last search for free blocks ended.
    BlockHand,
    /// How often it was too full.
    Full,
    /// When that was told last.
    FullToldAt,
    /// When an entry was changed last, if that is kept.
    ChangedAt,
}

/// The memory of one cache.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory<'m> {
    words: &'m [AtomicU64],
    layout: &'m Layout,
}

impl Deref for Memory<'_> {
    type Target = Layout;

    fn deref(&self) -> &Layout {
        self.layout
    }
}

impl<'m> Memory<'m> {
    pub(super) fn new(words: &'m [AtomicU64], layout: &'m Layout) -> Self {
        Self { words, layout }
    }

    /// Makes it an empty cache. The memory is zero but for the lock, or nobody else uses it.
    pub(super) fn format(&self, seed: u64) {
        for (index, number) in self.numbers().iter().enumerate() {
            self.word(Head::Numbers as usize + index).store(*number, Ordering::Relaxed);
        }
        self.head(Head::Seed).store(seed, Ordering::Relaxed);
        self.rebuild();
    }

    /// Whether it holds a cache such as this one.
    pub(super) fn judge(&self) -> Result<(), Foreign> {
        let found = |index: usize| self.word(Head::Numbers as usize + index).load(Ordering::Relaxed);
        let numbers = self.numbers();
        if found(0) != numbers[0] || self.words.len() < self.places.end {
            return Err(if found(0) == numbers[0] { Foreign::Sizes } else { Foreign::Format });
        }
        match numbers.iter().enumerate().all(|(index, number)| found(index) == *number) {
            true => Ok(()),
            false => Err(Foreign::Sizes),
        }
    }

    pub(super) fn word(&self, index: usize) -> &'m AtomicU64 {
        #[cfg(test)]
        dying::step();
        self.words.get(index).unwrap_or(&NOWHERE)
    }

    pub(super) fn range(&self, start: usize, count: usize) -> &'m [AtomicU64] {
        start.checked_add(count).and_then(|end| self.words.get(start..end)).unwrap_or(&[])
    }

    pub(super) fn head(&self, head: Head) -> &'m AtomicU64 {
        debug_assert!((head as usize) < HEADER_WORDS);
        self.word(head as usize)
    }

    pub(super) fn read(&self, head: Head) -> u64 {
        self.head(head).load(Ordering::Acquire)
    }

    pub(super) fn write(&self, head: Head, value: u64) {
        self.head(head).store(value, Ordering::Release);
    }

    /// The chain of a hash: the product's upper half, which takes a fraction of what a remainder takes.
    pub(super) fn bucket_of(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.buckets as u128) >> 64) as usize
    }

    /// The word with the first slot of a chain, counted from 1.
    pub(super) fn bucket(&self, bucket: usize) -> &'m AtomicU64 {
        self.word(self.places.buckets + bucket)
    }

    /// Counts the links of a chain that were swapped.
    pub(super) fn stripe(&self, bucket: usize) -> &'m AtomicU64 {
        self.word(self.places.stripes + bucket % STRIPES)
    }

    /// A link of a chain was swapped. What was linked before may be written over after this.
    pub(super) fn note_swap(&self, bucket: usize) {
        let stripe = self.stripe(bucket);
        stripe.store(stripe.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
        fence(Ordering::Release);
    }

    /// The same for all chains.
    pub(super) fn note_swaps(&self) {
        (0..STRIPES.min(self.buckets)).for_each(|bucket| self.note_swap(bucket));
    }

    /// When the entry of a slot expires, beside the slots: zero where that is never, and where there is none.
    pub(super) fn expiry(&self, slot: usize) -> &'m AtomicU64 {
        self.word(self.places.expiries + slot)
    }

    /// When the entry of a slot was used last, where that is kept.
    pub(super) fn last_use(&self, slot: usize) -> &'m AtomicU64 {
        self.word(self.places.uses + slot)
    }

    /// Whether a slot has an entry, linked or about to be.
    pub(super) fn is_living(&self, slot: usize) -> bool {
        self.word(self.places.living + slot / 64).load(Ordering::Relaxed) & bit(slot) != 0
    }

    /// For the owner of the lock.
    pub(super) fn set_living(&self, slot: usize, is_living: bool) {
        let word = self.word(self.places.living + slot / 64);
        let value = word.load(Ordering::Relaxed);
        word.store(if is_living { value | bit(slot) } else { value & !bit(slot) }, Ordering::Release);
    }

    /// The words that say which slots have entries.
    pub(super) fn living(&self) -> &'m [AtomicU64] {
        self.range(self.places.living, self.places.living_words)
    }

    /// The slots that have entries, from this one on.
    pub(super) fn living_from(&self, first: usize) -> impl Iterator<Item = usize> + use<'m> {
        let words = self.living().iter().enumerate().skip(first / 64);
        words.flat_map(move |(place, word)| {
            let before = if place == first / 64 { bit(first) - 1 } else { 0 };
            bits(word.load(Ordering::Relaxed) & !before).map(move |nth| place * 64 + nth)
        })
    }

    /// The counters of hits and misses of a shard.
    pub(super) fn counters(&self, shard: usize) -> [&'m AtomicU64; 2] {
        let start = self.places.shards + shard % SHARDS * SHARD_WORDS;
        [self.word(start), self.word(start + 1)]
    }
}

/// The bit of a slot or a block in its word.
pub(super) fn bit(number: usize) -> u64 {
    1 << (number % 64)
}

/// The places of the bits of a word.
fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = (word != 0).then(|| word.trailing_zeros() as usize)?;
        word &= word - 1;
        Some(lowest)
    })
}

/// A writer that dies before any look at the memory, for tests.
#[cfg(test)]
pub(super) mod dying {
    use std::cell::Cell;

    thread_local! {
        pub(in crate::cache) static STEPS_LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    pub(super) fn step() {
        STEPS_LEFT.with(|left| match left.get() {
            Some(0) => {
                left.set(None);
                std::panic::resume_unwind(Box::new("dead"));
            }
            Some(steps) => left.set(Some(steps - 1)),
            None => {}
        });
    }
}
