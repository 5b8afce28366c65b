//! One test for each rule of the machine, on a small bench that answers for zygotes and workers.

mod companions;
mod executed;
mod mold;
mod trial;

use super::*;
use crate::config::model::Bounds;
use crate::supervision::role::{Born, Rule};

const MS: u64 = 1_000;
const SECOND: u64 = 1_000_000;

fn plan(workers: u32) -> Plan {
    Plan {
        bounds: Bounds::new(1, workers, workers),
        asleep: false,
        threads: 1,
        seats: Plan::seats_for(workers),
        mercy_us: 60 * SECOND,
        respawn_delay_max_us: 2 * SECOND,
        load_timeout_us: Some(30 * SECOND),
        executed: Vec::new(),
        companions: Vec::new(),
        dormant: Vec::new(),
        companion_mercy_us: 5 * SECOND,
        probation_us: 0,
        canary: None,
    }
}

fn bounded(minimum: u32, initial: u32, workers: u32) -> Plan {
    Plan { bounds: Bounds::new(minimum, initial, workers), ..plan(workers) }
}

pub(super) fn pid(number: i32) -> ProcessId {
    ProcessId::new(number).unwrap()
}

/// A machine with the actions that it gave out. Pids are handed out from 100.
struct Bench {
    machine: Machine,
    now: Time,
    log: Vec<Action>,
    next_pid: i32,
    /// Answers given without being told to.
    loads: bool,
    forks: bool,
    gets_ready: bool,
    programs_come_up: bool,
    leaves: bool,
}

impl Bench {
    fn new(plan: Plan) -> Bench {
        let now = Time(SECOND);
        let machine = Machine::start(now, plan).unwrap();
        Bench {
            machine,
            now,
            log: Vec::new(),
            next_pid: 100,
            loads: true,
            forks: true,
            gets_ready: true,
            programs_come_up: true,
            leaves: true,
        }
    }

    /// A bench whose workers serve.
    fn serving(plan: Plan) -> Bench {
        let mut bench = Bench::new(plan);
        bench.settle();
        bench.wait(10 * SECOND);
        assert!(bench.has(&Action::Announce(Announcement::Ready)), "{:?}", bench.log);
        bench.log.clear();
        bench
    }

    /// Sends one event and carries out what follows from it.
    fn send(&mut self, event: Event) {
        self.machine.handle(self.now, event);
        self.settle();
    }

    fn order(&mut self, order: Order) {
        self.send(Event::Order(order));
    }

    fn reload(&mut self, reload: Reload) {
        self.order(Order::Reload(reload));
    }

    fn wait(&mut self, us: u64) {
        let end = self.now.plus_us(us);
        while let Some(at) = self.machine.deadline().filter(|at| *at <= end) {
            self.now = at;
            self.send(Event::Elapsed);
        }
        self.now = end;
    }

    fn settle(&mut self) {
        while let Some(action) = self.machine.poll_action() {
            self.log.push(action.clone());
            for event in self.answers(&action) {
                self.machine.handle(self.now, event);
            }
        }
        assert_eq!(self.machine.impossible_count(), 0, "{:?}", self.log);
    }

    fn answers(&mut self, action: &Action) -> Vec<Event> {
        match *action {
            Action::StartZygote { generation, .. } if self.loads => {
                vec![Event::ZygoteLoaded { generation, boot_us: MS }]
            }
            Action::StopZygote { generation } => {
                vec![Event::ZygoteExited { generation, status: ExitStatus::Code(0) }]
            }
            Action::KillZygote { generation } => {
                vec![Event::ZygoteExited { generation, status: ExitStatus::Signal(9) }]
            }
            Action::Fork { seat, .. } if self.forks => {
                self.next_pid += 1;
                let mut events = vec![Event::Forked { seat, pid: pid(self.next_pid) }];
                if self.gets_ready {
                    events.push(Event::Ready { seat, boot_us: MS, pid: None });
                }
                events
            }
            Action::Execute { seat, .. } => {
                self.next_pid += 1;
                let mut events = vec![Event::Forked { seat, pid: pid(self.next_pid) }];
                if self.programs_come_up {
                    events.push(Event::Ready { seat, boot_us: MS, pid: None });
                }
                events
            }
            Action::Retire { seat, .. } if self.leaves => vec![self.exit(seat, ExitStatus::Code(30))],
            Action::Kill { seat, .. } | Action::Withdraw { seat, .. } => vec![self.exit(seat, ExitStatus::Signal(9))],
            _ => vec![],
        }
    }

    fn exit(&self, seat: Seat, status: ExitStatus) -> Event {
        Event::Exited { seat, pid: self.pid(seat).unwrap(), status }
    }

    fn pid(&self, seat: Seat) -> Option<ProcessId> {
        self.machine.seats[seat.0 as usize].as_ref()?.pid()
    }

    /// The ready workers of the current generation, by number.
    fn ready(&self) -> Vec<u32> {
        let current = self.machine.current();
        let ready = self.machine.workers().filter(|worker| {
            worker.generation == current && matches!(worker.condition, Condition::Ready(_) | Condition::Paused(_))
        });
        let mut numbers: Vec<u32> = ready.map(|worker| worker.post.number).collect();
        numbers.sort_unstable();
        numbers
    }

    fn has(&self, action: &Action) -> bool {
        self.log.contains(action)
    }

    fn retires(&self, seat: u32) -> bool {
        self.log.iter().any(|action| matches!(action, Action::Retire { seat: Seat(own), .. } if *own == seat))
    }

    fn withdraws(&self, seat: u32) -> bool {
        self.log.iter().any(|action| matches!(action, Action::Withdraw { seat: Seat(own), .. } if *own == seat))
    }

    fn kills(&self, seat: u32) -> bool {
        self.log.iter().any(|action| matches!(action, Action::Kill { seat: Seat(own), .. } if *own == seat))
    }

    fn count(&self, wanted: impl Fn(&Action) -> bool) -> usize {
        self.log.iter().filter(|action| wanted(action)).count()
    }

    fn outcomes(&self) -> Vec<(Reload, Outcome)> {
        let done = self.log.iter().filter_map(|action| match action {
            Action::Announce(Announcement::ReloadDone { reload, outcome }) => Some((*reload, outcome.clone())),
            _ => None,
        });
        done.collect()
    }

    fn notes(&self) -> Vec<String> {
        let notes = self.log.iter().filter_map(|action| match action {
            Action::Note(note) => Some(note.to_string()),
            _ => None,
        });
        notes.collect()
    }
}

fn is_fork(action: &Action) -> bool {
    matches!(action, Action::Fork { .. })
}

#[test]
fn a_start_loads_then_forks_then_is_ready() {
    let mut bench = Bench::new(plan(2));
    bench.settle();
    assert_eq!(bench.log[0], Action::StartZygote { generation: Generation(1), candidate: false });
    assert_eq!(bench.ready(), [1, 2]);
    let ready = bench.log.iter().position(|action| *action == Action::Announce(Announcement::Ready)).unwrap();
    let last_fork = bench.log.iter().rposition(is_fork).unwrap();
    assert!(last_fork < ready, "{:?}", bench.log);
}

#[test]
fn ready_waits_for_the_workers() {
    let mut bench = Bench::new(plan(2));
    bench.gets_ready = false;
    bench.settle();
    bench.send(Event::Ready { seat: Seat(0), boot_us: MS, pid: None });
    assert!(!bench.has(&Action::Announce(Announcement::Ready)));
    bench.send(Event::Ready { seat: Seat(1), boot_us: MS, pid: None });
    assert!(bench.has(&Action::Announce(Announcement::Ready)));
}

