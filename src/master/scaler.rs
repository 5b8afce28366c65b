//! Joins the pure scaling policies to the running instance: takes samples, arms the wake-ups they ask for, turns
//! decisions into targets of the machine. Master only.

use std::collections::{BTreeMap, BTreeSet};

use worker_protocol::scoreboard::{Armed, CORES_MAX, CoreState, Scoreboard, WorkerFigures};

use super::decisions::DecisionFile;
use super::machine::{Condition, Event, Machine, Order, Seat, WorkerView};
use crate::config::model::Config;
use crate::scaling::decision_log::{Record, text_line};
use crate::scaling::{CpuUse, Decided, Decision, Memory, Reason, Sample, Settings, Wake, WorkerTime, step};
use crate::sys::listeners::BoundSocket;
use crate::sys::memory;
use crate::sys::queue::QueueProbe;

/// Seats whose processor time is sampled: the first ones get work first, so that they tell enough.
const CPU_SEATS_MAX: usize = 64;

/// How soon to look again when the wake-up that was asked for had already happened.
const LOOK_AGAIN_US: u64 = 1_000;

/// How soon to look again while nothing can wake us because everybody is busy.
const LOOK_UNARMED_US: u64 = 50_000;

/// Decides on the number of workers, whenever there is something to decide.
#[derive(Debug)]
pub(super) struct Scaler {
    settings: Settings,
    memory: Memory,
    /// `listen` as it is configured: what the kernel allows on top is not for waiting.
    queue_max: u32,
    /// Whether windows without a decision are told as well (`cheaper-busyness-verbose`).
    tells_windows: bool,
    /// Where decisions are recorded (`cheaper-log`).
    record_to: Option<DecisionFile>,
    probe: QueueProbe,
    next_look_us: Option<u64>,
    /// Whether a connection in the queue shall wake the master.
    wake_on_queue: bool,
    /// Whether at the last look the counter of busy cores and the cores did not say the same.
    has_miscounted: bool,
    /// Workers asked for or refused by the operator since the last look.
    pending: i32,
    /// Workers that asked to go since the last look.
    volunteers: BTreeSet<Seat>,
    boot_us: u64,
    /// What starting has cost each worker; see [`processor_use`].
    boot_times: BTreeMap<Seat, ProcessorTimes>,
    /// By workers that are gone.
    buried: Done,
    /// Requests of each seat at the last look, to tell which waits are new.
    requests_seen: BTreeMap<Seat, u64>,
    cpus: u32,
    resources: Resources,
}

/// What is read from /proc, and when it was: dear enough not to be read at every look.
#[derive(Debug, Clone, Default)]
struct Resources {
    read_us: u64,
    memory_available_bytes: Option<u64>,
    worker_rss_bytes: u64,
    rss_total_bytes: u64,
    cpu: Option<CpuUse>,
}

/// How long a reading of /proc counts at least: schedstat is not finer than the scheduler's tick.
const RESOURCES_US: u64 = 4_000;

/// How long it counts for each worker: reading one takes some 10 us, which is to stay below a twentieth of a core.
const RESOURCES_OF_ONE_US: u64 = 300;

/// Microseconds on a core, and runnable without one.
type ProcessorTimes = (u64, u64);

/// What workers have done.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    requests: u64,
    running_us: u64,
}

/// Most that is believed of one worker: its words are in memory that its application can write to, and thousands of
/// such workers must not bring the sums to their end.
const REQUESTS_OF_ONE_MAX: u64 = 1 << 40;
const RUNNING_OF_ONE_MAX_US: u64 = 1 << 48;

impl Done {
    fn of(figures: &WorkerFigures) -> Self {
        Self {
            requests: figures.requests.min(REQUESTS_OF_ONE_MAX),
            running_us: figures.running_us.min(RUNNING_OF_ONE_MAX_US),
        }
    }
}

/// What one look at the scoreboard finds.
#[derive(Debug, Default)]
struct Picture {
    sample: Sample,
    idle: Vec<Seat>,
    volunteers: Vec<Seat>,
    busy_cores: u32,
    ready: u32,
}

