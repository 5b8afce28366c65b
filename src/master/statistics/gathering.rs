//! What there is to tell of the instance, put together from what the machine knows, what stands in the scoreboard, and what
//! the ledger has kept. Master only.

use std::collections::{BTreeMap, HashMap};

use worker_protocol::scoreboard::{MasterSeat, Scoreboard};

use super::super::driver::Driver;
use super::super::ledger::{Ledger, Slot, believed, believed_core};
use super::super::machine::{Condition, Generation, ProcessId, WorkerView};
use super::calendar::Calendar;
use crate::config::model::Config;
use crate::stats::{
    Answer, Application, Core, Instance, Listener, Load, Readiness, Report, Running, Totals, Worker, WorkerStatus,
    Zygote,
};
use crate::sys::clock::monotonic_us;
use crate::sys::{memory, queue::QueueProbe};

impl Driver<'_> {
    /// Whether a request would be served now.
    pub(super) fn readiness(&self) -> Readiness {
        let (count, generation) = (self.machine.count(), self.machine.root());
        let answer = Answer {
            has_served: self.has_served,
            stopping: self.is_parting(),
            paused: self.machine.is_paused(),
            no_application: self.children.no_application == Some(generation),
            wanted: count.target,
            ready: count.ready,
        };
        answer.readiness()
    }

    /// How much of the instance is in use.
    pub(super) fn load(&self) -> Load {
        let plan = self.machine.plan();
        let running = self.children.board().map_or(0, |board| board.capacity().busy());
        let waiting = self.listeners().iter().filter_map(|listener| listener.queue).fold(0, u32::saturating_add);
        Load { most: plan.bounds.maximum().saturating_mul(plan.threads), jobs: running.saturating_add(waiting) }
    }

    /// Whether any request was answered since the start.
    pub(in crate::master) fn has_answered(&self) -> bool {
        let living: Vec<WorkerView> = self.machine.workers().collect();
        self.children.board().is_some_and(|board| totals(&self.ledger, &living, board).requests > 0)
    }

    /// Sees to it that it is known what processes hold of the memory.
    pub(in crate::master) fn weigh(&mut self) {
        let workers = self.machine.workers().filter_map(|worker| worker.pid);
        let processes: Vec<ProcessId> = workers.chain(self.children.zygote_processes().map(|(_, pid)| pid)).collect();
        self.holdings.refresh(&processes, |pid| memory::held(pid.get()), monotonic_us);
    }

    /// All that there is to tell.
    pub(in crate::master) fn report(&self) -> Report {
        let calendar = Calendar::now();
        let living: Vec<WorkerView> = self.machine.workers().collect();
        let board = self.children.board();
        Report {
            instance: self.instance(),
            listeners: self.listeners(),
            workers: board.map_or_else(Vec::new, |board| self.workers(&living, board, calendar)),
            zygotes: self.zygotes(),
            refork_saved_bytes: self.saved_bytes(),
            unread: self.holdings.unread(),
            running: board.map_or_else(Vec::new, |board| running(&living, board)),
            services: self.services(calendar),
            decisions: self.ledger.last_decisions.iter().cloned().collect(),
            totals: board.map_or_else(Totals::default, |board| totals(&self.ledger, &living, board)),
        }
    }

    fn instance(&self) -> Instance {
        let bounds = self.machine.plan().bounds;
        Instance {
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            uid: nix::unistd::Uid::effective().as_raw(),
            gid: nix::unistd::Gid::effective().as_raw(),
            cwd: std::env::current_dir().map_or_else(|_| String::new(), |path| path.to_string_lossy().into_owned()),
            started_us: self.ledger.started_us,
            generation: self.machine.root().0,
            canary: self.trial_told().or_else(|| self.last_trial.clone()),
            readiness: self.readiness(),
            workers_wanted: self.machine.target(),
            workers_min: bounds.minimum(),
            workers_max: bounds.maximum(),
            threads: self.machine.plan().threads,
            load_us: self.ledger.load_us,
            resident_bytes: memory::own_bytes().0,
        }
    }

    fn workers(&self, living: &[WorkerView], board: Scoreboard<'_>, calendar: Calendar) -> Vec<Worker> {
        let config = &self.in_force.config;
        let mut by_number: HashMap<u32, Vec<(WorkerView, MasterSeat<'_>)>> = HashMap::new();
        for view in living {
            if let Some(seat) = board.master(view.seat) {
                by_number.entry(view.post.number).or_default().push((*view, seat));
            }
        }
        let most = u32::try_from(config.workers).unwrap_or(u32::MAX);
        let fresh = Slot::default();
        let one = |number: u32| {
            let mut all = by_number.remove(&number).unwrap_or_default();
            all.sort_by_key(|(view, _)| rank(view.condition));
            let slot = self.ledger.slots.get(&number).unwrap_or(&fresh);
            let told = worker(config, slot, &all, board.layout().threads(), calendar);
            Worker { number, holding: self.holdings.of(told.pid), ..told }
        };
        (1..=most).map(one).collect()
    }

    fn zygotes(&self) -> Vec<Zygote> {
        let zygote = |(generation, pid): (Generation, ProcessId)| Zygote {
            generation: generation.0,
            pid: pid.get(),
            holding: self.holdings.of(pid.get()),
        };
        self.children.zygote_processes().map(zygote).collect()
    }

    pub(in crate::master) fn listeners(&self) -> Vec<Listener> {
        let probe = QueueProbe::new();
        let listener = |socket: &crate::sys::listeners::BoundSocket| Listener {
            name: socket.name.clone(),
            protocol: socket.listener.protocol.name(),
            queue: probe.queue_of(socket).map(|queue| queue.waiting),
            queue_max: self.in_force.config.listen,
            can_offload: self.in_force.config.offload_threads > 0,
        };
        self.in_force.sockets.iter().map(listener).collect()
    }
}