#[test]
fn a_killed_worker_is_replaced_within_milliseconds_and_its_signal_told() {
    let mut bench = Bench::serving(plan(2));
    let pid = bench.pid(Seat(0)).unwrap();
    bench.send(bench.exit(Seat(0), ExitStatus::Signal(9)));
    assert_eq!(bench.ready(), [1, 2]);
    let died = format!("DAMN ! worker 1 (pid: {pid}) died, killed by signal 9 :( trying respawn ...");
    assert_eq!(bench.notes()[0], died);
    assert!(bench.notes()[1].starts_with("Respawned uWSGI worker 1 (new pid: "));
    bench.wait(100 * MS);
    bench.send(bench.exit(Seat(0), ExitStatus::Signal(11)));
    assert_eq!(bench.ready(), [2], "that one is not for others to have done");
    bench.wait(10 * MS);
    assert_eq!(bench.ready(), [1, 2]);
}

#[test]
fn a_stop_retires_everyone_then_the_zygote_then_exits() {
    let mut bench = Bench::serving(plan(2));
    bench.order(Order::Stop);
    let acts: Vec<&Action> =
        bench.log.iter().filter(|action| !matches!(action, Action::Note(_) | Action::Announce(_))).collect();
    let expected = [
        &Action::Retire { seat: Seat(0), post: Post::worker(1), why: Farewell::Stop },
        &Action::Retire { seat: Seat(1), post: Post::worker(2), why: Farewell::Stop },
        &Action::StopZygote { generation: Generation(1) },
        &Action::Exit { code: 0 },
    ];
    assert_eq!(acts, expected);
}

#[test]
fn a_start_that_cannot_load_exits_with_the_applications_code() {
    let mut bench = Bench::new(plan(2));
    bench.loads = false;
    bench.settle();
    let generation = Generation(1);
    bench.send(Event::ZygoteLoadFailed { generation, exit_code: 22, reason: "no module named app".to_owned() });
    assert!(!bench.has(&Action::Exit { code: 22 }), "the zygote is still there");
    bench.send(Event::ZygoteExited { generation, status: ExitStatus::Code(22) });
    assert!(bench.has(&Action::Exit { code: 22 }));
    assert!(bench.notes().iter().any(|note| note.contains("no module named app")), "{:?}", bench.notes());
}

#[test]
fn a_start_that_loads_too_long_ends() {
    let mut bench = Bench::new(plan(2));
    bench.loads = false;
    bench.settle();
    bench.wait(30 * SECOND);
    assert!(bench.has(&Action::KillZygote { generation: Generation(1) }));
    assert!(bench.has(&Action::Exit { code: 1 }));
}

#[test]
fn a_zygote_that_crashes_while_it_first_loads_never_exits_with_success() {
    for (status, code) in [(ExitStatus::Code(0), 1), (ExitStatus::Code(3), 3), (ExitStatus::Signal(11), 1)] {
        let mut bench = Bench::new(plan(1));
        bench.loads = false;
        bench.settle();
        bench.send(Event::ZygoteExited { generation: Generation(1), status });
        assert!(bench.has(&Action::Exit { code }), "{status:?}: {:?}", bench.log);
    }
}

#[test]
fn a_lazy_application_that_cannot_load_at_the_start_ends_the_instance() {
    let mut bench = Bench::new(plan(2));
    bench.gets_ready = false;
    bench.settle();
    let reason = "no module named app".to_owned();
    bench.send(Event::NotReady { seat: Seat(0), exit_code: 22, reason });
    bench.send(bench.exit(Seat(0), ExitStatus::Code(22)));
    assert!(bench.has(&Action::Exit { code: 22 }));
}

#[test]
fn one_post_that_crashes_for_ever_does_not_hide_the_others() {
    let mut bench = Bench::new(plan(2));
    bench.gets_ready = false;
    bench.settle();
    bench.send(bench.exit(Seat(0), ExitStatus::Signal(11)));
    assert!(!bench.has(&Action::Announce(Announcement::Ready)));
    bench.send(Event::Ready { seat: Seat(1), boot_us: MS, pid: None });
    assert!(bench.has(&Action::Announce(Announcement::Ready)));
}

#[test]
fn a_worker_that_dies_young_again_and_again_is_respawned_ever_later_without_holding_up_others() {
    let mut bench = Bench::serving(plan(2));
    let mut delays = Vec::new();
    for _ in 0..12 {
        let seat = bench.machine.workers().find(|worker| worker.post == Post::worker(1)).unwrap().seat;
        bench.send(bench.exit(seat, ExitStatus::Signal(11)));
        assert_eq!(bench.ready().contains(&1), delays.is_empty(), "the first death followed a long life");
        let waits = bench.machine.deadline().map_or(0, |at| at.since_us(bench.now));
        delays.push(waits / MS);
        bench.wait(waits);
        assert_eq!(bench.ready(), [1, 2]);
    }
    assert_eq!(delays, [0, 10, 20, 40, 80, 160, 320, 640, 1280, 2000, 2000, 2000]);
    bench.wait(2 * SECOND);
    let seat = bench.machine.workers().find(|worker| worker.post == Post::worker(2)).unwrap().seat;
    bench.send(bench.exit(seat, ExitStatus::Signal(11)));
    assert_eq!(bench.ready(), [1, 2]);
}

/// The seat of worker 1.
fn first_seat(bench: &Bench) -> Seat {
    bench.machine.workers().find(|worker| worker.post == Post::worker(1)).unwrap().seat
}

#[test]
fn a_worker_that_others_kill_is_replaced_at_once_whatever_its_age() {
    let mut bench = Bench::serving(plan(2));
    for _ in 0..600 {
        bench.send(bench.exit(first_seat(&bench), ExitStatus::Signal(9)));
        assert_eq!(bench.ready(), [1, 2], "killed ten times a second");
        bench.wait(100 * MS);
    }
}

#[test]
fn workers_that_are_killed_as_soon_as_they_serve_are_replaced_ever_later_in_the_end() {
    let mut bench = Bench::serving(plan(2));
    let mut forks = 0;
    let until = bench.now.plus_us(60 * SECOND);
    while bench.now < until {
        if bench.ready().contains(&1) {
            forks += 1;
            bench.send(bench.exit(first_seat(&bench), ExitStatus::Signal(9)));
        }
        bench.wait(MS);
    }
    assert!(forks < 25 * 60, "{forks} in a minute, of 60,000 that would be without a bound");
}

#[test]
fn a_worn_worker_serves_until_its_successor_is_ready_and_only_a_few_are_replaced_at_a_time() {
    let mut bench = Bench::serving(plan(8));
    bench.gets_ready = false;
    for seat in 0..8 {
        bench.send(Event::Worn { seat: Seat(seat), reason: LeaveReason::Requests });
    }
    assert_eq!(bench.count(is_fork), 2, "a quarter of them");
    assert_eq!(bench.count(|action| matches!(action, Action::Retire { .. })), 0);
    bench.send(Event::Ready { seat: Seat(8), boot_us: MS, pid: None });
    assert!(bench.retires(0) && !bench.retires(1), "its successor is ready");
    assert_eq!(bench.count(is_fork), 3, "and the next one has its turn");
}

