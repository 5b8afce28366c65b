//! The trial of a new generation: what is forked, who serves meanwhile, and how it ends.

use super::*;
use crate::config::model::Portion;

fn tried(workers: u32) -> Plan {
    Plan { canary: Some(Portion::Workers(1)), ..plan(workers) }
}

fn verdict(verdict: Result<&str, &str>) -> Event {
    let owned = |text: &str| text.to_owned();
    Event::TrialEnds { generation: Generation(2), verdict: verdict.map(owned).map_err(owned) }
}

/// How many workers of a generation are ready.
fn ready_of(bench: &Bench, generation: u32) -> usize {
    let ready = |worker: &WorkerView| {
        worker.generation == Generation(generation) && matches!(worker.condition, Condition::Ready(_))
    };
    bench.machine.workers().filter(ready).count()
}

/// A bench with four workers of generation 1, beside which one of generation 2 is on trial.
fn on_trial() -> Bench {
    let mut bench = Bench::serving(tried(4));
    begin_switch(&mut bench, Reload::Graceful, tried(4));
    assert_eq!((ready_of(&bench, 1), ready_of(&bench, 2)), (4, 1), "{:?}", bench.log);
    bench
}

#[test]
fn one_worker_is_tried_beside_all_the_old_ones_from_its_first_connection_on() {
    let bench = on_trial();
    let begins = Action::BeginTrial { generation: Generation(2), share: (1, 5) };
    let begun = bench.log.iter().position(|action| *action == begins).unwrap();
    let forked = bench.log.iter().position(is_fork).unwrap();
    assert!(begun < forked, "{:?}", bench.log);
    assert_eq!(bench.outcomes(), []);
    assert_eq!(bench.machine.trial().map(|(generation, _)| generation), Some(Generation(2)));
    assert!(bench.notes().iter().any(|note| note == "canary: 1 worker of generation 2 serves on trial"));
}

#[test]
fn who_has_passed_is_followed_by_the_rest_and_takes_over() {
    let mut bench = on_trial();
    bench.send(verdict(Ok("none of 500 failed")));
    assert_eq!(bench.outcomes(), [(Reload::Graceful, Outcome::Done)]);
    assert_eq!((ready_of(&bench, 1), ready_of(&bench, 2)), (0, 4));
    let ended = bench.log.iter().position(|action| *action == Action::EndTrial { generation: Generation(2) }).unwrap();
    let commit = bench.log.iter().position(|action| *action == Action::Commit { generation: Generation(2) }).unwrap();
    assert!(ended < commit, "{:?}", bench.log);
}

#[test]
fn who_has_not_passed_finishes_what_it_holds_and_the_old_serves_on() {
    let mut bench = on_trial();
    bench.send(verdict(Err("it fails")));
    assert_eq!(bench.outcomes(), [(Reload::Graceful, Outcome::Failed("it fails".to_owned()))]);
    assert_eq!((ready_of(&bench, 1), ready_of(&bench, 2)), (4, 0));
    assert_eq!(bench.count(|action| matches!(action, Action::Retire { .. })), 1, "{:?}", bench.log);
    assert_eq!(bench.count(|action| matches!(action, Action::Kill { .. })), 0);
}

#[test]
fn one_that_is_being_forked_at_the_verdict_is_called_off_before_it_is_known() {
    let mut bench = Bench::serving(tried(4));
    bench.forks = false;
    begin_switch(&mut bench, Reload::Graceful, tried(4));
    let Some(Action::Fork { seat, .. }) = bench.log.iter().find(|action| is_fork(action)).cloned() else {
        panic!("{:?}", bench.log)
    };
    bench.send(verdict(Err("it fails")));
    assert_eq!(bench.count(|action| *action == Action::CallOff { seat }), 1, "{:?}", bench.log);
    assert_eq!(bench.outcomes(), [(Reload::Graceful, Outcome::Failed("it fails".to_owned()))]);
    bench.send(Event::Forked { seat, pid: pid(99) });
    assert!(bench.withdraws(seat.0), "{:?}", bench.log);
    assert_eq!((ready_of(&bench, 1), ready_of(&bench, 2)), (4, 0));
}

#[test]
fn a_worker_that_dies_on_trial_is_a_verdict() {
    let mut bench = on_trial();
    let seat = bench.machine.workers().find(|worker| worker.generation == Generation(2)).unwrap().seat;
    bench.send(bench.exit(seat, ExitStatus::Signal(11)));
    let outcomes = bench.outcomes();
    assert!(matches!(&outcomes[..], [(Reload::Graceful, Outcome::Failed(_))]), "{outcomes:?}");
    assert_eq!((ready_of(&bench, 1), ready_of(&bench, 2)), (4, 0));
}

