//! Which blocks of data are taken: a bit for each (`bitmap`). For the owner of the lock.

use std::sync::atomic::Ordering;

use super::entry::Run;
use super::memory::{Head, Memory, bit};

impl Memory<'_> {
    /// How many blocks a value of this length takes.
    pub(super) fn blocks_for(&self, bytes: usize) -> usize {
        bytes.div_ceil(self.block_bytes)
    }

    /// Finds so many free blocks one behind the other, from where the last search ended.
    pub(super) fn free_run(&self, count: usize) -> Option<Run> {
        let start = (self.read(Head::BlockHand) as usize).min(self.blocks);
        let first = self.free_from(start, self.blocks, count);
        // What begins before may reach beyond.
        let first = first.or_else(|| self.free_from(0, self.blocks.min(start + count - 1), count))?;
        self.write(Head::BlockHand, (first + count) as u64);
        Some(Run { first, count })
    }

    fn free_from(&self, start: usize, end: usize, count: usize) -> Option<usize> {
        let (mut first, mut length, mut block) = (start, 0, start);
        while block < end {
            let taken = self.map_word(block);
            if block.is_multiple_of(64) && taken == u64::MAX {
                block += 64;
                (first, length) = (block, 0);
                continue;
            }
            if taken & bit(block) == 0 {
                length += 1;
            } else {
                (first, length) = (block + 1, 0);
            }
            if length == count {
                return Some(first);
            }
            block += 1;
        }
        None
    }

    /// Whether all blocks of a run are there and free.
    pub(super) fn is_free(&self, run: Run) -> bool {
        let fits = run.first.checked_add(run.count).is_some_and(|end| end <= self.blocks);
        fits && (run.first..run.first + run.count).all(|block| self.map_word(block) & bit(block) == 0)
    }

    /// Marks the blocks of a run.
    pub(super) fn mark(&self, run: Run, taken: bool) {
        let end = run.first.saturating_add(run.count).min(self.blocks);
        for block in run.first..end {
            let word = self.word(self.places.map + block / 64);
            let value = word.load(Ordering::Relaxed);
            word.store(if taken { value | bit(block) } else { value & !bit(block) }, Ordering::Release);
        }
    }

    /// Blocks that are taken.
    pub(super) fn blocks_taken(&self) -> usize {
        let map = self.range(self.places.map, self.places.map_words);
        map.iter().map(|word| word.load(Ordering::Relaxed).count_ones() as usize).sum()
    }

    fn map_word(&self, block: usize) -> u64 {
        self.word(self.places.map + block / 64).load(Ordering::Relaxed)
    }
}
