//! What the master sees of the load when it looks: workers and requests on the scoreboard, the queues, memory and
//! processor time. Looks only; what follows from it is the [`super::scaler`]'s. Master only.

use std::collections::{BTreeMap, BTreeSet};

use worker_protocol::scoreboard::{CoreState, MasterSeat, Scoreboard, WorkerFigures};

use super::in_force::InForce;
use super::machine::{Condition, Machine, Seat, WorkerView};
use crate::scaling::{CpuUse, Sample, Settings, WorkerTime};
use crate::sys::clock::epoch_s;
use crate::sys::memory;
use crate::sys::queue::QueueProbe;

/// Seats whose processor time is sampled: the first ones get work first, so that they tell enough.
const CPU_SEATS_MAX: usize = 64;

/// How long a reading of /proc counts at least: schedstat is not finer than the scheduler's tick.
const RESOURCES_US: u64 = 4_000;

/// How long it counts for each worker: reading one takes some 10 us, which is to stay below a twentieth of a core.
const RESOURCES_OF_ONE_US: u64 = 300;

/// Where to look.
pub(super) struct Scene<'a> {
    pub(super) now_us: u64,
    pub(super) machine: &'a Machine,
    pub(super) board: Scoreboard<'a>,
    /// The most workers that the Emperor allows, where it shares out memory.
    pub(super) allowance: Option<u32>,
}

/// Looks, and remembers what only a comparison with the last look tells.
#[derive(Debug)]
pub(super) struct Sight {
    probe: QueueProbe,
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

/// What one look finds.
#[derive(Debug, Default)]
pub(super) struct Picture {
    pub(super) sample: Sample,
    pub(super) idle: Vec<Seat>,
    pub(super) volunteers: Vec<Seat>,
    pub(super) busy_cores: u32,
    pub(super) ready: u32,
    /// How long the requests in hand have been there, together.
    ages_us: u64,
}

impl Sight {
    pub(super) fn new() -> Self {
        Self {
            probe: QueueProbe::new(),
            boot_us: 0,
            boot_times: BTreeMap::new(),
            buried: Done::default(),
            requests_seen: BTreeMap::new(),
            cpus: std::thread::available_parallelism().map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(1)),
            resources: Resources::default(),
        }
    }