#[test]
fn a_worker_that_leaves_by_itself_on_trial_is_followed_by_another_on_trial() {
    let mut bench = on_trial();
    let seat = bench.machine.workers().find(|worker| worker.generation == Generation(2)).unwrap().seat;
    bench.send(Event::Leaving { seat, reason: LeaveReason::Requests });
    bench.send(bench.exit(seat, ExitStatus::Code(30)));
    assert_eq!((ready_of(&bench, 1), ready_of(&bench, 2)), (4, 1));
    assert_eq!(bench.outcomes(), []);
}

#[test]
fn a_second_reload_ends_the_trial_of_the_first() {
    let mut bench = on_trial();
    begin_switch(&mut bench, Reload::Graceful, tried(4));
    assert_eq!(bench.outcomes(), [(Reload::Graceful, Outcome::Superseded)]);
    assert_eq!(bench.machine.trial().map(|(generation, _)| generation), Some(Generation(3)));
    bench.send(verdict(Err("too late")));
    assert_eq!(bench.outcomes().len(), 1, "a verdict on who is gone decides nothing");
}

#[test]
fn a_stop_ends_the_trial() {
    let mut bench = on_trial();
    bench.order(Order::Stop);
    assert_eq!(bench.outcomes(), [(Reload::Graceful, Outcome::Stopped)]);
    assert!(bench.has(&Action::Exit { code: 0 }), "{:?}", bench.log);
}

#[test]
fn where_nobody_is_wanted_nothing_is_tried() {
    let mut bench = Bench::serving(Plan { asleep: true, ..tried(2) });
    begin_switch(&mut bench, Reload::Graceful, Plan { asleep: true, ..tried(2) });
    assert_eq!(bench.outcomes(), [(Reload::Graceful, Outcome::Done)]);
    assert_eq!(bench.count(|action| matches!(action, Action::BeginTrial { .. })), 0);
}

#[test]
fn an_upgrade_and_a_chain_wait_for_the_verdict() {
    let mut bench = on_trial();
    bench.order(Order::Upgrade);
    bench.reload(Reload::Chain);
    assert!(!bench.has(&Action::Upgrade));
    assert_eq!((ready_of(&bench, 1), ready_of(&bench, 2)), (4, 1));
    bench.send(verdict(Ok("none failed")));
    assert!(bench.has(&Action::Upgrade), "{:?}", bench.log);
}

#[test]
fn more_are_tried_where_more_are_wanted() {
    let plan = Plan { canary: Some(Portion::Percent(20)), ..bounded(1, 2, 8) };
    let mut bench = Bench::serving(plan.clone());
    begin_switch(&mut bench, Reload::Graceful, plan);
    assert_eq!((ready_of(&bench, 1), ready_of(&bench, 2)), (2, 1));
    bench.send(Event::Target { workers: 8, idle: Vec::new(), volunteers: Vec::new() });
    assert_eq!((ready_of(&bench, 1), ready_of(&bench, 2)), (8, 2));
}

#[test]
fn the_share_follows_the_number_of_workers_and_is_told_once() {
    let plan = Plan { canary: Some(Portion::Workers(1)), ..bounded(1, 2, 8) };
    let mut bench = Bench::serving(plan.clone());
    begin_switch(&mut bench, Reload::Graceful, plan);
    assert!(bench.has(&Action::BeginTrial { generation: Generation(2), share: (1, 3) }), "{:?}", bench.log);
    for (workers, share) in [(8, (1, 9)), (8, (1, 9)), (4, (1, 5))] {
        bench.send(Event::Target { workers, idle: Vec::new(), volunteers: Vec::new() });
        assert_eq!(bench.count(|action| *action == Action::ShareTrial { generation: Generation(2), share }), 1);
        assert_eq!(ready_of(&bench, 2), 1);
    }
    bench.send(verdict(Ok("none failed")));
    assert_eq!((ready_of(&bench, 1), ready_of(&bench, 2)), (0, 4));
}

#[test]
fn cheap_mode_ends_a_trial_and_the_new_generation_is_the_one_that_sleeps() {
    let mut bench = on_trial();
    bench.order(Order::Cheap);
    assert_eq!(bench.outcomes(), [(Reload::Graceful, Outcome::Done)]);
    assert_eq!((ready_of(&bench, 1), ready_of(&bench, 2)), (0, 0));
    assert_eq!(bench.machine.current(), Generation(2));
    assert!(bench.has(&Action::EndTrial { generation: Generation(2) }), "{:?}", bench.log);
}
