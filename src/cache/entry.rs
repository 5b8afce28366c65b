//! A slot and the entry in it: its words, its key and its value.

use std::sync::atomic::{AtomicU64, Ordering};

use super::geometry::SLOT_HEAD_WORDS;
use super::memory::Memory;
use crate::checksum::mix;

/// Words of a slot.
#[derive(Debug, Clone, Copy)]
enum Field {
    /// The next slot of the chain or of the free ones, counted from 1.
    Link,
    Hash,
    /// Length of the key in the lowest 16 bits, of the value above.
    Sizes,
    /// When it expires; 0: never, or there is no entry.
    Expiry,
    /// First block in the lower half, number of blocks in the upper one; 0 for none.
    Run,
    /// When it was written. This and the last one are for caches that are kept in a file.
    Written,
    Checksum,
}

const _: () = assert!((Field::Checksum as usize) < SLOT_HEAD_WORDS);

const KEY_BITS: u32 = 16;

/// A slot of a cache.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot<'m> {
    memory: Memory<'m>,
    pub(super) index: usize,
    /// Where it begins.
    start: usize,
}

/// Consecutive blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) first: usize,
    pub(super) count: usize,
}

/// What is written into a slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content<'a> {
    pub(super) hash: u64,
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
    pub(super) expiry: u64,
}

impl<'m> Memory<'m> {
    pub(super) fn slot(&self, index: usize) -> Slot<'m> {
        // One that there is not is nobody's.
        let index = index.min(self.slots);
        Slot { memory: *self, index, start: self.places.slots + index * self.places.slot_words }
    }
}

