//! Making a cache, finding one again, and telling of one without using it.

use std::sync::atomic::AtomicU64;

use super::figures::Figures;
use super::geometry::Geometry;
use super::memory::{Foreign, Memory};

/// Makes an empty cache of zeroed memory. `seed`: a number that nobody can guess, so that nobody can choose keys that all
/// meet in one place.
pub fn create(words: &[AtomicU64], geometry: &Geometry, seed: u64) {
    Memory::new(words, &geometry.layout()).format(seed);
}

/// Takes what an instance before has left in a file: all entries that are whole. Nobody else may use it yet. Returns how
/// many there are.
///
/// # Errors
/// What is there is no cache of this geometry.
pub fn reopen(words: &[AtomicU64], geometry: &Geometry) -> Result<u64, Foreign> {
    let layout = geometry.layout();
    let memory = Memory::new(words, &layout);
    memory.judge()?;
    Ok(memory.rebuild())
}

/// What there is to tell of a cache, without a lock.
pub fn figures(words: &[AtomicU64], geometry: &Geometry) -> Figures {
    Figures::of(&Memory::new(words, &geometry.layout()))
}
