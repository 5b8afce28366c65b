//! The codecs of SCGI, FastCGI and the PROXY protocol: whole, at every split, with bytes behind, and mutated.

mod fastcgi;
mod proxy;
mod scgi;
#[path = "../three_ways/mod.rs"]
mod three_ways;

use std::fs;
use std::path::Path;

use fastrand::Rng;
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

/// Mutants that are made of one seed.
const BATCH: usize = 1_000;

/// Runs a fuzz target's body over its committed corpus, over `originals`, and over mutants of both.
fn survive_mutants(target: &str, mut originals: Vec<Vec<u8>>, mutants: usize, exercise: fn(&[u8])) {
    originals.extend(corpus(target));
    assert!(originals.len() >= 6, "hardly anything to start from");
    originals.iter().for_each(|original| exercise(original));
    let originals = &originals;
    Seeds::of_this_run(mutants as u64 / BATCH as u64).try_all(|(): &mut (), seed| {
        let mut random = Rng::with_seed(seed);
        for number in 0..BATCH {
            let mut mutant = originals[number % originals.len()].clone();
            mutate(&mut random, &mut mutant);
            let outcome = std::panic::catch_unwind(|| exercise(&mutant));
            outcome.map_err(|_| format!("mutant {number}: {}", mutant.escape_ascii()))?;
        }
        Ok(())
    });
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