impl<'m> Slot<'m> {
    fn field(&self, field: Field) -> &'m AtomicU64 {
        self.memory.word(self.start + field as usize)
    }

    fn get(&self, field: Field) -> u64 {
        self.field(field).load(Ordering::Relaxed)
    }

    fn set(&self, field: Field, value: u64) {
        self.field(field).store(value, Ordering::Release);
    }

    /// The word that leads to the next slot.
    pub(super) fn link(&self) -> &'m AtomicU64 {
        self.field(Field::Link)
    }

    pub(super) fn hash(&self) -> u64 {
        self.get(Field::Hash)
    }

    pub(super) fn written(&self) -> u64 {
        self.get(Field::Written)
    }

    /// When its entry expires; 0: never.
    pub(super) fn expiry(&self) -> u64 {
        self.get(Field::Expiry)
    }

    /// Says when its entry expires, also beside the slots. There is zero unless here is something else: so that of entries that
    /// never expire no line is touched there.
    fn set_expiry(&self, expiry: u64) {
        if expiry == 0 {
            if self.expiry() != 0 {
                self.memory.expiry(self.index).store(0, Ordering::Release);
                self.set(Field::Expiry, 0);
            }
        } else {
            self.set(Field::Expiry, expiry);
            self.memory.expiry(self.index).store(expiry, Ordering::Release);
        }
    }

    /// Has no entry any more.
    pub(super) fn vacate(&self) {
        self.memory.set_living(self.index, false);
        self.set_expiry(0);
    }

    fn key_length(&self) -> usize {
        ((self.get(Field::Sizes) & ((1 << KEY_BITS) - 1)) as usize).min(self.memory.key_bytes)
    }

    pub(super) fn value_length(&self) -> usize {
        (self.get(Field::Sizes) >> KEY_BITS) as usize
    }

    /// The blocks of its value.
    pub(super) fn run(&self) -> Option<Run> {
        let word = self.get(Field::Run);
        let run = Run { first: (word & u64::from(u32::MAX)) as usize, count: (word >> 32) as usize };
        (run.count > 0).then_some(run)
    }

    pub(super) fn set_run(&self, run: Option<Run>) {
        self.set(Field::Run, run.map_or(0, |run| run.first as u64 | (run.count as u64) << 32));
    }

    /// Where a key of so many bytes is, and behind it the value, unless that has blocks elsewhere.
    fn own_words(&self, key_bytes: usize) -> (&'m [AtomicU64], &'m [AtomicU64]) {
        let length = self.memory.places.slot_words - SLOT_HEAD_WORDS;
        let own = self.memory.range(self.start + SLOT_HEAD_WORDS, length);
        own.split_at(key_bytes.div_ceil(8).min(own.len()))
    }

    /// Where the value behind such a key is.
    pub(super) fn value_words(&self, key_bytes: usize) -> &'m [AtomicU64] {
        let places = &self.memory.places;
        if !self.memory.spans {
            return self.own_words(key_bytes).1;
        }
        let run = self.run().unwrap_or(Run { first: 0, count: 0 });
        let (start, length) =
            (run.first.saturating_mul(places.block_words), run.count.saturating_mul(places.block_words));
        self.memory.range(places.data.saturating_add(start), length)
    }

    pub(super) fn has_key(&self, hash: u64, key: &[u8]) -> bool {
        self.hash() == hash && self.key_length() == key.len() && is_in(self.own_words(key.len()).0, key)
    }

    pub(super) fn key(&self) -> Vec<u8> {
        let (mut key, length) = (Vec::new(), self.key_length());
        copy_out(self.own_words(length).0, length, &mut key);
        key
    }

    /// Copies the value. False: there is no such value, whatever the memory says.
    pub(super) fn copy_value(&self, out: &mut Vec<u8>) -> bool {
        let (words, length) = (self.value_words(self.key_length()), self.value_length());
        let fits = length <= words.len() * 8;
        if fits {
            copy_out(words, length, out);
        }
        fits
    }

    /// Writes an entry. Nobody sees the slot yet, and its blocks are its own. `written_us` is for caches that are kept in a file.
    pub(super) fn fill(&self, content: &Content<'_>, written_us: u64) {
        let Content { hash, key, value, expiry } = *content;
        self.set(Field::Hash, hash);
        self.set(Field::Sizes, key.len() as u64 | (value.len() as u64) << KEY_BITS);
        copy_in(self.own_words(key.len()).0, key);
        copy_in(self.value_words(key.len()), value);
        self.set_expiry(expiry);
        if self.memory.checked {
            self.set(Field::Written, written_us);
            self.set(Field::Checksum, self.checksum());
        }
        self.memory.set_living(self.index, true);
    }

    fn checksum(&self) -> u64 {
        let head = [self.hash(), self.get(Field::Sizes), self.written(), self.expiry(), self.get(Field::Run)];
        let words = |words: &'m [AtomicU64], bytes: usize| words.iter().take(bytes.div_ceil(8));
        let key_bytes = self.key_length();
        let key = words(self.own_words(key_bytes).0, key_bytes);
        let value = words(self.value_words(key_bytes), self.value_length());
        let state = head.into_iter().fold(1, mix);
        key.chain(value).fold(state, |state, word| mix(state, word.load(Ordering::Relaxed)))
    }

    /// Whether it holds an entry that was written to its end: for what an instance before has left.
    pub(super) fn is_whole(&self) -> bool {
        let memory = &self.memory;
        let (key, value) = (self.get(Field::Sizes) & ((1 << KEY_BITS) - 1), self.value_length());
        let most = memory.value_bytes_max().min(self.value_words(self.key_length()).len() * 8);
        let sizes = (1..=memory.key_bytes as u64).contains(&key) && (1..=most).contains(&value);
        sizes && (!memory.checked || self.get(Field::Checksum) == self.checksum())
    }
}

fn copy_in(words: &[AtomicU64], bytes: &[u8]) {
    let (chunks, rest) = bytes.as_chunks::<8>();
    for (word, chunk) in words.iter().zip(chunks) {
        word.store(u64::from_ne_bytes(*chunk), Ordering::Relaxed);
    }
    if let (Some(word), false) = (words.get(chunks.len()), rest.is_empty()) {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        word.store(u64::from_ne_bytes(last), Ordering::Relaxed);
    }
}

fn copy_out(words: &[AtomicU64], length: usize, out: &mut Vec<u8>) {
    let words = &words[..words.len().min(length.div_ceil(8))];
    let start = out.len();
    out.resize(start + words.len() * 8, 0);
    let (chunks, _) = out[start..].as_chunks_mut::<8>();
    for (chunk, word) in chunks.iter_mut().zip(words) {
        *chunk = word.load(Ordering::Relaxed).to_ne_bytes();
    }
    out.truncate(start + length);
}

fn is_in(words: &[AtomicU64], bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let same = |(word, chunk): (&AtomicU64, &[u8; 8])| word.load(Ordering::Relaxed) == u64::from_ne_bytes(*chunk);
    if words.len() < bytes.len().div_ceil(8) || !words.iter().zip(chunks).all(same) {
        return false;
    }
    let last = words.get(chunks.len()).map_or(0, |word| word.load(Ordering::Relaxed)).to_ne_bytes();
    rest.iter().zip(last).all(|(one, other)| *one == other)
}
