//! Readers beside writers.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Home, small};
use crate::cache::Outcome;
use crate::cache::Settings as CacheSettings;

/// A value that shows whether it is whole: all its bytes are its first one, and so many.
fn value(number: u8) -> Vec<u8> {
    vec![number; usize::from(number) + 1]
}

#[test]
fn who_reads_beside_writers_gets_whole_values_of_the_right_key() {
    let settings = CacheSettings { bitmap: true, items: 12, blocks: 200, ..small() };
    let home = Home::of(&settings);
    let ends = AtomicBool::new(false);
    home.cache().put(b"stays", &value(200), 0, 1);
    std::thread::scope(|scope| {
        for writer in 0..2_u64 {
            let (home, ends) = (&home, &ends);
            scope.spawn(move || {
                let (cache, mut random) = (home.cache(), fastrand::Rng::with_seed(writer));
                for now in 1..15_000 {
                    let number = random.u8(1..8);
                    let key = [b'k', number % 8];
                    match random.u8(..3) {
                        0 => assert_ne!(cache.delete(&key, now), Outcome::Unfit),
                        _ => assert_ne!(cache.put(&key, &value(number + 8 * random.u8(..20)), 0, now), Outcome::Unfit),
                    }
                }
                ends.store(true, Ordering::Relaxed);
            });
        }
        for reader in 0..2_u64 {
            let (home, ends) = (&home, &ends);
            scope.spawn(move || {
                let (cache, mut random, mut found) = (home.cache(), fastrand::Rng::with_seed(reader), Vec::new());
                while !ends.load(Ordering::Relaxed) {
                    let key = [b'k', random.u8(1..8)];
                    found.clear();
                    if cache.get(&key, 1, &mut found).is_some() {
                        assert_eq!(found, value(found[0]), "torn");
                        assert_eq!(found[0] % 8, key[1], "another key's");
                    }
                    assert!(cache.exists(b"stays", 1), "what nobody touches is always there");
                }
            });
        }
    });
    home.cache().inspect();
}