#[test]
fn a_worn_worker_whose_successor_cannot_serve_goes_on() {
    let mut bench = Bench::serving(plan(1));
    bench.gets_ready = false;
    bench.send(Event::Worn { seat: Seat(0), reason: LeaveReason::Lifetime });
    bench.send(bench.exit(Seat(1), ExitStatus::Signal(11)));
    assert_eq!((bench.ready(), bench.retires(0)), (vec![1], false));
}

#[test]
fn a_worker_that_takes_too_much_memory_is_killed_and_replaced() {
    let mut bench = Bench::serving(plan(1));
    bench.send(Event::Overgrown { seat: Seat(0) });
    assert!(bench.kills(0));
    assert_eq!(bench.ready(), [1]);
}

#[test]
fn a_worker_that_is_killed_before_it_serves_is_to_blame() {
    let mut bench = Bench::serving(plan(1));
    bench.gets_ready = false;
    bench.send(bench.exit(Seat(0), ExitStatus::Signal(9)));
    bench.send(bench.exit(first_seat(&bench), ExitStatus::Signal(9)));
    assert_eq!(bench.machine.workers().count(), 0, "the next one waits");
}

#[test]
fn a_fork_that_fails_is_tried_again() {
    let mut bench = Bench::serving(plan(1));
    let pid = bench.pid(Seat(0)).unwrap();
    let status = ExitStatus::Signal(9);
    bench.machine.handle(bench.now, Event::Exited { seat: Seat(0), pid, status });
    while bench.machine.poll_action().is_some() {}
    bench.send(Event::ForkFailed { seat: Seat(0), errno: 11 });
    assert_eq!(bench.ready(), [0; 0]);
    bench.wait(10 * MS);
    assert_eq!(bench.ready(), [1]);
    assert_eq!(bench.notes()[0], "OOPS ! no worker 1: fork failed: Resource temporarily unavailable (os error 11)");
}

#[test]
fn a_worker_that_does_not_get_ready_is_killed_and_replaced() {
    let mut bench = Bench::serving(plan(1));
    bench.gets_ready = false;
    bench.send(bench.exit(Seat(0), ExitStatus::Signal(9)));
    bench.gets_ready = true;
    bench.wait(30 * SECOND);
    assert!(bench.withdraws(0));
    bench.wait(10 * MS);
    assert_eq!(bench.ready(), [1]);
}

#[test]
fn a_zygote_that_does_not_answer_is_killed_and_replaced() {
    let mut bench = Bench::serving(plan(1));
    let exit = bench.exit(Seat(0), ExitStatus::Signal(9));
    bench.machine.handle(bench.now, exit);
    while bench.machine.poll_action().is_some() {}
    bench.wait(20 * SECOND);
    assert!(bench.has(&Action::KillZygote { generation: Generation(1) }));
    assert!(bench.has(&Action::StartZygote { generation: Generation(2), candidate: false }));
    assert_eq!(bench.ready(), [1]);
}

#[test]
fn a_zygote_that_works_off_a_long_queue_is_not_taken_for_mute() {
    let mut bench = Bench::new(plan(3));
    bench.forks = false;
    bench.settle();
    for seat in 0..3 {
        bench.wait(4 * SECOND);
        bench.send(Event::Forked { seat: Seat(seat), pid: pid(100 + seat.cast_signed()) });
        bench.send(Event::Ready { seat: Seat(seat), boot_us: MS, pid: None });
    }
    assert!(!bench.has(&Action::KillZygote { generation: Generation(1) }), "{:?}", bench.log);
    assert_eq!(bench.ready(), [1, 2, 3]);
}

#[test]
fn ready_may_overtake_forked() {
    let mut bench = Bench::serving(plan(1));
    let exit = bench.exit(Seat(0), ExitStatus::Signal(9));
    bench.machine.handle(bench.now, exit);
    while bench.machine.poll_action().is_some() {}
    bench.send(Event::Ready { seat: Seat(0), boot_us: MS, pid: None });
    assert_eq!(bench.ready(), [0; 0]);
    bench.send(Event::Forked { seat: Seat(0), pid: pid(7) });
    assert_eq!(bench.ready(), [1]);
}

#[test]
fn a_worker_that_leaves_gets_its_successor_at_once_and_no_more_than_mercy() {
    let mut bench = Bench::serving(plan(1));
    bench.send(Event::Leaving { seat: Seat(0), reason: LeaveReason::Requests });
    assert_eq!(bench.ready(), [1]);
    assert_eq!(bench.machine.workers().count(), 2);
    bench.wait(60 * SECOND);
    assert!(bench.kills(0));
    assert_eq!(bench.machine.workers().count(), 1);
    assert!(bench.notes().iter().any(|note| note.ends_with("is taking too much time to die...NO MERCY !!!")));
}

#[test]
fn workers_outlive_their_zygote_and_are_replaced_successor_first() {
    let mut bench = Bench::serving(plan(2));
    bench.loads = false;
    bench.send(Event::ZygoteExited { generation: Generation(1), status: ExitStatus::Signal(9) });
    assert!(bench.has(&Action::StartZygote { generation: Generation(2), candidate: false }));
    assert_eq!(bench.count(|action| matches!(action, Action::Retire { .. })), 0);
    assert_eq!(bench.machine.count().ready, 2);
    bench.send(bench.exit(Seat(0), ExitStatus::Signal(9)));
    assert_eq!(bench.machine.count().ready, 1, "there is nobody to fork");
    bench.send(Event::ZygoteLoaded { generation: Generation(2), boot_us: MS });
    assert_eq!(bench.ready(), [1, 2]);
    let fork = bench.log.iter().rposition(is_fork).unwrap();
    let retire = bench.log.iter().position(|action| matches!(action, Action::Retire { seat: Seat(1), .. })).unwrap();
    assert!(fork < retire);
    assert!(bench.outcomes().is_empty());
}

#[test]
fn a_zygote_that_cannot_load_again_is_tried_again_with_back_off() {
    let mut bench = Bench::serving(plan(1));
    bench.loads = false;
    bench.send(Event::ZygoteExited { generation: Generation(1), status: ExitStatus::Signal(9) });
    for generation in (2..8).map(Generation) {
        assert!(bench.has(&Action::StartZygote { generation, candidate: false }), "{generation}");
        bench.send(Event::ZygoteLoadFailed { generation, exit_code: 1, reason: "syntax".to_owned() });
        bench.send(Event::ZygoteExited { generation, status: ExitStatus::Code(1) });
        bench.wait(SECOND);
    }
    assert_eq!(bench.machine.count().ready, 1);
    bench.loads = true;
    bench.wait(2 * SECOND);
    bench.send(Event::ZygoteLoaded { generation: bench.machine.current(), boot_us: MS });
    assert_eq!(bench.ready(), [1]);
    assert_eq!(bench.machine.workers().count(), 1);
}

#[test]
fn a_seat_is_closed_while_a_lost_fork_may_be_in_it() {
    let mut bench = Bench::serving(plan(1));
    let exit = bench.exit(Seat(0), ExitStatus::Signal(9));
    bench.machine.handle(bench.now, exit);
    while bench.machine.poll_action().is_some() {}
    bench.send(Event::ZygoteExited { generation: Generation(1), status: ExitStatus::Signal(9) });
    bench.wait(SECOND);
    assert_eq!(bench.machine.workers().map(|worker| worker.seat).collect::<Vec<_>>(), [Seat(0), Seat(1)]);
    bench.send(Event::Forked { seat: Seat(0), pid: pid(7) });
    assert!(bench.withdraws(0));
    assert_eq!(bench.machine.workers().map(|worker| worker.seat).collect::<Vec<_>>(), [Seat(1)]);
}

