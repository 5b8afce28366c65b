//! Notices repeated keys while the variables of a request are read, in linear time and without a table of keys.
//!
//! It only notices; joining is `variables`' business. Runs in the worker.

use crate::pairs::Pair;

/// Notices repeated keys without a table of keys: a filter of 4,096 bits with two per key, which 20 keys hit by chance
/// once in some 2,000 requests. A hit is looked at exactly, a few times; a packet made of hits is called repeated.
pub(super) struct SeenKeys {
    filter: [u64; 64],
    false_hits_left: u8,
    repeated: bool,
}

impl Default for SeenKeys {
    fn default() -> SeenKeys {
        SeenKeys { filter: [0; 64], false_hits_left: 8, repeated: false }
    }
}

impl SeenKeys {
    /// Whether a key was repeated; packets built for it make this `true` without one.
    pub(super) fn any_repeated(&self) -> bool {
        self.repeated
    }

    /// Notes the next key; `earlier` gives the pairs before it.
    #[inline]
    pub(super) fn note<'a, E: Iterator<Item = Pair<'a>>>(&mut self, key: &[u8], earlier: impl FnOnce() -> E) {
        let hash = hash(key);
        let first = self.set(hash >> 52);
        let second = self.set((hash >> 40) & 0xfff);
        if first && second && !self.repeated {
            self.look_closer(key, earlier());
        }
    }

    /// Sets one of the 4,096 bits; whether it was set before.
    #[inline]
    fn set(&mut self, bit: u64) -> bool {
        let word = &mut self.filter[(bit >> 6) as usize & 63];
        let mask = 1 << (bit & 63);
        let was_set = *word & mask != 0;
        *word |= mask;
        was_set
    }

    #[cold]
    fn look_closer<'a>(&mut self, key: &[u8], mut earlier: impl Iterator<Item = Pair<'a>>) {
        self.false_hits_left = self.false_hits_left.saturating_sub(1);
        self.repeated = self.false_hits_left == 0 || earlier.any(|(other, _)| other == key);
    }
}

/// Mixes length, the first eight bytes after `HTTP_`'s place and the last eight into the upper bits.
#[inline]
fn hash(key: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let word = |bytes: Option<&[u8; 8]>| bytes.map(|bytes| u64::from_le_bytes(*bytes));
    let last = word(key.last_chunk()).unwrap_or_else(|| key.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)));
    let middle = key.get(5..).and_then(|rest| word(rest.first_chunk())).unwrap_or(0);
    let mixed = (last ^ key.len() as u64).wrapping_mul(ODD) ^ middle;
    (mixed ^ mixed >> 32).wrapping_mul(ODD)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn keys_made_to_collide_are_looked_at_a_few_times_only() {
        // The filter looks at both ends of a key: keys that differ only between collide.
        let keys: Vec<String> = (0..4_000).map(|index| format!("HTTP_X_AAAAAAAAAA{index:05}AAAAAAAA")).collect();
        let looked_at = Cell::new(0);
        let mut seen = SeenKeys::default();
        for (index, key) in keys.iter().enumerate() {
            let earlier = keys[..index].iter().map(|key| (key.as_bytes(), b"".as_slice()));
            seen.note(key.as_bytes(), || earlier.inspect(|_| looked_at.set(looked_at.get() + 1)));
        }
        assert!(seen.any_repeated(), "they are called repeated");
        assert!(looked_at.get() < keys.len(), "{} looks at {} keys", looked_at.get(), keys.len());
    }
}
