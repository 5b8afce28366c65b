use super::*;
use crate::scaling::simulator::load::Random;

const MIB: u64 = 1 << 20;

fn told(live: u32, idle: u32, wants: u32) -> Told {
    let waiting = wants.saturating_sub(live);
    Told { worker_bytes: 100 * MIB, minimum: 1, live, idle, wants, waiting, waited_us: 1_000, boot_us: 1_500 }
}

fn allowed(budget: &Budget, who: u32) -> u32 {
    budget.of(who).map_or(0, |(workers, _)| workers)
}

#[test]
fn who_is_new_may_have_its_minimum_and_more_as_long_as_there_is_memory() {
    let mut budget = Budget::new(400 * MIB);
    assert_eq!(budget.hear(1, told(1, 1, 1)), [Change { who: 1, workers: 1, why: Why::Joins }]);
    let why = Why::Wants { waiting: 8, waited_us: 1_000 };
    assert_eq!(budget.hear(1, told(1, 0, 9)), [Change { who: 1, workers: 4, why }]);
    assert_eq!(budget.hear(1, told(4, 0, 9)), [], "there is no more");
}

#[test]
fn an_idle_worker_is_given_up_and_allowed_to_the_other_only_when_it_is_gone() {
    let mut budget = Budget::new(400 * MIB);
    budget.hear(1, told(1, 0, 3));
    budget.hear(1, told(3, 2, 3));
    budget.hear(1, told(3, 2, 3));
    budget.hear(2, told(1, 1, 1));
    let changes = budget.hear(2, told(1, 0, 2));
    assert_eq!(changes, [Change { who: 1, workers: 2, why: Why::GivesUp { to: 2 } }]);
    assert_eq!(allowed(&budget, 2), 1, "not yet");
    let changes = budget.hear(1, told(2, 1, 2));
    assert_eq!(changes, [Change { who: 2, workers: 2, why: Why::Wants { waiting: 1, waited_us: 1_000 } }]);
}

#[test]
fn what_was_to_be_given_up_and_is_needed_again_stays_and_another_is_asked() {
    let mut budget = Budget::new(500 * MIB);
    for who in [1, 2] {
        budget.hear(who, told(1, 0, 2));
        budget.hear(who, told(2, 2, 2));
    }
    budget.hear(3, told(1, 1, 1));
    let changes = budget.hear(3, told(1, 0, 2));
    assert_eq!(changes, [Change { who: 1, workers: 1, why: Why::GivesUp { to: 3 } }]);
    let changes = budget.hear(1, told(2, 0, 2));
    let (kept, other) = (Change { who: 1, workers: 2, why: Why::Keeps }, Why::GivesUp { to: 3 });
    assert_eq!(changes, [kept, Change { who: 2, workers: 1, why: other }]);
}

#[test]
fn nobody_gives_up_a_busy_worker_or_one_of_its_minimum() {
    let mut budget = Budget::new(300 * MIB);
    budget.hear(1, told(1, 0, 2));
    budget.hear(1, told(2, 0, 2));
    budget.hear(2, told(1, 1, 1));
    assert_eq!(budget.hear(2, told(1, 0, 5)), [], "the one is busy");
    budget.part(1);
    assert_eq!(allowed(&budget, 2), 3, "what it held is free");
    budget.hear(2, told(3, 3, 3));
    budget.hear(3, Told { minimum: 2, ..told(0, 0, 2) });
    budget.hear(3, Told { minimum: 2, ..told(2, 0, 9) });
    assert_eq!((allowed(&budget, 2), allowed(&budget, 3)), (1, 2), "the minimum is had whatever there is");
    assert!(!budget.is_too_small(), "three minimums of a hundred");
}

#[test]
fn what_is_allowed_and_not_used_is_taken_first() {
    let mut budget = Budget::new(600 * MIB);
    budget.hear(1, told(1, 0, 4));
    budget.hear(1, told(1, 1, 1));
    assert_eq!(allowed(&budget, 1), 4);
    budget.hear(2, told(1, 0, 2));
    budget.hear(2, told(2, 2, 2));
    budget.hear(3, told(1, 1, 1));
    let changes = budget.hear(3, told(1, 0, 3));
    let all = [1, 2, 3].map(|who| allowed(&budget, who));
    assert_eq!(all, [1, 2, 3], "nobody has to let one go: {changes:?}");
}

/// Of two that leave workers idle, the one whose workers are needed more often for less memory keeps them.
#[test]
fn who_gives_up_is_decided_by_use_waiting_time_and_memory() {
    let play = |first: Told, second: Told| {
        let mut budget = Budget::new(700 * MIB);
        for (who, one) in [(1, first), (2, second)] {
            budget.hear(who, Told { live: 1, idle: 0, wants: 2, ..one });
            budget.hear(who, Told { live: 2, idle: 2, wants: 2, ..one });
        }
        let rest = told(1, 0, 1 + u32::try_from((700 * MIB - budget.held_bytes()) / (100 * MIB)).unwrap_or(0));
        budget.hear(3, rest);
        (allowed(&budget, 1), allowed(&budget, 2))
    };
    let slow = Told { boot_us: 900_000, ..told(1, 0, 1) };
    assert_eq!(play(slow, told(1, 0, 1)), (2, 1), "a worker that takes long to come is worth more");
    let large = Told { worker_bytes: 200 * MIB, ..told(1, 0, 1) };
    assert_eq!(play(large, told(1, 0, 1)).0, 1, "one that takes more memory is worth less");
}

#[test]
fn whose_requests_wait_longer_comes_first() {
    let mut budget = Budget::new(400 * MIB);
    for who in 1..=3 {
        budget.hear(who, told(1, 1, 1));
    }
    budget.hear(3, told(1, 0, 2));
    budget.hear(3, told(2, 0, 2));
    budget.hear(1, Told { waited_us: 10_000, ..told(1, 0, 2) });
    budget.hear(2, Told { waited_us: 500_000, ..told(1, 0, 2) });
    let changes = budget.hear(3, told(1, 0, 1));
    assert_eq!([1, 2, 3].map(|who| allowed(&budget, who)), [1, 2, 1], "{changes:?}");
}

/// Whatever instances tell, in whatever order: no panic, no more than the budget beside the minimums, and no minimum broken.
#[test]
fn mutated_tales_never_break_the_budget() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let bytes = random.below(4_000) * MIB;
        let mut budget = Budget::new(bytes);
        for _ in 0..200 {
            let who = random.below(6) as u32;
            if random.below(20) == 0 {
                budget.part(who);
                continue;
            }
            let any = |random: &mut Random, most: u64| match random.below(30) {
                0 => u64::MAX,
                _ => random.below(most),
            };
            budget.hear(
                who,
                Told {
                    worker_bytes: u64::from(who + 1) * 30 * MIB,
                    minimum: who % 3,
                    live: any(&mut random, 12) as u32,
                    idle: any(&mut random, 12) as u32,
                    wants: any(&mut random, 20) as u32,
                    waiting: any(&mut random, 50) as u32,
                    waited_us: any(&mut random, 1_000_000),
                    boot_us: any(&mut random, 1_000_000),
                },
            );
            let (mut all, mut minimums) = (0, 0);
            for (who, member) in &budget.members {
                assert!(member.allowed >= member.told.minimum, "seed {seed}: {who} is below its minimum");
                all += u64::from(member.allowed) * member.told.worker_bytes;
                minimums += u64::from(member.told.minimum) * member.told.worker_bytes;
            }
            assert!(all <= bytes + minimums, "seed {seed}: {all} of {bytes} and {minimums}");
        }
    }
}