#[test]
fn a_lost_fork_that_never_was_leaves_nothing_open() {
    let mut bench = Bench::serving(plan(1));
    let exit = bench.exit(Seat(0), ExitStatus::Signal(9));
    bench.machine.handle(bench.now, exit);
    while bench.machine.poll_action().is_some() {}
    bench.send(Event::ZygoteExited { generation: Generation(1), status: ExitStatus::Signal(9) });
    let releases = |bench: &Bench| bench.count(|action| *action == Action::Release { seat: Seat(0) });
    assert_eq!(releases(&bench), 0, "it may be there");
    bench.wait(6 * SECOND);
    assert_eq!(releases(&bench), 1);
}

fn target(workers: u32, idle: &[u32]) -> Event {
    Event::Target { workers, idle: idle.iter().copied().map(Seat).collect(), volunteers: Vec::new() }
}

#[test]
fn growth_takes_the_lowest_numbers_and_shrinking_the_highest_idle_ones() {
    let mut bench = Bench::serving(bounded(1, 1, 4));
    bench.send(target(9, &[]));
    assert_eq!(bench.ready(), [1, 2, 3, 4]);
    bench.send(target(3, &[0, 1, 2]));
    assert_eq!(bench.ready(), [1, 2, 4], "worker 4 is busy");
    bench.send(target(2, &[]));
    assert_eq!(bench.ready(), [1, 2]);
    bench.send(target(0, &[0, 1]));
    assert_eq!(bench.ready(), [0; 0], "the idle mode");
    assert!(bench.notes().contains(&"uWSGI worker 3 cheaped.".to_owned()));
    bench.send(target(2, &[]));
    assert_eq!(bench.ready(), [1, 2]);
}

/// A worker accepts before that is heard. Whoever is not wanted before it was heard must not be killed blindly, except
/// when everything is to end at once.
#[test]
fn who_is_not_wanted_before_it_was_heard_is_withdrawn_and_not_killed() {
    let (ready, forked) =
        (Event::Ready { seat: Seat(1), boot_us: MS, pid: None }, Event::Forked { seat: Seat(1), pid: pid(77) });
    let orders: [(&[Event], bool); 4] = [
        (&[forked.clone(), target(1, &[0])], true),
        (&[ready.clone(), target(1, &[0]), forked.clone()], true),
        (&[target(1, &[0]), ready.clone(), forked.clone()], true),
        (&[ready, Event::Order(Order::StopNow), forked], false),
    ];
    for (events, withdraws) in orders {
        let mut bench = Bench::serving(bounded(1, 1, 2));
        bench.machine.handle(bench.now, target(2, &[]));
        while bench.machine.poll_action().is_some() {}
        for event in events {
            bench.machine.handle(bench.now, event.clone());
        }
        bench.settle();
        assert_eq!(bench.withdraws(1), withdraws, "{events:?}");
        assert_eq!(bench.kills(1), !withdraws, "{events:?}");
    }
}

#[test]
fn who_was_withdrawn_and_does_not_finish_is_killed() {
    let mut bench = Bench::serving(bounded(1, 1, 2));
    bench.gets_ready = false;
    bench.send(target(2, &[]));
    bench.machine.handle(bench.now, target(1, &[0]));
    while bench.machine.poll_action().is_some() {}
    bench.wait(61 * SECOND);
    assert!(bench.kills(1), "{:?}", bench.log);
}

#[test]
fn shrinking_gives_up_first_what_does_not_serve() {
    let mut bench = Bench::serving(bounded(1, 2, 3));
    bench.gets_ready = false;
    bench.send(bench.exit(Seat(0), ExitStatus::Signal(9)));
    bench.send(target(1, &[1]));
    assert_eq!(bench.ready(), [2]);
}

/// `uwsgi.cheap()` is called from within a request: the worker that asks is busy by nature.
#[test]
fn who_asks_to_go_is_the_first_to_go_busy_or_not() {
    let mut bench = Bench::serving(plan(4));
    bench.send(Event::Target { workers: 3, idle: vec![Seat(0), Seat(3)], volunteers: vec![Seat(1)] });
    assert_eq!(bench.ready(), [1, 3, 4]);
    bench.gets_ready = false;
    bench.send(bench.exit(Seat(2), ExitStatus::Signal(9)));
    bench.send(Event::Target { workers: 2, idle: vec![Seat(3)], volunteers: vec![Seat(0)] });
    assert_eq!(bench.ready(), [4], "not the one in whose place nobody serves yet");
    assert_eq!(bench.machine.target(), 2);
}

#[test]
fn cheap_sleeps_until_the_next_target() {
    let mut bench = Bench::serving(plan(2));
    bench.order(Order::Cheap);
    assert_eq!(bench.machine.workers().count(), 0);
    assert!(bench.notes().contains(&"cheap mode enabled: waiting for socket connection...".to_owned()));
    bench.reload(Reload::Graceful);
    bench.send(Event::ConfigurationRead(Ok(plan(2))));
    assert_eq!(bench.outcomes(), [(Reload::Graceful, Outcome::Done)]);
    assert_eq!(bench.machine.workers().count(), 0, "nobody woke it");
    bench.send(target(1, &[]));
    assert_eq!(bench.ready(), [1]);
}

#[test]
fn a_start_asleep_is_ready_when_loaded() {
    let mut bench = Bench::serving(Plan { asleep: true, ..plan(2) });
    assert_eq!(bench.machine.workers().count(), 0);
    bench.send(target(2, &[]));
    assert_eq!(bench.ready(), [1, 2]);
}

#[test]
fn a_pause_reaches_everyone_and_those_who_come_later() {
    let mut bench = Bench::serving(plan(2));
    bench.order(Order::Pause);
    bench.order(Order::Pause);
    assert_eq!(bench.count(|action| matches!(action, Action::Pause { .. })), 2);
    bench.send(bench.exit(Seat(0), ExitStatus::Signal(9)));
    assert_eq!(bench.count(|action| matches!(action, Action::Pause { .. })), 3);
    assert_eq!(bench.count(|action| matches!(action, Action::Resume { .. })), 0);
    bench.order(Order::TogglePause);
    assert_eq!(bench.count(|action| matches!(action, Action::Resume { .. })), 2);
    assert!(!bench.machine.is_paused());
}

/// Orders a reload and answers its question with this plan.
fn begin_switch(bench: &mut Bench, reload: Reload, plan: Plan) {
    bench.reload(reload);
    assert!(bench.has(&Action::ReadConfiguration));
    bench.send(Event::ConfigurationRead(Ok(plan)));
}

