//! Bytes that are nearly right: what stands in for a fuzzer where there is none.

use fastrand::Rng;

/// Numbers at which lengths go wrong.
const EDGES: [u16; 7] = [0, 1, 0xff, 0x100, 0x7fff, 0x8000, 0xffff];

/// One to four changes: a byte, a bit, a number of 16 bits, a cut, a piece removed or doubled.
pub fn mutate(random: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..=random.usize(..4) {
        let at = random.usize(..bytes.len().max(1));
        match random.usize(..6) {
            0 if !bytes.is_empty() => bytes[at] = random.u8(..),
            1 if !bytes.is_empty() => bytes[at] ^= 1 << random.usize(..8),
            2 if at + 2 <= bytes.len() => {
                let number = EDGES.get(random.usize(..=EDGES.len())).copied().unwrap_or(bytes.len() as u16);
                bytes[at..at + 2].copy_from_slice(&number.to_le_bytes());
            }
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(piece(random, bytes, at))),
            _ => {
                let piece = bytes[piece(random, bytes, at)].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
}

/// The same, or pieces put in that mean something where the bytes are read: one to four of `pieces`.
pub fn mutate_with(random: &mut Rng, bytes: &mut Vec<u8>, pieces: &[&str]) {
    if random.usize(..4) == 0 {
        return mutate(random, bytes);
    }
    for _ in 0..=random.usize(..4) {
        let at = random.usize(..=bytes.len());
        let replaced = at..at + random.usize(..=(bytes.len() - at).min(6));
        bytes.splice(replaced, pieces[random.usize(..pieces.len())].bytes());
    }
}

/// Some of the bytes from `at` on.
fn piece(random: &mut Rng, bytes: &[u8], at: usize) -> std::ops::Range<usize> {
    let at = at.min(bytes.len());
    at..at + random.usize(..=bytes.len() - at)
}

/// How many mutants are made of one seed.
pub const MUTANTS_OF_A_SEED: usize = 1_000;

/// Makes [`MUTANTS_OF_A_SEED`] mutants of one seed, of each original in turn; `exercise` must not panic at any of them, and
/// what it survived goes to `look`.
///
/// # Errors
/// The first mutant at which it panicked.
pub fn try_mutants(
    seed: u64,
    originals: &[Vec<u8>],
    mutate: impl Fn(&mut Rng, &mut Vec<u8>),
    exercise: fn(&[u8]),
    mut look: impl FnMut(&[u8]),
) -> Result<(), String> {
    let mut random = Rng::with_seed(seed);
    for number in 0..MUTANTS_OF_A_SEED {
        let mut mutant = originals[number % originals.len()].clone();
        mutate(&mut random, &mut mutant);
        let outcome = std::panic::catch_unwind(|| exercise(&mutant));
        outcome.map_err(|_| format!("mutant {number}: {}", mutant.escape_ascii()))?;
        look(&mutant);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{mutate, mutate_with};
    use fastrand::Rng;
    use std::cmp::Ordering;
    use std::collections::HashSet;

    #[test]
    fn mutants_are_shorter_longer_and_as_long_and_come_again_with_their_seed() {
        let original: Vec<u8> = (0..40).collect();
        let mutant = |seed| {
            let mut bytes = original.clone();
            mutate(&mut Rng::with_seed(seed), &mut bytes);
            bytes
        };
        let mutants: HashSet<Vec<u8>> = (0..1_000).map(mutant).collect();
        assert!(mutants.len() > 800, "{} of 1000 are different", mutants.len());
        let lengths: HashSet<Ordering> = mutants.iter().map(|bytes| bytes.len().cmp(&original.len())).collect();
        assert_eq!(lengths.len(), 3);
        assert_eq!(mutant(5), mutant(5));
    }

    #[test]
    fn nothing_can_be_mutated_too() {
        for seed in 0..100 {
            mutate(&mut Rng::with_seed(seed), &mut Vec::new());
            mutate_with(&mut Rng::with_seed(seed), &mut Vec::new(), &["a"]);
        }
    }

    #[test]
    fn pieces_are_put_in() {
        let mut bytes = vec![b'.'; 40];
        (0..20).for_each(|seed| mutate_with(&mut Rng::with_seed(seed), &mut bytes, &["<piece>"]));
        assert!(bytes.windows(7).any(|window| window == b"<piece>"));
    }
}
