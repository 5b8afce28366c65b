//! Refork, rule by rule.

use super::super::mold::APART_US;
use super::*;

/// Three workers, of whom the one in seat 1 is to become the mold; who is told so does not answer yet.
fn seasoned() -> Bench {
    let mut bench = Bench::serving(plan(3));
    bench.send(Event::Seasoned { seat: Seat(1) });
    bench
}

fn molded() -> Bench {
    let mut bench = seasoned();
    bench.send(Event::Molded { seat: Seat(1) });
    bench
}

fn order(seat: u32, number: u32, generation: u32) -> Action {
    Action::Mold { seat: Seat(seat), post: Post::worker(number), generation: Generation(generation) }
}

#[test]
fn a_seasoned_worker_serves_until_its_successor_is_ready_and_then_is_told_to_become_the_mold() {
    let bench = seasoned();
    assert!(bench.has(&order(1, 2, 2)), "{:?}", bench.log);
    assert!(!bench.retires(1));
    assert_eq!((bench.machine.current(), bench.ready()), (Generation(1), vec![1, 2, 3]));
}

#[test]
fn workers_are_replaced_one_by_one_from_the_mold_and_what_was_loaded_stays() {
    let mut bench = seasoned();
    (bench.gets_ready, bench.log) = (false, Vec::new());
    bench.send(Event::Molded { seat: Seat(1) });
    let forks = |bench: &Bench, of: u32| {
        bench.count(|action| matches!(action, Action::Fork { generation, .. } if *generation == Generation(of)))
    };
    assert_eq!((bench.machine.current(), bench.machine.root()), (Generation(2), Generation(1)));
    assert_eq!(forks(&bench, 2), 0, "not at once: {:?}", bench.log);
    bench.wait(SECOND);
    assert_eq!(forks(&bench, 2), 1, "one at a time: {:?}", bench.log);
    bench.gets_ready = true;
    let under_way = bench.machine.workers().find(|worker| worker.condition == Condition::Starting).expect("one");
    bench.send(Event::Ready { seat: under_way.seat, boot_us: MS, pid: None });
    bench.wait(SECOND);
    assert_eq!((forks(&bench, 2), forks(&bench, 1), bench.ready()), (3, 0, vec![1, 2, 3]));
    assert_eq!(bench.count(|action| matches!(action, Action::StopZygote { .. })), 0, "{:?}", bench.log);
}

#[test]
fn a_while_passes_from_one_worker_of_the_mold_that_takes_the_place_of_another_to_the_next() {
    let mut bench = molded();
    let of_mold = |bench: &Bench| bench.machine.workers().filter(|worker| worker.generation == Generation(2)).count();
    let mut seen = vec![of_mold(&bench)];
    for _ in 0..6 {
        bench.wait(APART_US / 2);
        seen.push(of_mold(&bench));
    }
    seen.dedup();
    assert_eq!(seen.first(), seen.iter().min(), "{seen:?}");
    assert!(seen.windows(2).all(|pair| pair[1] == pair[0] + 1), "one after the other: {seen:?}");
    assert_eq!((seen.last(), bench.ready()), (Some(&3), vec![1, 2, 3]));
}

#[test]
fn a_worker_that_dies_meanwhile_has_a_successor_at_once() {
    let mut bench = molded();
    let old = |bench: &Bench| bench.machine.workers().find(|worker| worker.generation == Generation(1));
    let seat = old(&bench).expect("one that was there before").seat;
    let exit = bench.exit(seat, ExitStatus::Signal(9));
    bench.send(exit);
    let serves = |worker: &WorkerView| matches!(worker.condition, Condition::Ready(_));
    let generations: Vec<_> = bench.machine.workers().filter(serves).map(|worker| worker.generation.0).collect();
    assert_eq!(generations.len(), 3, "{generations:?}");
    assert_eq!(generations.iter().filter(|generation| **generation == 2).count(), 1, "{generations:?}");
}