#[test]
fn a_reload_switches_only_when_the_new_workers_are_ready() {
    let mut bench = Bench::serving(plan(2));
    bench.loads = false;
    bench.gets_ready = false;
    begin_switch(&mut bench, Reload::Graceful, plan(3));
    let generation = Generation(2);
    assert!(bench.has(&Action::StartZygote { generation, candidate: true }));
    bench.send(Event::ZygoteLoaded { generation, boot_us: SECOND });
    assert_eq!(bench.count(is_fork), 2, "as many as serve");
    bench.send(Event::Ready { seat: Seat(2), boot_us: MS, pid: None });
    assert_eq!(bench.machine.current(), Generation(1));
    assert_eq!(bench.count(|action| matches!(action, Action::Retire { .. })), 0);
    bench.send(Event::Ready { seat: Seat(3), boot_us: MS, pid: None });
    assert_eq!(bench.ready(), [1, 2]);
    let order: Vec<&Action> = bench.log.iter().filter(|action| !matches!(action, Action::Note(_))).collect();
    let commit = order.iter().position(|action| **action == Action::Commit { generation }).unwrap();
    let retire = order.iter().position(|action| matches!(action, Action::Retire { seat: Seat(0), .. })).unwrap();
    let stop = order.iter().position(|action| **action == Action::StopZygote { generation: Generation(1) }).unwrap();
    let told = |action: &&Action| matches!(action, Action::Announce(Announcement::ReloadDone { .. }));
    let done = order.iter().position(told).unwrap();
    assert!(commit < retire && retire < stop, "{order:?}");
    assert!(order.iter().rposition(|action| matches!(action, Action::Retire { .. })).unwrap() < done, "{order:?}");
    assert_eq!(bench.outcomes(), [(Reload::Graceful, Outcome::Done)]);
    assert_eq!(bench.machine.plan().bounds.maximum(), 3);
}

#[test]
fn probation_catches_workers_that_die_at_once() {
    let probation = Plan { probation_us: 50 * MS, ..plan(2) };
    let mut bench = Bench::serving(plan(2));
    begin_switch(&mut bench, Reload::Graceful, probation.clone());
    bench.wait(49 * MS);
    assert_eq!(bench.machine.current(), Generation(1));
    bench.send(bench.exit(Seat(3), ExitStatus::Signal(11)));
    assert_eq!(bench.outcomes(), [(Reload::Graceful, Outcome::Failed("worker 2 killed by signal 11".to_owned()))]);
    assert!(bench.retires(2), "it may hold a request");
    assert_eq!(bench.ready(), [1, 2]);
    bench.log.clear();
    begin_switch(&mut bench, Reload::Graceful, probation);
    bench.wait(50 * MS);
    assert_eq!(bench.machine.current(), Generation(3));
    assert_eq!(bench.outcomes(), [(Reload::Graceful, Outcome::Done)]);
}

#[test]
fn a_worker_that_served_and_left_by_itself_passed_its_probation() {
    let mut bench = Bench::serving(plan(2));
    begin_switch(&mut bench, Reload::Graceful, Plan { probation_us: 50 * MS, ..plan(2) });
    bench.wait(40 * MS);
    bench.gets_ready = false;
    bench.send(Event::Leaving { seat: Seat(2), reason: LeaveReason::Requests });
    bench.wait(20 * MS);
    assert_eq!(bench.machine.current(), Generation(1), "its successor is not ready");
    bench.send(Event::Ready { seat: Seat(4), boot_us: MS, pid: None });
    assert_eq!((bench.machine.current(), bench.ready()), (Generation(2), vec![1, 2]));
}

#[test]
fn a_worker_that_left_before_it_served_passed_nothing() {
    let mut bench = Bench::serving(plan(1));
    bench.gets_ready = false;
    begin_switch(&mut bench, Reload::Graceful, Plan { probation_us: 50 * MS, ..plan(1) });
    bench.send(Event::Leaving { seat: Seat(1), reason: LeaveReason::Other });
    bench.send(Event::Ready { seat: Seat(2), boot_us: MS, pid: None });
    assert_eq!(bench.machine.current(), Generation(1));
    bench.wait(50 * MS);
    assert_eq!(bench.machine.current(), Generation(2));
}

#[test]
fn a_refused_configuration_changes_nothing() {
    let mut bench = Bench::serving(plan(2));
    bench.reload(Reload::Graceful);
    bench.send(Event::ConfigurationRead(Err("app.ini:3: processes: not a number".to_owned())));
    let failed = Outcome::Failed("app.ini:3: processes: not a number".to_owned());
    assert_eq!(bench.outcomes(), [(Reload::Graceful, failed)]);
    bench.log.clear();
    begin_switch(&mut bench, Reload::Graceful, Plan { seats: 5, ..plan(2) });
    assert!(matches!(bench.outcomes().as_slice(), [(Reload::Graceful, Outcome::Failed(_))]));
    assert_eq!(bench.count(|action| matches!(action, Action::StartZygote { .. })), 0);
    assert_eq!(bench.ready(), [1, 2]);
}

fn unfit(generation: Generation) -> Event {
    Event::GenerationUnfit { generation, exit_code: 78, reason: "too large".to_owned() }
}

#[test]
fn a_first_worker_that_does_not_fit_ends_the_start_and_finishes_what_it_may_have_accepted() {
    let mut bench = Bench::new(bounded(1, 1, 2));
    bench.gets_ready = false;
    bench.settle();
    let ready = Event::Ready { seat: Seat(0), boot_us: MS, pid: None };
    bench.machine.handle_together(bench.now, [ready, unfit(Generation(1))]);
    bench.settle();
    assert!(bench.retires(0) && !bench.has(&Action::Announce(Announcement::Ready)));
    assert!(bench.has(&Action::Exit { code: 78 }), "{:?}", bench.log);
}

#[test]
fn a_generation_that_does_not_fit_is_told_only_once_it_serves() {
    let mut bench = Bench::serving(plan(2));
    bench.send(unfit(Generation(1)));
    assert_eq!(
        (bench.notes(), bench.ready()),
        (vec!["generation 1 goes on although too large".to_owned()], vec![1, 2])
    );
}

/// How the load of a new generation can go wrong: given the bench in the middle of it.
type Mishap = fn(&mut Bench);

#[test]
fn whatever_fails_in_a_reload_the_old_goes_on() {
    let generation = Generation(2);
    let mishaps: [(&str, Mishap); 9] = [
        ("cannot load", |bench| {
            let reason = "cannot load".to_owned();
            bench.send(Event::ZygoteLoadFailed { generation: Generation(2), exit_code: 22, reason });
            bench.send(Event::ZygoteExited { generation: Generation(2), status: ExitStatus::Code(22) });
        }),
        ("zygote killed by signal 11 while loading", |bench| {
            bench.send(Event::ZygoteExited { generation: Generation(2), status: ExitStatus::Signal(11) });
        }),
        ("not loaded in time (load-timeout)", |bench| bench.wait(30 * SECOND)),
        ("worker 1 killed by signal 11", |bench| {
            bench.send(Event::ZygoteLoaded { generation: Generation(2), boot_us: MS });
            bench.send(bench.exit(Seat(2), ExitStatus::Signal(11)));
        }),
        ("no module", |bench| {
            bench.send(Event::ZygoteLoaded { generation: Generation(2), boot_us: MS });
            bench.send(Event::NotReady { seat: Seat(3), exit_code: 22, reason: "no module".to_owned() });
            bench.send(bench.exit(Seat(3), ExitStatus::Code(22)));
        }),
        ("too large", |bench| {
            bench.send(Event::ZygoteLoaded { generation: Generation(2), boot_us: MS });
            let ready = Event::Ready { seat: Seat(2), boot_us: MS, pid: None };
            bench.machine.handle_together(bench.now, [ready, unfit(Generation(2))]);
            bench.settle();
            assert!(bench.retires(2), "it may have accepted already");
        }),
        ("not ready in time (load-timeout)", |bench| {
            bench.send(Event::ZygoteLoaded { generation: Generation(2), boot_us: MS });
            bench.wait(30 * SECOND);
        }),
        ("zygote exited with code 1", |bench| {
            bench.send(Event::ZygoteLoaded { generation: Generation(2), boot_us: MS });
            bench.send(Event::ZygoteExited { generation: Generation(2), status: ExitStatus::Code(1) });
        }),
        ("worker 2 killed by signal 9", |bench| {
            bench.send(Event::ZygoteLoaded { generation: Generation(2), boot_us: MS });
            bench.send(Event::Ready { seat: Seat(2), boot_us: MS, pid: None });
            bench.send(bench.exit(Seat(3), ExitStatus::Signal(9)));
        }),
    ];
    for (reason, mishap) in mishaps {
        let mut bench = Bench::serving(plan(2));
        bench.loads = false;
        bench.gets_ready = false;
        begin_switch(&mut bench, Reload::Graceful, plan(2));
        mishap(&mut bench);
        assert_eq!(bench.outcomes(), [(Reload::Graceful, Outcome::Failed(reason.to_owned()))], "{reason}");
        assert!(bench.has(&Action::Abandon { generation, reason: reason.to_owned() }), "{reason}");
        assert!(!bench.retires(0) && !bench.kills(0));
        bench.wait(SECOND);
        assert_eq!((bench.ready(), bench.machine.workers().count()), (vec![1, 2], 2), "{reason}");
        assert_eq!(bench.machine.zygotes.len(), 1, "{reason}");
    }
}

