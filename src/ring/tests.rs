//! The rules of the queue, and owners of its lock that die at any moment.

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::AtomicU64;

use super::*;

thread_local! {
    static STEPS_LEFT: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Whoever looks at the memory may die before.
pub(super) fn step() {
    STEPS_LEFT.with(|left| match left.get() {
        Some(0) => {
            left.set(None);
            resume_unwind(Box::new("dead"));
        }
        Some(steps) => left.set(Some(steps - 1)),
        None => {}
    });
}

fn geometry(slots: u64) -> Geometry {
    Geometry::of(&Settings { slots, block_bytes: 16 + 20, ..Settings::default() }).expect("it fits")
}

fn with_ring(slots: u64, act: impl FnOnce(&Ring<'_>)) {
    let geometry = geometry(slots);
    let words: Vec<AtomicU64> = (0..geometry.words()).map(|_| AtomicU64::new(0)).collect();
    let ring = Ring::at(&words, &geometry).expect("there is room");
    assert!(!ring.is_made());
    ring.make();
    assert!(ring.is_made());
    act(&ring);
}

fn text(item: Option<Vec<u8>>) -> Option<String> {
    item.map(|item| String::from_utf8(item).expect("text"))
}

#[test]
fn both_ends_and_all_slots_are_used_as_in_uwsgi() {
    with_ring(3, |ring| {
        assert_eq!((ring.pop(), ring.pull(), ring.last(1)), (None, None, vec![None]));
        assert_eq!((ring.push_slot(), ring.pull_slot()), (0, 0), "what is empty stays where it is");
        for item in ["a", "b", "c"] {
            assert!(ring.push(item.as_bytes()));
        }
        assert_eq!(
            ring.last(9).into_iter().map(text).collect::<Vec<_>>(),
            ["c", "b", "a"].map(|item| Some(item.into()))
        );
        assert_eq!((text(ring.pop()), text(ring.pull())), (Some("c".into()), Some("a".into())));
        assert_eq!((ring.push_slot(), ring.pull_slot(), ring.items()), (2, 1, 1));
        assert!(ring.set(0, b"set") && !ring.set(3, b"set") && !ring.set(0, b""));
        assert_eq!((text(ring.get(0)), ring.get(2), ring.get(99)), (Some("set".into()), None, None));
        assert_eq!((ring.push_slot(), ring.pull_slot()), (2, 1));
        assert!(ring.push(&[b'x'; 20]) && !ring.push(&[b'x'; 21]) && !ring.push(b""));
        assert_eq!(ring.get(2).map(|item| item.len()), Some(20));
    });
}

#[test]
fn a_push_into_a_full_ring_takes_the_place_of_the_oldest_and_the_order_stays() {
    with_ring(3, |ring| {
        for item in ["a", "b", "c", "d", "e"] {
            assert!(ring.push(item.as_bytes()));
        }
        let pulled: Vec<String> = std::iter::from_fn(|| text(ring.pull())).collect();
        assert_eq!(pulled, ["c", "d", "e"]);
        assert!(ring.push(b"f"));
        assert_eq!(text(ring.pull()), Some("f".into()));
    });
}

#[test]
fn it_is_a_queue_of_bounded_length_whatever_is_pushed_and_pulled() {
    with_ring(4, |ring| {
        let (mut model, mut seed) = (VecDeque::new(), 7_u64);
        for number in 0..10_000_u64 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            match seed >> 60 {
                0..=6 => {
                    let item = number.to_string();
                    assert!(ring.push(item.as_bytes()));
                    model.push_back(item);
                    if model.len() > 4 {
                        model.pop_front();
                    }
                }
                7..=11 => assert_eq!(text(ring.pull()), model.pop_front()),
                12 | 13 => assert_eq!(text(ring.pop()), model.pop_back()),
                _ => assert_eq!(text(ring.last(1).remove(0)), model.back().cloned()),
            }
            assert_eq!(ring.items() as usize, model.len());
        }
    });
}

#[test]
fn an_owner_of_the_lock_that_dies_at_any_moment_leaves_it_as_before_or_after() {
    type Change = fn(&Ring<'_>);
    let changes: [Change; 4] = [
        |ring| assert!(ring.push(b"a new item of bytes")),
        |ring| drop(ring.pull()),
        |ring| drop(ring.pop()),
        |ring| assert!(ring.set(1, b"set")),
    ];
    let seen = |ring: &Ring<'_>| {
        let slots: Vec<_> = (0..3).map(|slot| ring.get(slot)).collect();
        (slots, ring.push_slot(), ring.pull_slot())
    };
    for change in changes {
        let mut died = 0;
        for steps in 0.. {
            let mut is_over = false;
            with_ring(3, |ring| {
                for item in ["first", "second", "third", "fourth"] {
                    assert!(ring.push(item.as_bytes()));
                }
                let before = seen(ring);
                STEPS_LEFT.with(|left| left.set(Some(steps)));
                is_over = catch_unwind(AssertUnwindSafe(|| change(ring))).is_ok();
                STEPS_LEFT.with(|left| left.set(None));
                died += u32::from(!is_over);
                ring.mend();
                let after = seen(ring);
                let whole = {
                    let mut whole = None;
                    with_ring(3, |other| {
                        for item in ["first", "second", "third", "fourth"] {
                            assert!(other.push(item.as_bytes()));
                        }
                        change(other);
                        whole = Some(seen(other));
                    });
                    whole.expect("it was made")
                };
                assert!(after == before || after == whole, "after {steps} steps: {after:?}");
                // No block has got lost, nor has two slots.
                let mut blocks: Vec<u32> = (0..3).map(|slot| ring.entry(slot).block).chain([ring.spare()]).collect();
                blocks.sort_unstable();
                assert_eq!(blocks, [0, 1, 2, 3], "after {steps} steps");
            });
            if is_over {
                break;
            }
        }
        assert!(died > 8, "it died {died} times");
    }
}

/// All items, the oldest first.
fn drained(ring: &Ring<'_>) -> Vec<String> {
    std::iter::from_fn(|| text(ring.pull())).collect()
}

#[test]
fn what_is_whole_stays_as_it_is_and_what_is_torn_is_left_out() {
    with_ring(3, |ring| {
        for item in ["a", "b", "c", "d"] {
            assert!(ring.push(item.as_bytes()));
        }
        let seen = (ring.push_slot(), ring.pull_slot(), ring.last(3));
        assert_eq!(ring.recover(), 0);
        assert_eq!((ring.push_slot(), ring.pull_slot(), ring.last(3)), seen);
        let Entry { block, .. } = ring.entry(2);
        ring.block(block)[geometry::CHECKSUM_WORDS].store(7, Ordering::Relaxed);
        assert_eq!(ring.recover(), 1);
        assert!(ring.push(b"e"));
        assert_eq!(drained(ring), ["b", "d", "e"]);
    });
}

#[test]
fn a_mixture_of_older_and_newer_pages_gives_whole_items_only_and_goes_on_as_a_ring() {
    let geometry = geometry(5);
    let item = |number: usize| format!("{number}").repeat(1 + number % 4);
    let whole: std::collections::HashSet<String> = (0..60).map(item).collect();
    let mut random = fastrand::Rng::with_seed(3);
    let (mut torn, mut rings) = (0, 0);
    for _ in 0..2_000 {
        let words: Vec<AtomicU64> = (0..geometry.words()).map(|_| AtomicU64::new(0)).collect();
        let ring = Ring::at(&words, &geometry).expect("there is room");
        ring.make();
        let mut number = 0;
        let mut go_on = |ring: &Ring<'_>, random: &mut fastrand::Rng| {
            for _ in 0..random.usize(..12) {
                if random.u8(..3) == 0 {
                    drop(ring.pull());
                } else {
                    assert!(ring.push(item(number).as_bytes()));
                    number += 1;
                }
            }
        };
        go_on(&ring, &mut random);
        let older: Vec<u64> = words.iter().map(|word| word.load(Ordering::Relaxed)).collect();
        go_on(&ring, &mut random);
        for (word, older) in words.iter().zip(older) {
            if random.bool() {
                word.store(older, Ordering::Relaxed);
            }
        }
        if !ring.is_made() {
            continue;
        }
        torn += ring.recover();
        assert_eq!(ring.recover(), 0, "it is right now");
        let mut blocks: Vec<u32> = (0..5).map(|slot| ring.entry(slot).block).chain([ring.spare()]).collect();
        blocks.sort_unstable();
        assert_eq!(blocks, [0, 1, 2, 3, 4, 5]);
        let there = drained(&ring);
        assert!(there.iter().all(|item| whole.contains(item)), "{there:?}");
        // Whole items beyond the ends, as if somebody had set them, have been pulled, too.
        if ring.push_slot() == ring.pull_slot() {
            rings += 1;
            for item in ["x", "y", "z", "u", "v"] {
                assert!(ring.push(item.as_bytes()));
            }
            assert_eq!(drained(&ring), ["x", "y", "z", "u", "v"]);
        }
    }
    assert!(torn > 100 && rings > 500, "{torn} were torn, {rings} went on");
}

#[test]
fn nonsense_in_the_memory_is_survived() {
    let geometry = geometry(3);
    let words: Vec<AtomicU64> = (0..geometry.words()).map(|_| AtomicU64::new(u64::MAX)).collect();
    let ring = Ring::at(&words, &geometry).expect("there is room");
    ring.mend();
    assert!(!ring.is_made());
    ring.push(b"item");
    let _ = (ring.pop(), ring.pull(), ring.last(5), ring.get(2), ring.set(2, b"x"), ring.items());
    ring.recover();
    assert!(ring.items() <= 1 && ring.push(b"item") && ring.items() <= 2);
    assert!(Ring::at(&words[1..], &geometry).is_none());
}

#[test]
fn what_no_memory_or_no_slot_has_room_for_is_refused() {
    let of = |slots, block_bytes| Geometry::of(&Settings { slots, block_bytes, ..Settings::default() });
    assert!(matches!(of(10, 16), Err(Unfit::TooSmall(16))));
    assert!(matches!(of(u64::MAX, 8_192), Err(Unfit::TooLarge(_))));
    assert!(matches!(of(10, u64::MAX), Err(Unfit::TooLarge(_))));
    assert_eq!(of(10, 17).map(|geometry| geometry.item_bytes()), Ok(1));
}
