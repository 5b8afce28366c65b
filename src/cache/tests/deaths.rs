//! A writer that dies before any of its steps, for each kind of change.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Home, SpinLock, small};
use crate::cache::Settings as CacheSettings;
use crate::cache::memory::dying::STEPS_LEFT;
use crate::cache::{Arithmetic, Cache, Outcome, reopen};

/// Whether it lived to the end.
fn dies_after(steps: u32, act: impl FnOnce() -> Outcome) -> bool {
    STEPS_LEFT.with(|left| left.set(Some(steps)));
    let lived = catch_unwind(AssertUnwindSafe(act)).is_ok();
    STEPS_LEFT.with(|left| left.set(None));
    !lived
}

type Change = fn(&Cache<'_, &SpinLock>) -> Outcome;

const CHANGES: &[(&str, Change)] = &[
    ("add", |cache| cache.add(b"new", b"a value", 0, 50)),
    ("replace", |cache| cache.put(b"old", b"another value", 0, 50)),
    ("replace, longer", |cache| cache.put(b"old", b"another value of several blocks", 0, 50)),
    ("delete", |cache| cache.delete(b"old", 50)),
    ("count", |cache| cache.calculate(b"number", Arithmetic::Add, 1, 0, 50)),
    ("clear", |cache| cache.clear(50)),
    ("sweep", |cache| cache.add(b"new", b"a value", 0, 10_000_000)),
];

fn filled(settings: &CacheSettings) -> Home {
    let home = Home::of(settings);
    let cache = home.cache();
    cache.put(b"old", b"a first value", 0, 10);
    cache.put(b"gone", b"x", 0, 11);
    cache.put(b"soon", b"expires", 5_000_000, 12);
    cache.calculate(b"number", Arithmetic::Add, 41, 0, 13);
    cache.delete(b"gone", 14);
    home
}

#[test]
fn wherever_a_writer_dies_nothing_is_lost_and_nothing_half_seen() {
    let plain = small();
    let all = [
        plain.clone(),
        CacheSettings { bitmap: true, ..plain.clone() },
        CacheSettings { items: 3, purge_lru: true, ..plain.clone() },
        CacheSettings { items: 3, bitmap: true, blocks: 4, purge_lru: true, ..plain.clone() },
        CacheSettings { items: 3, clear_on_full: true, ..plain },
    ];
    for settings in &all {
        for (name, change) in CHANGES {
            let mut steps = 0;
            loop {
                let home = filled(settings);
                let cache = home.cache();
                let died = dies_after(steps, || change(&cache));
                see_that_it_is_whole(&cache, &format!("{name}, {steps} steps, {settings:?}"));
                if !died {
                    break;
                }
                steps += 1;
            }
            assert!(steps > 1, "{name} has steps");
        }
    }
}

fn see_that_it_is_whole(cache: &Cache<'_, &SpinLock>, what: &str) {
    // Before anybody has the lock.
    let old = cache.value("old", 60);
    let known: [&[u8]; 3] = [b"a first value", b"another value", b"another value of several blocks"];
    assert!(old.as_deref().is_none_or(|old| known.contains(&old)), "{what}: {old:?}");
    let number = cache.number(b"number", 60);
    assert!([0, 41, 42].contains(&number), "{what}: {number}");
    // The next one mends.
    cache.delete(b"nothing", 60);
    cache.inspect();
    assert_eq!(cache.value("old", 60), old, "{what}: mending changes nothing that was seen");
    for key in ["1", "2", "3"] {
        cache.put(key.as_bytes(), b"later", 0, 70);
    }
    cache.inspect();
}

#[test]
fn who_dies_while_he_mends_leaves_it_to_the_next() {
    let settings = CacheSettings { bitmap: true, ..small() };
    for first in 0..120 {
        for second in (0..150).step_by(3) {
            let home = filled(&settings);
            let cache = home.cache();
            dies_after(first, || cache.put(b"old", b"another value", 0, 50));
            dies_after(second, || cache.delete(b"nothing", 51));
            see_that_it_is_whole(&cache, &format!("{first}, {second}"));
        }
    }
}

#[test]
fn a_file_that_is_opened_again_has_all_entries_that_are_whole() {
    for bitmap in [false, true] {
        let settings = CacheSettings { bitmap, store: Some("kept".into()), ..small() };
        let home = filled(&settings);
        let cache = home.cache();
        // One of two blocks never reached the disk.
        let slot = cache.memory.find(cache.memory.hash_of(b"old"), b"old").expect("an entry").slot;
        slot.value_words(3)[0].store(0, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(reopen(&home.words, &home.geometry), Ok(2));
        cache.inspect();
        assert_eq!(cache.value("old", 60), None, "it is not whole");
        assert_eq!(cache.value("soon", 60).as_deref(), Some(&b"expires"[..]));
        assert_eq!(cache.value("soon", 6_000_000), None);
        assert_eq!(cache.number(b"number", 60), 41);
    }
}

#[test]
fn of_two_entries_with_one_key_the_newer_is_found_again() {
    let settings = CacheSettings { store: Some("kept".into()), ..small() };
    let mut steps = 0;
    loop {
        let home = filled(&settings);
        let cache = home.cache();
        let died = dies_after(steps, || cache.put(b"old", b"another value", 0, 50));
        let seen = cache.value("old", 60);
        assert_eq!(reopen(&home.words, &home.geometry), Ok(3));
        cache.inspect();
        let now = cache.value("old", 60);
        assert!(now == seen || now.as_deref() == Some(b"another value"), "{steps}: {seen:?}, {now:?}");
        if !died {
            break;
        }
        steps += 1;
    }
}

#[test]
fn what_is_no_such_cache_is_refused() {
    let home = Home::of(&small());
    let other = crate::cache::Geometry::of(&CacheSettings { items: 4, ..small() }).expect("a small cache");
    assert_eq!(
        reopen(&home.words, &other).map_err(|error| error.to_string()),
        Err("it holds a cache of other sizes".to_owned())
    );
    home.words.iter().for_each(|word| word.store(3, std::sync::atomic::Ordering::Relaxed));
    let refused = reopen(&home.words, &home.geometry).map_err(|error| error.to_string());
    assert_eq!(refused, Err("it holds no cache that this version of rhinod knows".to_owned()));
}

#[test]
fn memory_that_holds_anything_ends_nobody() {
    let mut random = fastrand::Rng::with_seed(3);
    for bitmap in [false, true] {
        let home = Home::of(&CacheSettings { bitmap, purge_lru: true, ..small() });
        for _ in 0..300 {
            for word in &home.words {
                let value = if random.bool() { random.u64(..) } else { random.u64(..12) };
                word.store(value, std::sync::atomic::Ordering::Relaxed);
            }
            let cache = home.cache();
            cache.put(b"old", b"another value", 0, 50);
            cache.value("old", 60);
            cache.delete(b"old", 60);
            cache.keys(60);
            crate::cache::figures(&home.words, &home.geometry);
        }
    }
}