#[test]
fn the_last_of_several_reloads_wins_and_none_is_lost() {
    let mut bench = Bench::serving(plan(2));
    bench.loads = false;
    begin_switch(&mut bench, Reload::Graceful, plan(2));
    bench.reload(Reload::Chain);
    bench.reload(Reload::Workers);
    bench.reload(Reload::Brutal);
    assert!(bench.has(&Action::KillZygote { generation: Generation(2) }));
    let superseded = [
        (Reload::Chain, Outcome::Superseded),
        (Reload::Graceful, Outcome::Superseded),
        (Reload::Workers, Outcome::Superseded),
    ];
    assert_eq!(bench.outcomes(), superseded);
    bench.loads = true;
    bench.send(Event::ConfigurationRead(Ok(plan(2))));
    assert_eq!(bench.outcomes().last(), Some(&(Reload::Brutal, Outcome::Done)));
    assert_eq!(bench.machine.current(), Generation(3));
    assert_eq!(bench.count(|action| matches!(action, Action::Kill { .. })), 2);
}

#[test]
fn only_the_answer_to_the_last_question_counts() {
    let mut bench = Bench::serving(plan(2));
    bench.reload(Reload::Graceful);
    bench.reload(Reload::Graceful);
    bench.send(Event::ConfigurationRead(Ok(plan(5))));
    assert_eq!(bench.count(|action| matches!(action, Action::StartZygote { .. })), 0);
    bench.send(Event::ConfigurationRead(Ok(plan(3))));
    assert_eq!(bench.machine.plan().bounds.maximum(), 3);
    assert_eq!(bench.outcomes(), [(Reload::Graceful, Outcome::Superseded), (Reload::Graceful, Outcome::Done)]);
}

#[test]
fn a_lesser_reload_waits_for_the_switch() {
    let mut bench = Bench::serving(plan(2));
    begin_switch(&mut bench, Reload::Graceful, Plan { probation_us: SECOND, ..plan(2) });
    bench.reload(Reload::Workers);
    assert_eq!(bench.outcomes(), []);
    bench.wait(SECOND);
    assert_eq!(bench.outcomes(), [(Reload::Graceful, Outcome::Done), (Reload::Workers, Outcome::Done)]);
}

#[test]
fn a_reload_during_the_first_load_is_remembered() {
    let mut bench = Bench::new(plan(1));
    bench.loads = false;
    bench.settle();
    bench.reload(Reload::Graceful);
    assert!(!bench.has(&Action::ReadConfiguration));
    bench.send(Event::ZygoteLoaded { generation: Generation(1), boot_us: MS });
    assert!(bench.has(&Action::ReadConfiguration));
}

#[test]
fn the_old_generation_is_respawned_and_scaled_while_the_new_one_loads() {
    let mut bench = Bench::serving(bounded(1, 2, 4));
    bench.loads = false;
    begin_switch(&mut bench, Reload::Graceful, plan(4));
    bench.send(bench.exit(Seat(0), ExitStatus::Signal(9)));
    bench.send(target(3, &[]));
    assert_eq!(bench.ready(), [1, 2, 3]);
    bench.send(Event::ZygoteLoaded { generation: Generation(2), boot_us: MS });
    assert_eq!((bench.machine.current(), bench.ready()), (Generation(2), vec![1, 2, 3]));
    assert_eq!(bench.machine.workers().count(), 3);
}

#[test]
fn a_reload_to_fewer_workers_keeps_within_the_new_plan() {
    let mut bench = Bench::serving(plan(4));
    begin_switch(&mut bench, Reload::Graceful, Plan { seats: 10, ..plan(2) });
    assert_eq!(bench.ready(), [1, 2]);
    assert_eq!(bench.machine.workers().count(), 2);
}

#[test]
fn a_reload_to_a_higher_minimum_starts_that_many() {
    let mut bench = Bench::serving(plan(1));
    begin_switch(&mut bench, Reload::Graceful, bounded(3, 4, 4));
    assert_eq!(bench.ready(), [1, 2, 3]);
}

#[test]
fn the_zygote_of_the_current_generation_may_die_during_a_reload() {
    let mut bench = Bench::serving(plan(2));
    bench.loads = false;
    begin_switch(&mut bench, Reload::Graceful, plan(2));
    bench.send(Event::ZygoteExited { generation: Generation(1), status: ExitStatus::Signal(9) });
    bench.send(Event::ZygoteLoaded { generation: Generation(2), boot_us: MS });
    assert_eq!((bench.machine.current(), bench.ready()), (Generation(2), vec![1, 2]));
    assert_eq!(bench.outcomes(), [(Reload::Graceful, Outcome::Done)]);
    assert_eq!(bench.machine.zygotes.len(), 1);
}

#[test]
fn a_workers_reload_starts_all_successors_at_once() {
    let mut bench = Bench::serving(plan(3));
    bench.gets_ready = false;
    bench.reload(Reload::Workers);
    assert_eq!(bench.count(is_fork), 3);
    assert_eq!(bench.count(|action| matches!(action, Action::Retire { .. })), 0);
    bench.send(Event::Ready { seat: Seat(4), boot_us: MS, pid: None });
    assert!(bench.retires(1));
    assert_eq!(bench.outcomes(), []);
    bench.send(Event::Ready { seat: Seat(3), boot_us: MS, pid: None });
    bench.send(Event::Ready { seat: Seat(5), boot_us: MS, pid: None });
    assert_eq!(bench.outcomes(), [(Reload::Workers, Outcome::Done)]);
    assert_eq!(bench.machine.current(), Generation(1));
}

#[test]
fn a_brutal_workers_reload_kills_when_the_successor_is_ready() {
    let mut bench = Bench::serving(plan(2));
    bench.reload(Reload::WorkersBrutal);
    assert_eq!(bench.count(|action| matches!(action, Action::Kill { .. })), 2);
    assert_eq!(bench.count(|action| matches!(action, Action::Retire { .. })), 0);
    assert_eq!(bench.ready(), [1, 2]);
}