#[test]
fn when_the_mold_dies_workers_come_from_what_was_loaded_again() {
    let mut bench = molded();
    bench.log.clear();
    bench.send(Event::ZygoteExited { generation: Generation(2), status: ExitStatus::Signal(9) });
    assert_eq!((bench.machine.current(), bench.ready()), (Generation(1), vec![1, 2, 3]));
    assert_eq!(bench.count(|action| matches!(action, Action::StartZygote { .. })), 0, "{:?}", bench.log);
}

#[test]
fn a_mold_whose_workers_cannot_serve_is_forsaken() {
    let mut bench = seasoned();
    bench.gets_ready = false;
    bench.send(Event::Molded { seat: Seat(1) });
    bench.wait(SECOND);
    let under_way = bench.machine.workers().find(|worker| worker.condition == Condition::Starting).expect("one");
    bench.gets_ready = true;
    bench.send(Event::NotReady { seat: under_way.seat, exit_code: 1, reason: "a lock is held".to_owned() });
    let exit = bench.exit(under_way.seat, ExitStatus::Code(1));
    bench.send(exit);
    assert_eq!((bench.machine.current(), bench.ready()), (Generation(1), vec![1, 2, 3]));
    assert!(bench.has(&Action::StopZygote { generation: Generation(2) }), "{:?}", bench.log);
}

#[test]
fn when_what_was_loaded_dies_it_is_loaded_again() {
    let mut bench = molded();
    bench.log.clear();
    bench.send(Event::ZygoteExited { generation: Generation(1), status: ExitStatus::Signal(9) });
    bench.wait(SECOND);
    assert_eq!((bench.machine.current(), bench.ready()), (Generation(3), vec![1, 2, 3]));
    assert!(bench.has(&Action::StopZygote { generation: Generation(2) }), "{:?}", bench.log);
}

#[test]
fn a_reload_takes_the_place_of_mold_and_root() {
    let mut bench = molded();
    bench.log.clear();
    begin_switch(&mut bench, Reload::Graceful, plan(3));
    bench.wait(SECOND);
    assert_eq!((bench.machine.current(), bench.machine.root()), (Generation(3), Generation(3)));
    for generation in [1, 2].map(Generation) {
        assert!(bench.has(&Action::StopZygote { generation }), "{generation}: {:?}", bench.log);
    }
}

#[test]
fn a_mold_that_comes_during_a_reload_is_not_wanted() {
    let mut bench = seasoned();
    bench.order(Order::Reload(Reload::Graceful));
    bench.send(Event::Molded { seat: Seat(1) });
    assert_eq!(bench.machine.current(), Generation(1));
    assert!(bench.has(&Action::StopZygote { generation: Generation(2) }), "{:?}", bench.log);
}

#[test]
fn mules_go_on_being_forked_from_what_was_loaded() {
    let mule = Post { role: Role::Mule, number: 1 };
    let mut bench = Bench::serving(Plan { companions: vec![mule], seats: 10, ..plan(3) });
    bench.send(Event::Seasoned { seat: Seat(1) });
    bench.send(Event::Molded { seat: Seat(1) });
    let seats = bench.machine.seats_where(|child| child.post == mule);
    assert_eq!(seats.len(), 1);
    bench.log.clear();
    let exit = bench.exit(seats[0], ExitStatus::Signal(9));
    bench.send(exit);
    let forked = |action: &Action| matches!(action, Action::Fork { generation, post, .. } if *post == mule && *generation == Generation(1));
    assert_eq!(bench.count(forked), 1, "{:?}", bench.log);
}

#[test]
fn one_worker_alone_never_becomes_the_mold_and_nobody_does_during_a_reload() {
    let mut bench = Bench::serving(plan(1));
    bench.send(Event::Seasoned { seat: Seat(0) });
    let mut busy = Bench::serving(plan(3));
    busy.order(Order::Reload(Reload::Graceful));
    busy.send(Event::Seasoned { seat: Seat(1) });
    for bench in [bench, busy] {
        assert_eq!(
            bench.count(|action| matches!(action, Action::Mold { .. } | Action::Note(Note::Seasoned { .. }))),
            0
        );
    }
}
