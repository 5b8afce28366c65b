//! The hash of a key, and the checksum of what is kept in memory that outlives programs: the same for all versions that share one.
//! Pure; every process.

/// Two odd numbers with as many ones as zeros (the fractions of e and pi), so that products spread.
const SPREAD: [u64; 2] = [0xB7E1_5162_8AED_2A6B, 0x243F_6A88_85A3_08D3];

/// A hash that nobody can foresee who does not know the seed.
#[inline]
pub(crate) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let mut state = fold(seed ^ SPREAD[0], bytes.len() as u64 ^ SPREAD[1]);
    for chunk in chunks {
        state = fold(state ^ u64::from_le_bytes(*chunk), SPREAD[0] ^ seed.rotate_left(32));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    fold(state ^ u64::from_le_bytes(last), SPREAD[1] ^ seed)
}

/// One more word of a checksum.
#[inline]
pub(crate) fn mix(state: u64, word: u64) -> u64 {
    fold(state ^ word, SPREAD[1]).rotate_left(23) ^ word.wrapping_mul(SPREAD[0])
}

/// Both halves of a product, so that each bit of both factors counts.
#[inline]
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_spread_and_the_seed_counts() {
        let hashes: HashSet<u64> = (0..100_000).map(|n: u32| hash(7, format!("key-{n}").as_bytes())).collect();
        assert_eq!(hashes.len(), 100_000);
        let buckets: HashSet<u64> = hashes.iter().map(|hash| hash % 1_024).collect();
        assert_eq!(buckets.len(), 1_024);
        assert_ne!(hash(1, b"k"), hash(2, b"k"));
        assert_ne!(hash(1, b"k"), hash(1, b"k\0"), "the length counts");
        assert_ne!(hash(1, b"12345678"), hash(1, b"12345678\0"));
    }

    #[test]
    fn it_stays_what_it_is_since_memory_outlives_programs() {
        assert_eq!(hash(1, b"a key of any length"), 3875035781056987552);
        assert_eq!(mix(1, 2), 11748438183370296265);
    }
}