#[test]
fn a_chain_goes_one_by_one() {
    let mut bench = Bench::serving(plan(3));
    bench.gets_ready = false;
    bench.reload(Reload::Chain);
    for (seat, forks) in [(3, 1), (4, 2), (0, 3)] {
        assert_eq!(bench.count(is_fork), forks);
        assert_eq!(bench.count(|action| matches!(action, Action::Retire { .. })), forks - 1);
        assert_eq!(bench.outcomes(), []);
        bench.send(Event::Ready { seat: Seat(seat), boot_us: MS, pid: None });
    }
    assert_eq!(bench.outcomes(), [(Reload::Chain, Outcome::Done)]);
    assert_eq!(bench.ready(), [1, 2, 3]);
    let chain = ["chain reload starting...", "chain next victim is worker 1", "chain reloading complete"];
    assert!(chain.iter().all(|line| bench.notes().iter().any(|note| note == line)), "{:?}", bench.notes());
}

#[test]
fn a_chain_stops_at_a_successor_that_cannot_serve() {
    let mut bench = Bench::serving(plan(3));
    bench.gets_ready = false;
    bench.reload(Reload::Chain);
    bench.send(Event::Ready { seat: Seat(3), boot_us: MS, pid: None });
    bench.send(Event::NotReady { seat: Seat(4), exit_code: 22, reason: "syntax".to_owned() });
    bench.send(bench.exit(Seat(4), ExitStatus::Code(22)));
    assert_eq!(bench.outcomes(), [(Reload::Chain, Outcome::Failed("syntax".to_owned()))]);
    bench.wait(60 * SECOND);
    assert_eq!(bench.ready(), [1, 2, 3]);
    assert_eq!(bench.count(|action| matches!(action, Action::Retire { .. })), 1);
    assert_eq!(bench.count(is_fork), 2);
}

