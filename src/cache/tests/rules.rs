//! What a cache answers.

use std::collections::BTreeMap;

use super::{Home, small};
use crate::cache::Settings as CacheSettings;
use crate::cache::{Arithmetic, Geometry, Outcome};

#[test]
fn entries_are_added_replaced_and_removed() {
    let home = Home::of(&small());
    let cache = home.cache();
    assert_eq!(cache.add(b"k", b"one", 0, 1), Outcome::Done);
    assert_eq!(cache.add(b"k", b"two", 0, 2), Outcome::Exists);
    assert_eq!(cache.value("k", 3).as_deref(), Some(&b"one"[..]));
    assert_eq!(cache.put(b"k", b"three", 0, 4), Outcome::Done);
    assert_eq!(cache.value("k", 5).as_deref(), Some(&b"three"[..]));
    assert!(cache.exists(b"k", 5) && !cache.exists(b"j", 5));
    assert_eq!(cache.keys(5), [b"k".to_vec()]);
    assert_eq!((cache.delete(b"k", 6), cache.delete(b"k", 7)), (Outcome::Done, Outcome::Absent));
    assert_eq!(cache.value("k", 8), None);
    let figures = crate::cache::figures(&home.words, &home.geometry);
    assert_eq!((figures.entries, figures.hits, figures.misses, figures.full), (0, 2, 1, 0));
}

#[test]
fn a_value_is_swapped_only_for_the_one_that_was_seen() {
    let home = Home::of(&small());
    let cache = home.cache();
    assert_eq!(cache.swap(b"k", b"one", b"two", 0, 1), Outcome::Absent);
    cache.put(b"k", b"one", 50, 1);
    assert_eq!(cache.swap(b"k", b"on", b"two", 0, 2), Outcome::Exists);
    assert_eq!(cache.swap(b"k", b"one", b"two", 60, 2), Outcome::Done);
    assert_eq!((cache.value("k", 59).as_deref(), cache.value("k", 60)), (Some(&b"two"[..]), None));
    assert_eq!(cache.swap(b"k", b"two", b"three", 0, 60), Outcome::Absent, "it has expired");
    cache.inspect();
}

#[test]
fn what_does_not_fit_is_refused() {
    let home = Home::of(&small());
    let cache = home.cache();
    for (key, value) in [("", "v"), ("k", ""), ("k", "seventeen bytes!!"), ("thirteen-byte", "v")] {
        assert_eq!(cache.put(key.as_bytes(), value.as_bytes(), 0, 1), Outcome::Unfit, "{key:?} {value:?}");
    }
    assert_eq!(cache.put(b"twelve-bytes", b"sixteen bytes!!!", 0, 1), Outcome::Done);
    assert_eq!(cache.value("twelve-bytes", 2).as_deref(), Some(&b"sixteen bytes!!!"[..]));
    let huge = CacheSettings { items: u64::MAX, keysize: 65_535, ..small() };
    assert!(Geometry::of(&huge).is_err());
}

#[test]
fn a_cache_holds_as_many_entries_as_configured_and_says_once_a_minute_that_it_is_full() {
    let home = Home::of(&small());
    let cache = home.cache();
    for key in ["1", "2", "3", "4", "5"] {
        assert_eq!(cache.put(key.as_bytes(), b"v", 0, 1), Outcome::Done);
    }
    assert_eq!(cache.put(b"6", b"v", 0, 2), Outcome::Full { tell: true });
    assert_eq!(cache.put(b"6", b"v", 0, 3), Outcome::Full { tell: false });
    assert_eq!(cache.put(b"6", b"v", 0, 60_000_002), Outcome::Full { tell: true });
    assert_eq!(cache.put(b"5", b"w", 0, 4), Outcome::Done, "replacing needs no room");
    assert_eq!(crate::cache::figures(&home.words, &home.geometry).full, 3);
    cache.inspect();
}

#[test]
fn what_has_expired_is_not_seen_and_in_nobodys_way() {
    let home = Home::of(&small());
    let cache = home.cache();
    cache.put(b"k", b"v", 100, 1);
    assert!(cache.exists(b"k", 99) && !cache.exists(b"k", 100));
    assert_eq!((cache.value("k", 100), cache.keys(100).len()), (None, 0));
    assert_eq!(cache.delete(b"k", 100), Outcome::Absent);
    cache.put(b"k", b"v", 100, 1);
    assert_eq!(cache.add(b"k", b"w", 0, 101), Outcome::Done);
    for key in ["1", "2", "3", "4"] {
        cache.put(key.as_bytes(), b"v", 200, 102);
    }
    assert_eq!(cache.put(b"5", b"v", 0, 199), Outcome::Full { tell: true });
    assert_eq!(cache.put(b"5", b"v", 0, 200), Outcome::Done);
    assert_eq!(crate::cache::figures(&home.words, &home.geometry).entries, 2);
    cache.inspect();
}

#[test]
fn writers_sweep_now_and_then() {
    let entries = |settings: &CacheSettings| {
        let home = Home::of(settings);
        let cache = home.cache();
        cache.put(b"soon", b"v", 4_000_000, 1_000_000);
        cache.put(b"k", b"v", 0, 4_500_000);
        cache.put(b"k", b"w", 0, 7_500_000);
        crate::cache::figures(&home.words, &home.geometry).entries
    };
    assert_eq!(entries(&small()), 1);
    assert_eq!(entries(&CacheSettings { lazy_expire: true, ..small() }), 2);
    assert_eq!(entries(&CacheSettings { no_expire: true, ..small() }), 2);
}