    /// A worker is ready, so long after the order to fork it. With its pid, what that has cost is remembered.
    pub(super) fn note_boot(&mut self, seat: Seat, pid: Option<i32>, boot_us: u64) {
        self.boot_us = boot_us;
        if let Some(times) = pid.and_then(memory::processor_times_us) {
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
    }

    /// What there is to see now. `volunteers` have asked to go.
    pub(super) fn look(&mut self, scene: &Scene<'_>, in_force: &InForce, volunteers: &BTreeSet<Seat>) -> Picture {
        self.refresh_resources(scene, &in_force.scaling);
        let sample = Sample {
            now_us: scene.now_us,
            requests_total: self.buried.requests,
            busy_time_us: self.buried.running_us,
            boot_us: self.boot_us,
            cpus: self.cpus,
            memory_available_bytes: self.resources.memory_available_bytes,
            worker_rss_bytes: self.resources.worker_rss_bytes,
            rss_total_bytes: self.resources.rss_total_bytes,
            cpu: self.resources.cpu,
            baseline: in_force.schedule.baseline(epoch_s()),
            ..Sample::default()
        };
        let mut picture = Picture { sample, ..Picture::default() };
        // While one worker replaces another their post has two: it counts once, as the one that serves.
        let mut workers: Vec<WorkerView> = scene.machine.workers().collect();
        workers.sort_by_key(|worker| worker.condition == Condition::Starting);
        let mut posts = BTreeSet::new();
        let times = in_force.scaling.needs_worker_times();
        for worker in workers {
            let Some(own) = scene.board.master(worker.seat) else { continue };
            let figures = own.figures();
            let done = Done::of(&figures);
            let sample = &mut picture.sample;
            sample.requests_total = sample.requests_total.saturating_add(done.requests);
            sample.busy_time_us = sample.busy_time_us.saturating_add(done.running_us);
            match worker.condition {
                Condition::Leaving => {}
                Condition::Starting => picture.sample.starting += u32::from(posts.insert(worker.post)),
                Condition::Ready(_) | Condition::Paused(_) => {
                    self.note_wait(worker.seat, &figures, &mut picture.sample);
                    let cores = picture.add_requests(own, scene.now_us);
                    if posts.insert(worker.post) {
                        let busy = cores > 0;
                        let time = WorkerTime { slot: worker.post.number, running_us: done.running_us, busy };
                        picture.add_worker(worker.seat, time, times, volunteers);
                    }
                }
            }
        }
        let sample = &mut picture.sample;
        sample.busy_age_us = picture.ages_us / u64::from(sample.serving.max(1));
        // Workers that were wanted and could not be forked yet count as on their way.
        sample.starting += scene.machine.target().saturating_sub(sample.live());
        self.add_queue(sample, in_force);
        sample.clip();
        picture
    }

    /// How long the request of a worker that has begun another one since the last look had waited.
    fn note_wait(&mut self, seat: Seat, figures: &WorkerFigures, sample: &mut Sample) {
        if self.requests_seen.insert(seat, figures.requests) != Some(figures.requests) {
            sample.exact_wait_us = sample.exact_wait_us.max(figures.last_wait_us);
        }
    }

    fn add_queue(&self, sample: &mut Sample, in_force: &InForce) {
        let served = in_force.sockets.iter().filter(|socket| !socket.listener.is_routed());
        for queue in served.filter_map(|socket| self.probe.queue_of(socket)) {
            sample.queue = Some(sample.queue.unwrap_or(0) + queue.waiting);
            // `listen` as it is configured: what the kernel allows on top is not for waiting.
            sample.queue_max = in_force.config.listen;
        }
    }

    fn refresh_resources(&mut self, scene: &Scene<'_>, settings: &Settings) {
        let workers = u64::from(scene.machine.target().min(CPU_SEATS_MAX as u32));
        let counts_us = RESOURCES_US.max(RESOURCES_OF_ONE_US * workers);
        if scene.now_us.saturating_sub(self.resources.read_us) >= counts_us {
            self.resources = self.read_resources(scene, settings);
        }
    }

    fn read_resources(&self, scene: &Scene<'_>, settings: &Settings) -> Resources {
        let Scene { now_us, machine, board, .. } = *scene;
        let mut read = Resources { read_us: now_us, ..Resources::default() };
        let pids = || machine.workers().filter_map(|worker| Some((worker.seat, worker.pid?.get())));
        if settings.needs_rss() {
            read.rss_total_bytes = pids().map(|(_, pid)| memory::resident_bytes(pid)).sum();
        }
        if settings.needs_cpu() {
            read.memory_available_bytes = memory::available_bytes();
            read.worker_rss_bytes = pids().next().map_or(0, |(_, pid)| memory::resident_bytes(pid));
            let started = machine.workers().filter(|worker| worker.condition != Condition::Starting);
            let started = started.filter_map(|worker| Some((worker.seat, worker.pid?.get()))).take(CPU_SEATS_MAX);
            read.cpu = Some(processor_use(now_us, started, &self.boot_times, board));
        }
        read
    }
}

impl Picture {
    /// A worker that accepts, or would if it were not paused: how many requests it holds.
    fn add_requests(&mut self, own: MasterSeat<'_>, now_us: u64) -> u32 {
        self.ready += 1;
        let starts = (0..own.cores()).filter_map(|core| own.core_state(core).and_then(CoreState::since_us));
        let cores =
            starts.map(|start| self.ages_us = self.ages_us.saturating_add(now_us.saturating_sub(start))).count() as u32;
        self.sample.serving += cores;
        self.busy_cores += cores;
        cores
    }

    /// The worker that counts for its post.
    fn add_worker(&mut self, seat: Seat, time: WorkerTime, times: bool, volunteers: &BTreeSet<Seat>) {
        if volunteers.contains(&seat) {
            self.sample.volunteers += 1;
            self.volunteers.push(seat);
        }
        if time.busy {
            self.sample.busy += 1;
        } else {
            self.sample.idle += 1;
            self.idle.push(seat);
        }
        if times {
            self.sample.workers.push(time);
        }
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