/// Who stands for a number that several have.
fn rank(condition: Condition) -> u8 {
    match condition {
        Condition::Ready(_) | Condition::Paused(_) => 0,
        Condition::Starting => 1,
        Condition::Leaving => 2,
    }
}

/// Whether what stands in a seat is of who has it now. Where one is only about to be forked, it may be of a predecessor, whom the
/// ledger has counted already.
fn is_own(view: &WorkerView, seat: MasterSeat<'_>) -> bool {
    seat.author() == Some((view.post, view.nth))
}

/// What is told of a number: `all` who have it, the one that stands for it first, and those of whom the ledger knows.
fn worker(
    config: &Config,
    slot: &Slot,
    all: &[(WorkerView, MasterSeat<'_>)],
    threads: u32,
    calendar: Calendar,
) -> Worker {
    let own: Vec<(WorkerView, MasterSeat<'_>)> =
        all.iter().filter(|(view, seat)| is_own(view, *seat)).copied().collect();
    let mut sum = slot.clone();
    for (_, seat) in &own {
        sum.add(*seat);
    }
    let first = all.first();
    let first_own = first.filter(|(view, seat)| is_own(view, *seat));
    let figures = first_own.map(|(_, seat)| believed(seat.figures())).unwrap_or_default();
    let status = match first.map(|(view, _)| view.condition) {
        None => WorkerStatus::Cheap,
        Some(Condition::Paused(_)) if figures.busy_cores == 0 => WorkerStatus::Paused,
        Some(_) if figures.busy_cores > 0 => WorkerStatus::Busy,
        Some(_) => WorkerStatus::Idle,
    };
    Worker {
        number: 0,
        pid: first.and_then(|(view, _)| view.pid).map_or(0, |pid| pid.get()),
        generation: first.map_or(0, |(view, _)| view.generation.0),
        accepting: matches!(first, Some((view, _)) if matches!(view.condition, Condition::Ready(_))),
        status,
        requests: sum.requests,
        delta_requests: figures.requests,
        exceptions: sum.exceptions,
        harakiris: sum.harakiris,
        signals: sum.signals,
        signal: first_own.and_then(|(_, seat)| seat.signals().under_way),
        rss_bytes: figures.rss_bytes,
        vsz_bytes: figures.vsz_bytes,
        holding: None,
        running_us: sum.running_us,
        spawned_s: sum.spawned_s,
        spawns: sum.spawns,
        sent_bytes: sum.sent_bytes,
        average_us: if figures.average_us > 0 { figures.average_us } else { slot.average_us },
        application: Application { boot_us: figures.boot_us },
        cores: (0..threads as usize).map(|index| core(config, &sum, &own, index, calendar)).collect(),
    }
}

fn core(config: &Config, sum: &Slot, all: &[(WorkerView, MasterSeat<'_>)], index: usize, calendar: Calendar) -> Core {
    let done = sum.cores.get(index).copied().unwrap_or_default();
    let busy = all.iter().find_map(|(_, seat)| Some((seat, seat.core_figures(index)?.since_us?)));
    let described = busy.filter(|_| config.statistics.describes_requests());
    Core {
        requests: done.requests,
        static_requests: done.static_requests,
        offloaded_requests: done.offloaded_requests,
        write_errors: done.write_errors,
        read_errors: done.read_errors,
        is_busy: busy.is_some(),
        since_s: busy.map(|(_, since_us)| calendar.epoch_s(since_us)),
        variables: described.and_then(|(seat, _)| seat.description(index)).map_or_else(Vec::new, |bytes| {
            let whole = bytes.split(|byte| *byte == 0).filter(|pair| !pair.is_empty());
            whole.map(|pair| String::from_utf8_lossy(pair).into_owned()).collect()
        }),
    }
}

fn running(living: &[WorkerView], board: Scoreboard<'_>) -> Vec<Running> {
    let mut counts: BTreeMap<(u32, &'static str), u32> = BTreeMap::new();
    for view in living {
        let is_busy = || board.master(view.seat).is_some_and(|seat| seat.figures().busy_cores > 0);
        let state = match view.condition {
            Condition::Starting => "starting",
            Condition::Leaving => "leaving",
            Condition::Ready(_) | Condition::Paused(_) if is_busy() => "busy",
            Condition::Paused(_) => "paused",
            Condition::Ready(_) => "idle",
        };
        *counts.entry((view.generation.0, state)).or_default() += 1;
    }
    counts.into_iter().map(|((generation, state), count)| Running { state, generation, count }).collect()
}

fn totals(ledger: &Ledger, living: &[WorkerView], board: Scoreboard<'_>) -> Totals {
    let mut totals = ledger.totals();
    let seats = living.iter().filter_map(|view| board.master(view.seat).filter(|seat| is_own(view, *seat)));
    for seat in seats {
        let figures = believed(seat.figures());
        totals.requests = totals.requests.saturating_add(figures.requests);
        totals.exceptions = totals.exceptions.saturating_add(figures.exceptions);
        totals.sent_bytes = totals.sent_bytes.saturating_add(figures.sent_bytes);
        totals.read_errors = totals.read_errors.saturating_add(figures.read_errors);
        totals.write_errors = totals.write_errors.saturating_add(figures.write_errors);
        for core in (0..seat.cores()).filter_map(|index| seat.core_figures(index)).map(believed_core) {
            totals.durations.add(&core.durations);
            totals.waits.add(&core.waits);
        }
    }
    totals
}
