//! The queue of an instance in shared memory (uWSGI's manual, "The uWSGI queue framework"): a ring of slots that is used from
//! both ends. Pure: words of memory come in as arguments.
//!
//! Who uses it holds a lock, which the kernel gives back when its owner dies. A change is written down whole before it is made,
//! so that the next owner finishes it where one has died in the middle: there is never half an item, nor one that is in the
//! ring without its place having been counted. An item is written into a block that nobody else uses; the ring's slots say in
//! which block their items are.
//!
//! A file that a fall of the machine has left torn, with some of its pages older than others, is put right before anybody uses it
//! (`recovery`): each item has a checksum for that.
//!
//! Nothing that stands in the memory is believed: an application may have written anything there.

mod geometry;
mod recovery;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};

pub use geometry::{Geometry, LOCK_WORDS, Settings, Unfit};

use geometry::{CHECKSUM_WORDS, Places};

use crate::checksum::mix;

/// Words of the header, behind the lock.
#[derive(Debug, Clone, Copy)]
enum Head {
    /// The numbers of the layout.
    Numbers = LOCK_WORDS as isize,
    /// Where the next item is pushed (upper half), and which one is pulled next.
    Positions = LOCK_WORDS as isize + 4,
    /// The block that no slot has.
    Spare,
    /// Whether a change is written down that may not be made yet.
    Pending,
    /// The change: which slot, what it says then, and what the two words above say.
    NextSlot,
    NextEntry,
    NextSpare,
    NextPositions,
}

/// The ring in some memory, whose lock is the caller's.
#[derive(Debug, Clone, Copy)]
pub struct Ring<'m> {
    words: &'m [AtomicU64],
    places: Places,
    slots: u32,
    item_bytes: usize,
    numbers: [u64; 4],
}

/// What a slot says: where its item is, and how long that is. An item of no bytes is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    block: u32,
    bytes: u32,
}

impl Entry {
    fn word(self) -> u64 {
        (u64::from(self.block) << 32) | u64::from(self.bytes)
    }

    fn of(word: u64) -> Self {
        Self { block: (word >> 32) as u32, bytes: word as u32 }
    }
}

/// Where both ends are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Positions {
    push: u32,
    pull: u32,
}

/// Where a checksum begins.
const FORMAT_SEED: u64 = 0x5248_5155;

/// What there is to read of nothing.
static NOWHERE: AtomicU64 = AtomicU64::new(0);

impl<'m> Ring<'m> {
    /// The ring in this memory; `None` where there is no room for it.
    pub fn at(words: &'m [AtomicU64], geometry: &Geometry) -> Option<Self> {
        let fits = words.len() >= geometry.words();
        fits.then(|| Self {
            words,
            places: geometry.places(),
            slots: geometry.slots,
            item_bytes: geometry.item_bytes(),
            numbers: geometry.numbers(),
        })
    }

    /// Makes it an empty ring. Nobody else uses the memory yet.
    pub fn make(&self) {
        for (index, number) in self.numbers.iter().enumerate() {
            self.word(Head::Numbers as usize + index).store(*number, Ordering::Relaxed);
        }
        for slot in 0..self.slots {
            self.slot(slot).store(Entry { block: slot, bytes: 0 }.word(), Ordering::Relaxed);
        }
        self.write(Head::Pending, 0);
        self.write(Head::Spare, u64::from(self.slots));
        self.write(Head::Positions, 0);
    }

    /// Whether such a ring was made here before.
    pub fn is_made(&self) -> bool {
        let found = |index: usize| self.word(Head::Numbers as usize + index).load(Ordering::Relaxed);
        self.numbers.iter().enumerate().all(|(index, number)| found(index) == *number)
    }

    /// Finishes what an owner of the lock before has written down and not made. For each owner, before anything else.
    pub fn mend(&self) {
        if self.read(Head::Pending) != 0 {
            self.make_change();
        }
    }

    /// Puts an item in behind the newest one. Where all slots have one, the oldest goes. False: it is empty or too long.
    pub fn push(&self, item: &[u8]) -> bool {
        let Positions { push, pull } = self.positions();
        // What is written over is not to be pulled any more: the next one is the oldest then.
        let pulls_next = if push == pull && self.entry(push).bytes > 0 { self.after(pull) } else { pull };
        self.place(push, item, Positions { push: self.after(push), pull: pulls_next })
    }

    /// Takes the newest item out.
    pub fn pop(&self) -> Option<Vec<u8>> {
        let Positions { push, pull } = self.positions();
        let newest = self.before(push);
        let item = self.get(newest)?;
        self.empty(newest, Positions { push: newest, pull });
        Some(item)
    }

    /// Takes the oldest item out.
    pub fn pull(&self) -> Option<Vec<u8>> {
        let Positions { push, pull } = self.positions();
        let item = self.get(pull)?;
        self.empty(pull, Positions { push, pull: self.after(pull) });
        Some(item)
    }