#[test]
fn a_workers_reload_that_fails_takes_its_other_successors_back() {
    let mut bench = Bench::serving(plan(3));
    bench.gets_ready = false;
    bench.reload(Reload::Workers);
    bench.send(bench.exit(Seat(4), ExitStatus::Signal(11)));
    assert!(matches!(bench.outcomes().as_slice(), [(Reload::Workers, Outcome::Failed(_))]));
    assert_eq!(bench.machine.workers().map(|worker| worker.seat.0).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(bench.ready(), [1, 2, 3]);
}

#[test]
fn a_workers_reload_ends_when_the_zygote_does() {
    let mut bench = Bench::serving(plan(2));
    bench.gets_ready = false;
    bench.loads = false;
    bench.reload(Reload::Workers);
    bench.send(Event::ZygoteExited { generation: Generation(1), status: ExitStatus::Signal(9) });
    let failed = Outcome::Failed("zygote killed by signal 9".to_owned());
    assert_eq!(bench.outcomes(), [(Reload::Workers, failed)]);
    assert_eq!(bench.machine.count().ready, 2);
}

#[test]
fn no_mercy_at_all_is_a_mercy_too() {
    let hasty = Plan { mercy_us: 0, ..plan(2) };
    let mut bench = Bench::serving(hasty.clone());
    bench.leaves = false;
    begin_switch(&mut bench, Reload::Graceful, Plan { probation_us: 50 * MS, ..hasty });
    bench.wait(51 * MS);
    assert!(bench.retires(0) && bench.kills(0));
    assert_eq!(bench.ready(), [1, 2]);
}

#[test]
fn a_stop_wins_over_a_reload_and_answers_it() {
    let mut bench = Bench::serving(plan(2));
    bench.loads = false;
    begin_switch(&mut bench, Reload::Graceful, plan(2));
    bench.reload(Reload::Chain);
    bench.order(Order::Stop);
    assert_eq!(bench.outcomes(), [(Reload::Graceful, Outcome::Stopped), (Reload::Chain, Outcome::Stopped)]);
    assert_eq!(bench.log.last(), Some(&Action::Exit { code: 0 }));
}

#[test]
fn a_reload_during_a_stop_is_refused() {
    let mut bench = Bench::serving(plan(2));
    bench.leaves = false;
    bench.order(Order::Stop);
    bench.reload(Reload::Graceful);
    assert_eq!(bench.outcomes(), [(Reload::Graceful, Outcome::Stopped)]);
}

#[test]
fn a_stop_during_the_first_load_stops() {
    let mut bench = Bench::new(plan(2));
    bench.loads = false;
    bench.settle();
    bench.order(Order::Stop);
    assert!(bench.has(&Action::KillZygote { generation: Generation(1) }));
    assert_eq!(bench.log.last(), Some(&Action::Exit { code: 0 }));
}

#[test]
fn a_stop_is_bounded_by_mercy() {
    let mut bench = Bench::serving(plan(2));
    bench.leaves = false;
    bench.order(Order::Stop);
    bench.wait(60 * SECOND - 1);
    assert_eq!(bench.machine.workers().count(), 2);
    bench.wait(1);
    assert_eq!(bench.log.last(), Some(&Action::Exit { code: 0 }));
}

#[test]
fn a_stop_at_once_makes_haste_of_a_stop() {
    let mut bench = Bench::serving(plan(2));
    bench.leaves = false;
    bench.order(Order::Stop);
    bench.order(Order::StopNow);
    assert_eq!(bench.count(|action| matches!(action, Action::Kill { .. })), 2);
    assert_eq!(bench.log.last(), Some(&Action::Exit { code: 0 }));
    assert_eq!(bench.count(|action| *action == Action::Announce(Announcement::Stopping)), 1);
}

#[test]
fn a_stop_ends_even_if_nothing_dies() {
    let mut bench = Bench::serving(plan(2));
    bench.machine.handle(bench.now, Event::Order(Order::Stop));
    let mut actions = Vec::new();
    while let Some(at) = bench.machine.deadline() {
        bench.machine.handle(at, Event::Elapsed);
        actions.extend(std::iter::from_fn(|| bench.machine.poll_action()));
    }
    assert_eq!(actions.last(), Some(&Action::Exit { code: 0 }));
    assert!(actions.contains(&Action::Note(Note::LeftBehind { workers: 2, zygotes: 1, others: 0 })));
}

#[test]
fn a_stop_after_a_stall_of_the_master_still_lets_the_killed_die() {
    let mut bench = Bench::serving(plan(2));
    bench.machine.handle(bench.now, Event::Order(Order::Stop));
    bench.machine.handle(bench.now.plus_us(1_000 * SECOND), Event::Elapsed);
    let actions: Vec<Action> = std::iter::from_fn(|| bench.machine.poll_action()).collect();
    assert!(actions.contains(&Action::Kill { seat: Seat(1), post: Post::worker(2) }));
    assert!(!actions.contains(&Action::Exit { code: 0 }));
}

#[test]
fn what_was_said_in_time_counts_after_a_stall_of_the_master() {
    let mut bench = Bench::serving(plan(1));
    bench.gets_ready = false;
    bench.send(bench.exit(Seat(0), ExitStatus::Signal(9)));
    bench.now = bench.now.plus_us(1_000 * SECOND);
    bench.send(Event::Ready { seat: Seat(0), boot_us: MS, pid: None });
    bench.send(Event::Elapsed);
    assert_eq!(bench.ready(), [1]);
    assert_eq!(bench.count(|action| matches!(action, Action::Kill { .. })), 0);
}

#[test]
fn an_upgrade_waits_until_nothing_is_half_done_and_the_next_image_goes_on() {
    let mut bench = Bench::serving(plan(2));
    bench.order(Order::Pause);
    begin_switch(&mut bench, Reload::Graceful, Plan { probation_us: SECOND, ..plan(2) });
    bench.order(Order::Upgrade);
    assert!(!bench.has(&Action::Upgrade));
    bench.leaves = false;
    bench.wait(SECOND);
    assert!(bench.has(&Action::Upgrade));
    let text = serde_json::to_string(&bench.machine.snapshot()).unwrap();
    let before: Vec<WorkerView> = bench.machine.workers().collect();
    bench.machine = Machine::adopt(bench.now, serde_json::from_str(&text).unwrap()).unwrap();
    assert_eq!(bench.machine.workers().collect::<Vec<_>>(), before);
    assert!(bench.machine.is_paused());
    bench.log.clear();
    bench.wait(60 * SECOND);
    assert_eq!(bench.count(|action| matches!(action, Action::Kill { .. })), 2, "mercy goes on");
    assert!(bench.has(&Action::StopZygote { generation: Generation(1) }));
    assert_eq!(bench.ready(), [1, 2]);
}

/// Several things may happen before the driver asks what to do.
#[test]
fn an_upgrade_comes_after_all_that_was_decided_before_it() {
    let mut bench = Bench::serving(plan(2));
    let now = bench.now;
    bench.machine.handle(now, Event::Order(Order::Upgrade));
    bench.machine.handle(now, target(1, &[]));
    let actions: Vec<Action> = std::iter::from_fn(|| bench.machine.poll_action()).collect();
    assert!(actions.iter().any(|action| matches!(action, Action::Retire { .. })), "{actions:?}");
    assert_eq!(actions.last(), Some(&Action::Upgrade), "{actions:?}");

    bench.machine.handle(now, Event::Order(Order::Upgrade));
    bench.machine.handle(now, Event::Order(Order::Stop));
    assert!(std::iter::from_fn(|| bench.machine.poll_action()).all(|action| action != Action::Upgrade));
}

#[test]
fn what_cannot_be_is_counted_and_survived() {
    let mut bench = Bench::serving(plan(1));
    let status = ExitStatus::Code(0);
    let impossible = [
        Event::Forked { seat: Seat(0), pid: pid(7) },
        Event::Ready { seat: Seat(0), boot_us: 0, pid: None },
        Event::Ready { seat: Seat(99), boot_us: 0, pid: None },
        Event::Exited { seat: Seat(0), pid: pid(7), status },
        Event::Exited { seat: Seat(1), pid: pid(7), status },
        Event::ZygoteLoaded { generation: Generation(1), boot_us: 0 },
        Event::ZygoteExited { generation: Generation(9), status },
        Event::ConfigurationRead(Ok(plan(1))),
    ];
    for (count, event) in (1..).zip(impossible) {
        bench.machine.handle(bench.now, event.clone());
        assert_eq!(bench.machine.impossible_count(), count, "{event:?}");
        let actions: Vec<Action> = std::iter::from_fn(|| bench.machine.poll_action()).collect();
        assert!(matches!(actions.as_slice(), [Action::Note(Note::Impossible { .. })]), "{event:?}: {actions:?}");
    }
    assert_eq!(bench.ready(), [1]);
}

/// What every pair of the table does, with data that fits the state.
#[test]
fn every_pair_of_the_workers_table_is_carried_out() {
    let (pid, since, until) = (pid(7), Time(SECOND), Time(99 * SECOND));
    let why = Farewell::Itself;
    let phases = [
        None,
        Some(Phase::Forking { until, ready: None }),
        Some(Phase::Doomed { until, manner: Manner::Graceful }),
        Some(Phase::Lost { until }),
        Some(Phase::Starting { pid, until: Some(until) }),
        Some(Phase::Ready { pid, since, paused: false }),
        Some(Phase::Leaving { pid, since, until, why }),
        Some(Phase::Retiring { pid, since, until, why }),
        Some(Phase::Killed { pid, since, until: None, why }),
    ];
    let incidents = [
        Incident::Forked(pid),
        Incident::ForkFailed { errno: 11 },
        Incident::Ready { boot_us: MS },
        Incident::NotReady { exit_code: 22, reason: "test".to_owned() },
        Incident::Leaving(LeaveReason::Other),
        Incident::Molded,
        Incident::Exited { pid, status: ExitStatus::Signal(9) },
        Incident::Dismiss(why),
        Incident::Kill(why),
        Incident::Expire,
        Incident::Orphan,
    ];
    // The table is the same for all kinds of children.
    let origin = |role| match Rule::of(role).born {
        Born::Forked => child::Origin::Generation(Generation(1)),
        Born::Executed => child::Origin::Recipe(Box::new(executed::recipe("a"))),
    };
    let kinds = Role::ALL.map(|role| (origin(role), role)).into_iter();
    for ((state, phase), (origin, role)) in
        child::State::ALL.into_iter().zip(phases).flat_map(|row| kinds.clone().map(move |kind| (row, kind)))
    {
        for (stimulus, incident) in child::Stimulus::ALL.into_iter().zip(&incidents) {
            let mut machine = Bench::serving(plan(1)).machine;
            let post = Post { role, number: 1 };
            let sitting = |phase| Child {
                post,
                origin: origin.clone(),
                nth: 2,
                replace: None,
                wear: Default::default(),
                mold: None,
                phase,
            };
            machine.seats[1] = phase.map(sitting);
            assert_eq!((child::State::of(machine.seats[1].as_ref()), incident.stimulus()), (state, stimulus));
            let step = child::step(state, stimulus);
            machine.befall(Seat(1), incident.clone());
            let after = child::State::of(machine.seats[1].as_ref());
            let impossible = u64::from(step == child::Step::Impossible);
            assert_eq!(machine.impossible_count(), impossible, "{state:?} {stimulus:?}");
            let cell = step.to_string();
            let promised = cell.split("→ ").nth(1).and_then(|text| text.split(',').next());
            let expected = promised.map_or(format!("{state:?}"), str::to_owned);
            assert_eq!(format!("{after:?}"), expected, "{state:?} {stimulus:?}: {cell}");
        }
    }
}

#[test]
fn a_process_nobody_ordered_is_killed() {
    let mut bench = Bench::serving(plan(1));
    bench.send(Event::Forked { seat: Seat(2), pid: pid(7) });
    assert!(bench.kills(2));
    assert_eq!(bench.machine.seats.iter().flatten().count(), 1);
}

#[test]
fn time_never_runs_backwards() {
    let mut bench = Bench::serving(plan(1));
    bench.send(Event::Elapsed);
    bench.machine.handle(Time(0), Event::Leaving { seat: Seat(0), reason: LeaveReason::Other });
    bench.settle();
    assert!(bench.machine.deadline().unwrap().since_us(bench.now) > 50 * SECOND);
}

#[test]
fn many_workers_start_reload_shrink_and_stop() {
    let mut bench = Bench::serving(plan(200));
    begin_switch(&mut bench, Reload::Graceful, plan(200));
    assert_eq!((bench.machine.current(), bench.ready().len()), (Generation(2), 200));
    bench.send(target(10, &[]));
    assert_eq!(bench.ready(), (1..=10).collect::<Vec<u32>>());
    bench.order(Order::Stop);
    assert_eq!(bench.log.last(), Some(&Action::Exit { code: 0 }));
}

#[test]
fn a_plan_with_too_few_seats_is_refused() {
    let bad = Plan { seats: 5, ..plan(2) };
    assert!(Machine::start(Time(0), bad).is_err());
}