#[test]
fn when_full_the_least_recently_used_goes_or_all_go() {
    let home = Home::of(&CacheSettings { purge_lru: true, ..small() });
    let cache = home.cache();
    for (now, key) in ["1", "2", "3", "4", "5"].into_iter().enumerate() {
        cache.put(key.as_bytes(), b"v", 0, now as u64 + 1);
    }
    cache.value("1", 10);
    cache.exists(b"2", 11);
    assert_eq!(cache.put(b"6", b"v", 0, 12), Outcome::Done);
    assert!(cache.exists(b"1", 13) && !cache.exists(b"2", 13), "asking whether it exists is no use of it");
    let home = Home::of(&CacheSettings { clear_on_full: true, ..small() });
    let cache = home.cache();
    for key in ["1", "2", "3", "4", "5", "6"] {
        assert_eq!(cache.put(key.as_bytes(), b"v", 0, 1), Outcome::Done);
    }
    assert_eq!(cache.keys(2), [b"6".to_vec()]);
}

#[test]
fn counters_count_and_wrap_and_begin_where_they_should() {
    let home = Home::of(&CacheSettings { math_initial: 10, ..small() });
    let cache = home.cache();
    let calculate = |what, number| cache.calculate(b"n", what, number, 0, 1);
    assert_eq!(cache.number(b"n", 1), 0);
    assert_eq!(calculate(Arithmetic::Add, 5), Outcome::Done);
    assert_eq!(cache.number(b"n", 1), 15);
    calculate(Arithmetic::Multiply, i64::MAX);
    assert_eq!(cache.number(b"n", 1), 15_i64.wrapping_mul(i64::MAX));
    calculate(Arithmetic::Divide, 0);
    calculate(Arithmetic::Subtract, 3);
    assert_eq!(cache.number(b"n", 1), -3);
    cache.put(b"n", b"text", 0, 1);
    assert_eq!(calculate(Arithmetic::Add, 1), Outcome::Unfit);
    assert_eq!(cache.value("n", 1).as_deref(), Some(&b"text"[..]));
    cache.calculate(b"m", Arithmetic::Add, 1, 50, 1);
    cache.calculate(b"m", Arithmetic::Add, 1, 500, 2);
    assert_eq!(cache.number(b"m", 49), 12);
    assert_eq!(cache.number(b"m", 51), 0, "the expiry is that of the first value");
}

#[test]
fn values_span_blocks_wherever_there_is_a_run_of_them() {
    let home = Home::of(&CacheSettings { bitmap: true, blocksize: 8, blocks: 10, items: 10, ..small() });
    let cache = home.cache();
    assert_eq!(cache.put(b"a", &[1; 24], 0, 1), Outcome::Done);
    assert_eq!(cache.delete(b"a", 2), Outcome::Done);
    assert_eq!(cache.put(b"whole", &[2; 80], 0, 3), Outcome::Done, "an empty cache has room for its largest value");
    assert_eq!(cache.put(b"more", b"x", 0, 4), Outcome::Full { tell: true });
    assert_eq!(cache.put(b"whole", &[3; 72], 0, 5), Outcome::Done, "the old one gives room to the new one");
    assert_eq!(cache.put(b"more", b"x", 0, 6), Outcome::Done);
    assert_eq!(cache.value("whole", 7), Some(vec![3; 72]));
    cache.inspect();
    assert_eq!(crate::cache::figures(&home.words, &home.geometry).blocks_taken, 10);
}

/// Any number of changes, beside a plain map.
#[test]
fn it_answers_as_a_map_does() {
    let mut random = fastrand::Rng::with_seed(1);
    for round in 0..60 {
        let bitmap = round % 2 == 1;
        let settings = CacheSettings { items: 8, blocks: 24, blocksize: 8, hashsize: 3, bitmap, ..small() };
        let home = Home::of(&settings);
        let (cache, mut map) = (home.cache(), BTreeMap::<Vec<u8>, (Vec<u8>, u64)>::new());
        for now in 1..400 {
            let key = format!("key-{}", random.u32(..12)).into_bytes();
            let value = vec![random.u8(1..); random.usize(1..if bitmap { 40 } else { 9 })];
            let expires = if random.bool() { 0 } else { now + random.u64(1..60) };
            map.retain(|_, (_, expires)| *expires == 0 || *expires > now);
            match random.u8(..8) {
                0..3 => match cache.put(&key, &value, expires, now) {
                    Outcome::Done => drop(map.insert(key, (value, expires))),
                    Outcome::Full { .. } => drop(map.remove(&key)),
                    other => panic!("{other:?}"),
                },
                3 => {
                    let outcome = cache.add(&key, &value, expires, now);
                    assert_eq!(outcome == Outcome::Exists, map.contains_key(&key));
                    if outcome == Outcome::Done {
                        map.insert(key, (value, expires));
                    }
                }
                4 => {
                    let there = map.remove(&key).is_some();
                    assert_eq!(cache.delete(&key, now) == Outcome::Done, there);
                }
                5 if random.u8(..20) == 0 => {
                    cache.clear(now);
                    map.clear();
                }
                _ => {
                    let mut found = Vec::new();
                    let told = cache.get(&key, now, &mut found).map(|told| (found, told.expires_us));
                    assert_eq!(told.as_ref(), map.get(&key));
                }
            }
            cache.inspect();
            let mut keys = cache.keys(now);
            keys.sort();
            assert!(keys.iter().eq(map.keys()), "{keys:?} {:?}", map.keys());
        }
    }
}