    /// The item of a slot.
    pub fn get(&self, slot: u32) -> Option<Vec<u8>> {
        let Entry { block, bytes } = self.entry(slot);
        if bytes == 0 || slot >= self.slots {
            return None;
        }
        let item = self.block(block).get(CHECKSUM_WORDS..).unwrap_or_default();
        let words = item.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes());
        Some(words.take(bytes as usize).collect())
    }

    /// Puts an item into a slot, wherever the ends are. False: it is empty or too long, or there is no such slot.
    pub fn set(&self, slot: u32, item: &[u8]) -> bool {
        slot < self.slots && self.place(slot, item, self.positions())
    }

    /// The newest items, the newest one first; `None` where a slot has none.
    pub fn last(&self, count: u32) -> Vec<Option<Vec<u8>>> {
        let mut slot = self.positions().push;
        let mut one = || {
            slot = self.before(slot);
            self.get(slot)
        };
        (0..count.min(self.slots)).map(|_| one()).collect()
    }

    /// The slot that the next item is pushed into.
    pub fn push_slot(&self) -> u32 {
        self.positions().push
    }

    /// The slot that is pulled next.
    pub fn pull_slot(&self) -> u32 {
        self.positions().pull
    }

    /// Items between both ends, without looking at each slot; also for who does not have the lock, to whom it may be a moment
    /// old.
    pub fn between_ends(&self) -> u32 {
        let Positions { push, pull } = self.positions();
        match push.checked_sub(pull) {
            Some(0) if self.entry(push).bytes > 0 => self.slots,
            Some(count) => count,
            None => (self.slots - pull.min(self.slots)).saturating_add(push),
        }
    }

    /// How many slots have an item. Without a lock this is about right.
    pub fn items(&self) -> u32 {
        let full = (0..self.slots).filter(|slot| self.entry(*slot).bytes > 0).count();
        u32::try_from(full).unwrap_or(u32::MAX)
    }

    /// Writes an item into the spare block, and has a slot show it.
    fn place(&self, slot: u32, item: &[u8], positions: Positions) -> bool {
        if item.is_empty() || item.len() > self.item_bytes {
            return false;
        }
        let spare = self.spare();
        let bytes = u32::try_from(item.len()).unwrap_or(0);
        let (checksum, words) = self.block(spare).split_at(CHECKSUM_WORDS.min(self.block(spare).len()));
        for (word, chunk) in words.iter().zip(item.chunks(8)) {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            word.store(u64::from_ne_bytes(bytes), Ordering::Relaxed);
        }
        if let Some(word) = checksum.first() {
            word.store(self.checksum(Entry { block: spare, bytes }), Ordering::Relaxed);
        }
        self.change(slot, Entry { block: spare, bytes }, self.entry(slot).block, positions);
        true
    }

    /// What stands before an item that is whole.
    fn checksum(&self, entry: Entry) -> u64 {
        let words = (entry.bytes as usize).div_ceil(8);
        let item = self.block(entry.block).iter().skip(CHECKSUM_WORDS).take(words);
        item.fold(mix(FORMAT_SEED, entry.bytes.into()), |state, word| mix(state, word.load(Ordering::Relaxed)))
    }

    fn empty(&self, slot: u32, positions: Positions) {
        let Entry { block, .. } = self.entry(slot);
        self.change(slot, Entry { block, bytes: 0 }, self.spare(), positions);
    }

    /// Writes a change down and makes it.
    fn change(&self, slot: u32, entry: Entry, spare: u32, positions: Positions) {
        self.write(Head::NextSlot, slot.into());
        self.write(Head::NextEntry, entry.word());
        self.write(Head::NextSpare, spare.into());
        self.write(Head::NextPositions, (u64::from(positions.push) << 32) | u64::from(positions.pull));
        // From here on it happens, whoever finishes it.
        self.write(Head::Pending, 1);
        self.make_change();
    }

    /// The same again changes nothing more.
    fn make_change(&self) {
        let slot = u32::try_from(self.read(Head::NextSlot)).unwrap_or(u32::MAX);
        if slot < self.slots {
            self.slot(slot).store(self.read(Head::NextEntry), Ordering::Release);
        }
        self.write(Head::Spare, self.read(Head::NextSpare));
        self.write(Head::Positions, self.read(Head::NextPositions));
        self.write(Head::Pending, 0);
    }

    fn positions(&self) -> Positions {
        let word = self.read(Head::Positions);
        let within = |position: u32| if position < self.slots { position } else { 0 };
        Positions { push: within((word >> 32) as u32), pull: within(word as u32) }
    }

    fn spare(&self) -> u32 {
        u32::try_from(self.read(Head::Spare)).unwrap_or(0).min(self.slots)
    }

    fn entry(&self, slot: u32) -> Entry {
        let Entry { block, bytes } = Entry::of(self.slot(slot).load(Ordering::Acquire));
        Entry { block: block.min(self.slots), bytes: bytes.min(u32::try_from(self.item_bytes).unwrap_or(u32::MAX)) }
    }

    fn after(&self, slot: u32) -> u32 {
        if slot + 1 < self.slots { slot + 1 } else { 0 }
    }

    fn before(&self, slot: u32) -> u32 {
        slot.checked_sub(1).unwrap_or(self.slots - 1)
    }

    fn slot(&self, slot: u32) -> &'m AtomicU64 {
        self.word(self.places.slots + slot as usize)
    }

    fn block(&self, block: u32) -> &'m [AtomicU64] {
        let start = self.places.blocks + block as usize * self.places.block_words;
        self.words.get(start..start + self.places.block_words).unwrap_or(&[])
    }

    fn read(&self, head: Head) -> u64 {
        self.word(head as usize).load(Ordering::Acquire)
    }

    fn write(&self, head: Head, value: u64) {
        self.word(head as usize).store(value, Ordering::Release);
    }

    fn word(&self, index: usize) -> &'m AtomicU64 {
        #[cfg(test)]
        tests::step();
        self.words.get(index).unwrap_or(&NOWHERE)
    }
}
