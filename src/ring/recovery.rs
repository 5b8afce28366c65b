//! A ring whose memory a fall of the machine has left as a mixture of older and newer pages: what is whole of it stays, in its
//! order, and each block has one place again. Pure; used in the master, before anybody else uses the ring.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::{Entry, Head, Positions, Ring};

impl Ring<'_> {
    /// Puts the ring right; how many items were torn and are left out.
    pub fn recover(&self) -> u32 {
        self.mend();
        let Positions { pull, .. } = self.positions();
        let inside = self.between_ends().min(self.slots) as usize;
        let order: Vec<u32> = (pull..self.slots).chain(0..pull).collect();
        let mut blocks: BTreeSet<u32> = (0..=self.slots).collect();
        let mut torn = 0;
        let found: Vec<Option<Entry>> = order
            .iter()
            .map(|slot| {
                let entry = self.entry(*slot);
                let is_whole = entry.bytes > 0 && self.is_whole(entry) && blocks.remove(&entry.block);
                torn += u32::from(entry.bytes > 0 && !is_whole);
                is_whole.then_some(entry)
            })
            .collect();
        // Between the ends no slot is without an item, beyond them one may have been set.
        let is_mixed = torn > 0 || found[..inside].contains(&None);
        let (entries, count) = if is_mixed {
            let kept: Vec<Option<Entry>> = found.iter().copied().filter(Option::is_some).collect();
            let count = kept.len();
            (kept.into_iter().chain(std::iter::repeat(None)).take(found.len()).collect(), count)
        } else {
            (found, inside)
        };
        for (slot, entry) in order.into_iter().zip(entries) {
            let unused = || Entry { block: blocks.pop_first().unwrap_or(self.slots), bytes: 0 };
            self.slot(slot).store(entry.unwrap_or_else(unused).word(), Ordering::Release);
        }
        self.write(Head::Spare, blocks.pop_first().unwrap_or(self.slots).into());
        let push = ((u64::from(pull) + count as u64) % u64::from(self.slots.max(1))) as u32;
        self.write(Head::Positions, (u64::from(push) << 32) | u64::from(pull));
        torn
    }

    fn is_whole(&self, entry: Entry) -> bool {
        self.block(entry.block).first().is_some_and(|word| word.load(Ordering::Relaxed) == self.checksum(entry))
    }
}
