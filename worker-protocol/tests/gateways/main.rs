//! The codecs of SCGI, FastCGI and the PROXY protocol: whole, at every split, with bytes behind, and mutated.

mod fastcgi;
mod proxy;
mod scgi;
#[path = "../three_ways/mod.rs"]
mod three_ways;

use std::fs;
use std::path::Path;

use fastrand::Rng;
use testkit::mutation::{MUTANTS_OF_A_SEED, try_mutants};
use testkit::seeds::Seeds;

/// One to three changes: a byte, a bit, a cut, a doubled or removed piece.
fn mutate(random: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..=random.usize(..3) {
        let at = random.usize(..bytes.len().max(1)).min(bytes.len());
        let end = at + random.usize(..=(bytes.len() - at).min(20));
        match random.usize(..5) {
            0 if at < bytes.len() => bytes[at] = random.u8(..),
            1 if at < bytes.len() => bytes[at] ^= 1 << random.usize(..8),
            2 if random.bool() => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            _ => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
}

/// The committed corpus of a fuzz target.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = fs::read_dir(directory).expect("the corpus is committed");
    files.map(|entry| fs::read(entry.expect("readable").path()).expect("readable")).collect()
}

/// Runs a fuzz target's body over its committed corpus, over `originals`, and over mutants of both.
fn survive_mutants(target: &str, mut originals: Vec<Vec<u8>>, mutants: usize, exercise: fn(&[u8])) {
    originals.extend(corpus(target));
    assert!(originals.len() >= 6, "hardly anything to start from");
    originals.iter().for_each(|original| exercise(original));
    let originals = &originals;
    Seeds::of_this_run(mutants as u64 / MUTANTS_OF_A_SEED as u64)
        .try_all(|(): &mut (), seed| try_mutants(seed, originals, mutate, exercise, |_| {}));
}

/// The pairs of a block, as text.
fn pairs(mut block: &[u8]) -> Vec<(String, String)> {
    let mut take = || {
        let (length, rest) = block.split_first_chunk()?;
        let (text, rest) = rest.split_at(usize::from(u16::from_le_bytes(*length)));
        block = rest;
        Some(text.escape_ascii().to_string())
    };
    std::iter::from_fn(|| take().zip(take())).collect()
}
