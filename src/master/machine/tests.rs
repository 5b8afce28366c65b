//! One test for each rule of the machine, on a small bench that answers for zygotes and workers.

use super::*;

const MS: u64 = 1_000;
const SECOND: u64 = 1_000_000;

fn plan(workers: u32) -> Plan {
    Plan {
        workers,
        minimum: 1,
        initial: workers,
        threads: 1,
        seats: Plan::seats_for(workers),
        mercy_us: 60 * SECOND,
        respawn_delay_max_us: 2 * SECOND,
        load_timeout_us: Some(30 * SECOND),
        probation_us: 0,
    }
}

/// A machine with the actions that it gave out. Pids are handed out from 100.
struct Bench {
    machine: Machine,
    now: Time,
    log: Vec<Action>,
    next_pid: i32,
    /// Answers given without being told to.
    loads: bool,
    gets_ready: bool,
    leaves: bool,
}

impl Bench {
    fn new(plan: Plan) -> Bench {
        let now = Time(SECOND);
        let machine = Machine::start(now, plan).unwrap();
        Bench { machine, now, log: Vec::new(), next_pid: 100, loads: true, gets_ready: true, leaves: true }
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
            Action::Fork { seat, .. } => {
                self.next_pid += 1;
                let mut events = vec![Event::WorkerForked { seat, pid: ProcessId(self.next_pid) }];
                if self.gets_ready {
                    events.push(Event::WorkerReady { seat, boot_us: MS });
                }
                events
            }
            Action::Retire { seat } if self.leaves => vec![self.exit(seat, ExitStatus::Code(30))],
            Action::Kill { seat } => vec![self.exit(seat, ExitStatus::Signal(9))],
            _ => vec![],
        }
    }

    fn exit(&self, seat: Seat, status: ExitStatus) -> Event {
        Event::WorkerExited { seat, pid: self.pid(seat).unwrap(), status }
    }

    fn pid(&self, seat: Seat) -> Option<ProcessId> {
        self.machine.workers().find(|worker| worker.seat == seat)?.pid
    }

    /// The ready workers of the current generation, as slots.
    fn ready(&self) -> Vec<u32> {
        let current = self.machine.current();
        let ready = self.machine.workers().filter(|worker| {
            worker.generation == current && matches!(worker.condition, Condition::Ready(_) | Condition::Paused(_))
        });
        let mut slots: Vec<u32> = ready.map(|worker| worker.slot.0).collect();
        slots.sort_unstable();
        slots
    }

    fn has(&self, action: &Action) -> bool {
        self.log.contains(action)
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
    bench.send(Event::WorkerReady { seat: Seat(0), boot_us: MS });
    assert!(!bench.has(&Action::Announce(Announcement::Ready)));
    bench.send(Event::WorkerReady { seat: Seat(1), boot_us: MS });
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
    bench.send(bench.exit(Seat(0), ExitStatus::Signal(9)));
    assert_eq!(bench.ready(), [2]);
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
        &Action::Retire { seat: Seat(0) },
        &Action::Retire { seat: Seat(1) },
        &Action::StopZygote { generation: Generation(1) },
        &Action::Exit { code: 0 },
    ];
    assert_eq!(acts, expected);
}