impl Scaler {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            settings: Settings::of(config),
            memory: Memory::default(),
            queue_max: config.listen,
            tells_windows: config.scaling.busyness.verbose,
            record_to: None,
            probe: QueueProbe::new(),
            next_look_us: None,
            wake_on_queue: false,
            has_miscounted: false,
            pending: 0,
            volunteers: BTreeSet::new(),
            boot_us: 0,
            boot_times: BTreeMap::new(),
            buried: Done::default(),
            requests_seen: BTreeMap::new(),
            cpus: std::thread::available_parallelism().map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(1)),
            resources: Resources::default(),
        }
    }

    /// Takes over the settings of a new configuration; what was learnt of the load is kept.
    pub(super) fn reconfigure(&mut self, config: &Config) {
        self.settings = Settings::of(config);
        self.queue_max = config.listen;
        self.tells_windows = config.scaling.busyness.verbose;
    }

    /// Sets where decisions are recorded from now on; the file before.
    pub(super) fn record_to(&mut self, file: Option<DecisionFile>) -> Option<DecisionFile> {
        std::mem::replace(&mut self.record_to, file)
    }

    /// The file that decisions are recorded in.
    pub(super) fn recording(&mut self) -> Option<&mut DecisionFile> {
        self.record_to.as_mut()
    }

    /// What was learnt of the load, for the next image of the master.
    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Goes on with what the image before has learnt.
    pub(super) fn remember(&mut self, memory: Memory) {
        self.memory = memory;
    }

    /// The operator wants no worker until a connection comes.
    pub(super) fn sleep(&mut self, now_us: u64) {
        self.memory.fall_asleep(now_us);
    }

    /// When to look again though nothing happens.
    pub(super) fn next_look_us(&self) -> Option<u64> {
        self.next_look_us
    }

    /// Whether a connection in the queue shall wake the master.
    pub(super) fn wakes_on_queue(&self) -> bool {
        self.wake_on_queue
    }

    /// Whether the counter of busy cores is to be set right. Requests that begin or end during a look are a reason as
    /// well; counting for nothing costs less than the look.
    pub(super) fn has_miscounted(&self) -> bool {
        self.has_miscounted
    }

    /// One worker more or less, asked for by the operator.
    pub(super) fn ask(&mut self, workers: i32) {
        self.pending = self.pending.saturating_add(workers);
    }

    /// The worker in a seat asks to go.
    pub(super) fn let_go(&mut self, seat: Seat) {
        self.volunteers.insert(seat);
    }

    /// A worker is ready, so long after the order to fork it.
    pub(super) fn note_boot(&mut self, seat: Seat, pid: Option<i32>, boot_us: u64) {
        self.boot_us = boot_us;
        if self.settings.needs_cpu()
            && let Some(times) = pid.and_then(memory::processor_times_us)
        {
            self.boot_times.insert(seat, times);
        }
    }

    /// Keeps the figures of a worker that is gone.
    pub(super) fn bury(&mut self, board: Scoreboard<'_>, seat: Seat) {
        if let Some(own) = board.master(seat) {
            let done = Done::of(&own.figures());
            self.buried.requests = self.buried.requests.saturating_add(done.requests);
            self.buried.running_us = self.buried.running_us.saturating_add(done.running_us);
        }
        self.requests_seen.remove(&seat);
        self.boot_times.remove(&seat);
        self.volunteers.remove(&seat);
    }

    /// Looks, decides, tells the logs, and arms what shall wake the master next. What is to be done comes as an event.
    pub(super) fn look(
        &mut self,
        now_us: u64,
        machine: &Machine,
        board: Scoreboard<'_>,
        sockets: &[BoundSocket],
    ) -> Option<Event> {
        let picture = self.picture(now_us, machine, board, sockets);
        let before = self.record_to.as_ref().map(|_| self.memory.clone());
        let (memory, decided) = step(&self.settings, std::mem::take(&mut self.memory), &picture.sample);
        self.memory = memory;
        self.next_look_us = if self.pending == 0 { decided.next_look_us } else { Some(now_us) };
        self.arm(now_us, &decided, &picture, board);
        if !picture.volunteers.is_empty() && !matches!(decided.reason, Reason::Volunteered { .. }) {
            let minimum = self.settings.minimum;
            log::info!("a worker asked to go and stays: at least {minimum} must run");
        }
        let target = |workers| Some(Event::Target { workers, idle: picture.idle, volunteers: picture.volunteers });
        let event = match decided.decision {
            Decision::Hold if decided.reason.ends_instance() => Some(Event::Order(Order::Stop)),
            Decision::Hold => None,
            Decision::Grow(more) => target(machine.target().saturating_add(more)),
            Decision::Shrink(fewer) => target(machine.target().saturating_sub(fewer)),
        };
        if event.is_none() && !(self.tells_windows && decided.reason.ends_window()) {
            return None;
        }
        let line = text_line(&picture.sample, &decided);
        if let (Some(file), Some(memory)) = (&mut self.record_to, before) {
            file.write(&Record { settings: self.settings.clone(), memory, sample: picture.sample, decided });
        }
        // Last, so that whoever reads it finds the record.
        log::info!("{line}");
        event
    }

    fn arm(&mut self, now_us: u64, decided: &Decided, picture: &Picture, board: Scoreboard<'_>) {
        let threads = board.layout().threads();
        let wake_at = match decided.wake {
            Wake::SpareAtMost(spare) => (picture.ready * threads).saturating_sub(spare * threads).max(1),
            Wake::Never | Wake::QueueReadable => CORES_MAX + 1,
        };
        self.wake_on_queue = decided.wake == Wake::QueueReadable;
        self.has_miscounted = board.capacity().busy() != picture.busy_cores;
        if wake_at > CORES_MAX {
            board.capacity().disarm();
            return;
        }
        // Nothing is armed when as many are busy already. A core that became so since the sample was taken is news;
        // and although the policy has seen the others, without a wake-up it must get another look.
        if let Armed::Reached { busy } = board.capacity().arm(wake_at) {
            let soon = now_us + if busy > picture.busy_cores { LOOK_AGAIN_US } else { LOOK_UNARMED_US };
            self.next_look_us = Some(self.next_look_us.map_or(soon, |look| look.min(soon)));
        }
    }

    fn picture(&mut self, now_us: u64, machine: &Machine, board: Scoreboard<'_>, sockets: &[BoundSocket]) -> Picture {
        let counts_us = RESOURCES_US.max(RESOURCES_OF_ONE_US * u64::from(machine.target().min(CPU_SEATS_MAX as u32)));
        if now_us.saturating_sub(self.resources.read_us) >= counts_us {
            self.resources = self.read_resources(now_us, machine, board);
        }
        let mut picture = Picture::default();
        let mut ages_us = 0;
        let sample = &mut picture.sample;
        sample.now_us = now_us;
        sample.requests_total = self.buried.requests;
        sample.busy_time_us = self.buried.running_us;
        // While one worker replaces another their post has two: it counts once, as the one that serves.
        let mut workers: Vec<WorkerView> = machine.workers().collect();
        workers.sort_by_key(|worker| worker.condition == Condition::Starting);
        let mut posts = BTreeSet::new();
        let volunteers = std::mem::take(&mut self.volunteers);
        for worker in workers {
            let Some(own) = board.master(worker.seat) else { continue };
            let figures = own.figures();
            let done = Done::of(&figures);
            sample.requests_total = sample.requests_total.saturating_add(done.requests);
            sample.busy_time_us = sample.busy_time_us.saturating_add(done.running_us);
            match worker.condition {
                Condition::Leaving => continue,
                Condition::Starting => {
                    sample.starting += u32::from(posts.insert(worker.post));
                    continue;
                }
                Condition::Ready(_) | Condition::Paused(_) => picture.ready += 1,
            }
            let seen = self.requests_seen.insert(worker.seat, figures.requests);
            if seen != Some(figures.requests) {
                sample.exact_wait_us = sample.exact_wait_us.max(figures.last_wait_us);
            }
            let starts = (0..own.cores()).filter_map(|core| own.core_state(core).and_then(CoreState::since_us));
            let cores =
                starts.map(|start| ages_us = u64::saturating_add(ages_us, now_us.saturating_sub(start))).count() as u32;
            sample.serving += cores;
            picture.busy_cores += cores;
            if !posts.insert(worker.post) {
                continue;
            }
            if volunteers.contains(&worker.seat) {
                sample.volunteers += 1;
                picture.volunteers.push(worker.seat);
            }
            if cores == 0 {
                sample.idle += 1;
                picture.idle.push(worker.seat);
            } else {
                sample.busy += 1;
            }
            if self.settings.needs_worker_times() {
                let time = WorkerTime { slot: worker.post.number, running_us: done.running_us, busy: cores > 0 };
                sample.workers.push(time);
            }
        }
        sample.busy_age_us = ages_us / u64::from(sample.serving.max(1));
        // Workers that were wanted and could not be forked yet count as on their way.
        let live = sample.busy + sample.idle + sample.starting;
        sample.starting += machine.target().saturating_sub(live);
        sample.boot_us = self.boot_us;
        sample.cpus = self.cpus;
        // One thing at a time: the operator's comes at the next look.
        sample.pending = if sample.volunteers == 0 { std::mem::take(&mut self.pending) } else { 0 };
        self.add_queue(sample, sockets);
        sample.memory_available_bytes = self.resources.memory_available_bytes;
        sample.worker_rss_bytes = self.resources.worker_rss_bytes;
        sample.rss_total_bytes = self.resources.rss_total_bytes;
        sample.cpu = self.resources.cpu;
        sample.clip();
        picture
    }

    fn add_queue(&self, sample: &mut Sample, sockets: &[BoundSocket]) {
        for queue in sockets.iter().filter_map(|socket| self.probe.queue_of(socket)) {
            sample.queue = Some(sample.queue.unwrap_or(0) + queue.waiting);
            sample.queue_max = self.queue_max;
        }
    }

    fn read_resources(&self, now_us: u64, machine: &Machine, board: Scoreboard<'_>) -> Resources {
        let mut read = Resources { read_us: now_us, ..Resources::default() };
        let pids = || machine.workers().filter_map(|worker| Some((worker.seat, worker.pid?.get())));
        if self.settings.needs_rss() {
            read.rss_total_bytes = pids().map(|(_, pid)| memory::resident_bytes(pid)).sum();
        }
        if self.settings.needs_cpu() {
            read.memory_available_bytes = memory::available_bytes();
            read.worker_rss_bytes = pids().next().map_or(0, |(_, pid)| memory::resident_bytes(pid));
            let started = machine.workers().filter(|worker| worker.condition != Condition::Starting);
            let started = started.filter_map(|worker| Some((worker.seat, worker.pid?.get()))).take(CPU_SEATS_MAX);
            read.cpu = Some(processor_use(now_us, started, &self.boot_times, board));
        }
        read
    }
}

/// Where the time of requests went. Without what starting has cost: many workers that start at once wait for the cores,
/// which says nothing of the requests.
fn processor_use(
    now_us: u64,
    workers: impl Iterator<Item = (Seat, i32)>,
    boot_times: &BTreeMap<Seat, ProcessorTimes>,
    board: Scoreboard<'_>,
) -> CpuUse {
    let mut sum = CpuUse::default();
    for (seat, pid) in workers {
        let Some((used_us, delayed_us)) = memory::processor_times_us(pid) else { continue };
        let (boot_used_us, boot_delayed_us) = boot_times.get(&seat).copied().unwrap_or_default();
        sum.used_us += used_us.saturating_sub(boot_used_us);
        sum.delayed_us += delayed_us.saturating_sub(boot_delayed_us);
        if let Some(own) = board.master(seat) {
            let figures = own.figures();
            let current_us = figures.oldest_since_us.map_or(0, |since| now_us.saturating_sub(since));
            let busy_us = Done::of(&figures).running_us.saturating_add(current_us);
            sum.busy_us = sum.busy_us.saturating_add(busy_us);
        }
    }
    sum
}
