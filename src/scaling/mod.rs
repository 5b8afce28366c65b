//! How many workers run: the policies, their bounds, and the model that tries them out.
//!
//! Not for acting: nothing here forks, reads a clock, a file of `/proc` or a socket. It runs in the master (through
//! [`step`]) and in the `simulate` command. All times are microseconds of one monotonic clock, all arithmetic that
//! leads to a decision is on integers, so a recorded run replays bit for bit on any machine.
//!
//! # What the master does, and when
//!
//! 1. At start: [`Settings::of`], start [`Settings::initial`] workers, `Memory::default()`.
//! 2. Builds a [`Sample`] and calls [`step`] when one of these happens, and at no other time:
//!    - what the last [`Decided::wake`] asked for ([`Wake`]): a worker that begins a request leaves no more than so
//!      many workers idle, or a listening socket becomes readable while nobody is idle;
//!    - the time [`Decided::next_look_us`] is reached (`None`: no timer, so without traffic the master sleeps);
//!    - a worker becomes ready, or is gone;
//!    - the master fifo asked for more or fewer ([`Sample::pending`]).
//! 3. Carries out [`Decided::decision`]: `Grow(n)` forks n workers, `Shrink(n)` retires n *idle* workers (the one
//!    idle for longest first). An idle worker that became busy meanwhile is left alone: the removal is dropped, never
//!    remembered. A fork that fails stays in [`Sample::starting`] while it waits for its next attempt.
//! 4. Logs every decision that is not `Hold` ([`decision_log`]).
//!
//! What costs something is only needed by some: [`Settings::needs_worker_times`], [`Settings::needs_cpu`].

pub mod adaptive;
mod backlog;
mod bounds;
mod busyness;
pub mod decision_log;
#[cfg(test)]
mod fixture;
mod idle;
mod manual;
#[cfg(test)]
mod properties;
mod reason;
mod settings;
pub mod simulator;
mod spare;
mod spare2;

pub use bounds::Bound;
pub use reason::Reason;
pub use settings::{Busyness, MinimumDoesNotFit, Pace, Settings};

use crate::config::model::Policy;
use serde::{Deserialize, Serialize};

/// What the master sees at one moment. Counts are of workers of the generation that serves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// Monotonic time in microseconds.
    pub now_us: u64,
    /// Workers that hold at least one request.
    pub busy: u32,
    /// Ready workers that hold none.
    pub idle: u32,
    /// Workers ordered and not yet ready, those that wait for the next attempt after a failed fork included.
    pub starting: u32,
    /// Workers that leave and still hold one of the `workers` slots (zero if the master keeps spare slots for them).
    pub retiring: u32,
    /// Requests in hand, over all threads. With one thread a worker it equals `busy`.
    pub serving: u32,
    /// Connections that wait for accept, all sockets together. Where the kernel does not tell: `Some(1)` if a listening
    /// socket is readable, else `None`.
    pub queue: Option<u32>,
    /// How many may wait on one socket (`listen`).
    pub queue_max: u32,
    /// How long the connection at the head of the queue has waited for certain; zero if unknown. The policies keep
    /// their own lower bound beside it.
    pub oldest_wait_us: u64,
    /// Longest exact wait (arrival at the web server to first byte read) among the requests begun since the last
    /// sample, where the web server passes the arrival time; zero if none.
    pub exact_wait_us: u64,
    /// Mean age of the requests in hand; zero if there are none.
    pub busy_age_us: u64,
    /// Requests finished since the master started, those of workers that are gone included. Never decreases.
    pub requests_total: u64,
    /// Time spent on those requests. Never decreases.
    pub busy_time_us: u64,
    /// One entry a live worker; only read by `busyness` ([`Settings::needs_worker_times`]), else left empty.
    pub workers: Vec<WorkerTime>,
    /// Time from ordering a worker to its being ready, a recent measurement; zero if none was made yet.
    pub boot_us: u64,
    /// Memory that one more worker takes, in bytes; zero if unknown.
    pub worker_rss_bytes: u64,
    /// Resident memory of all live workers together, in bytes.
    pub rss_total_bytes: u64,
    /// Memory that can still be had before the machine (or the cgroup) swaps or kills, in bytes.
    pub memory_available_bytes: Option<u64>,
    /// Cores the workers may run on (affinity and cgroup quota respected).
    pub cpus: u32,
    /// How the busy time divides; see [`Settings::needs_cpu`].
    pub cpu: Option<CpuUse>,
    /// Workers the operator asked for since the last sample (fifo `+` and `-`).
    pub pending: i32,
}

/// Largest count and largest time of a sample that is believed (a damaged log may hold anything).
const COUNT_MAX: u32 = 1 << 20;
const TIME_MAX_US: u64 = 1 << 60;

impl Sample {
    /// Whether the numbers are such as a server can have, so that sums of them cannot overflow.
    ///
    /// # Errors
    /// The name of the field that is out of range.
    pub fn check(&self) -> Result<(), &'static str> {
        let counts = [self.busy, self.idle, self.starting, self.retiring, self.serving, self.queue.unwrap_or(0)];
        let cpu = self.cpu.unwrap_or_default();
        let times = [self.oldest_wait_us, self.exact_wait_us, self.busy_age_us, self.busy_time_us, self.boot_us];
        let cumulative = [self.requests_total, cpu.busy_us, cpu.used_us, cpu.delayed_us];
        if counts.iter().any(|&count| count > COUNT_MAX) || self.cpus > COUNT_MAX {
            return Err("a count of the sample");
        }
        if self.now_us > TIME_MAX_US || times.iter().chain(&cumulative).any(|&time| time > TIME_MAX_US) {
            return Err("a time of the sample");
        }
        if self.workers.len() > COUNT_MAX as usize || self.workers.iter().any(|worker| worker.running_us > TIME_MAX_US)
        {
            return Err("a worker's time of the sample");
        }
        Ok(())
    }

    /// Workers that serve or are about to: the number that the bounds are about.
    pub fn live(&self) -> u32 {
        self.busy.saturating_add(self.idle).saturating_add(self.starting)
    }

    /// Requests in hand and connections waiting.
    pub fn jobs(&self) -> u32 {
        self.serving.max(self.busy).saturating_add(self.queue.unwrap_or(0))
    }
}

/// One worker's running time, for `busyness`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerTime {
    /// Its slot: the same number is the same place over time.
    pub slot: u32,
    /// Time spent on finished requests since this worker started (it moves at request ends only, as in uWSGI).
    pub running_us: u64,
    /// Whether it holds a request now.
    pub busy: bool,
}

/// Where the workers' busy time went, cumulative since the master started. All three are of the same workers: the
/// first 64 seats suffice, since those are used first. On Linux `used` and `delayed` are the first two numbers of
/// `/proc/PID/schedstat`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuUse {
    /// Time with a request in hand, the current one included.
    pub busy_us: u64,
    /// Time on a core.
    pub used_us: u64,
    /// Time runnable without a core.
    pub delayed_us: u64,
}

/// What to do with the number of workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Nothing.
    Hold,
    /// Start so many.
    Grow(u32),
    /// Retire so many idle ones.
    Shrink(u32),
}

/// What should wake the master before the next look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wake {
    /// Nothing that workers or clients do is of interest (the number is at its maximum, say).
    Never,
    /// A worker that begins a request and leaves at most so many workers idle.
    SpareAtMost(u32),
    /// A listening socket that is readable (everybody is busy, so nobody else will take the connection at once).
    QueueReadable,
}

/// The outcome of one [`step`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// What to do, bounds applied.
    pub decision: Decision,
    /// What the policy wished before the bounds: workers to add, negative to remove.
    pub wished: i64,
    /// Why, with the inputs that mattered.
    pub reason: Reason,
    /// The bound that cut the wish down, if one did.
    pub bound: Option<Bound>,
    /// When to look again although nothing happened, on the sample's clock.
    pub next_look_us: Option<u64>,
    /// What should wake the master earlier.
    pub wake: Wake,
}

/// What the policies remember between two samples. A value: the same memory and sample give the same outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    last_run_us: Option<u64>,
    bounds: bounds::Memory,
    idle: idle::Memory,
    policy: PolicyMemory,
}

impl Memory {
    /// The operator wants no worker until a connection comes (fifo `C`).
    pub fn fall_asleep(&mut self, now_us: u64) {
        self.idle.fall_asleep(now_us);
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct PolicyMemory {
    adaptive: adaptive::Memory,
    spare: spare::Memory,
    spare2: spare2::Memory,
    backlog: backlog::Memory,
    busyness: busyness::Memory,
}

/// What a policy is given: the sample, the settings, and whether growth is allowed at all (memory limits).
pub(crate) struct View<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) sample: &'a Sample,
    pub(crate) may_grow: bool,
}

impl View<'_> {
    /// Slots in which a worker could still be started.
    pub(crate) fn room(&self) -> u32 {
        self.settings.maximum.saturating_sub(self.sample.live().saturating_add(self.sample.retiring))
    }

    /// The most that one decision of uWSGI's policies adds.
    pub(crate) fn step(&self) -> i64 {
        i64::from(self.room().min(self.settings.step.max(1)))
    }

    /// Ready or about to be, and without a request: what uWSGI counts as idle.
    pub(crate) fn spare(&self) -> u32 {
        self.sample.idle + self.sample.starting
    }

    /// The usual wake-up of a policy that can still grow. What is the case already need not be waited for where a timer
    /// looks anyway: else every request of a busy server would wake the master.
    pub(crate) fn wake_when_spare_at_most(&self, spare: u32, next_look_us: Option<u64>) -> Wake {
        let known = self.sample.idle <= spare && next_look_us.is_some();
        if self.room() == 0 || !self.may_grow || known { Wake::Never } else { Wake::SpareAtMost(spare) }
    }
}

/// What a policy wishes before the bounds.
pub(crate) struct Wish {
    pub(crate) workers: i64,
    pub(crate) reason: Reason,
    pub(crate) next_look_us: Option<u64>,
    pub(crate) wake: Wake,
}

/// Decides once. Costs no allocation in the usual case and well under 100 microseconds for 1,000 workers.
pub fn step(settings: &Settings, mut memory: Memory, sample: &Sample) -> (Memory, Decided) {
    if settings.pace == Pace::Ticks
        && let Some(wait) = between_ticks(settings, &mut memory, sample)
    {
        return (memory, wait);
    }
    memory.last_run_us = Some(sample.now_us);
    let limits = bounds::limits(settings, &mut memory.bounds, sample);
    let view = View { settings, sample, may_grow: limits.may_grow() };
    let wish = wish(&mut memory, &view);
    let mut decided = bounds::apply(&view, limits, idle::minimum(settings, &memory.idle), wish);
    if settings.pace == Pace::Ticks {
        decided.next_look_us = Some(sample.now_us + settings.check_interval_us);
        decided.wake = Wake::Never;
    }
    (memory, decided)
}

/// uWSGI's driver: nothing happens before a whole check interval has passed, and the first call only sets the clock.
fn between_ticks(settings: &Settings, memory: &mut Memory, sample: &Sample) -> Option<Decided> {
    let last = *memory.last_run_us.get_or_insert(sample.now_us);
    let due = last + settings.check_interval_us;
    (sample.now_us < due).then_some(Decided {
        decision: Decision::Hold,
        wished: 0,
        reason: Reason::BetweenTicks,
        bound: None,
        next_look_us: Some(due),
        wake: Wake::Never,
    })
}

/// The idle mode comes first, then the policy; both always run, so that their memories keep up.
fn wish(memory: &mut Memory, view: &View) -> Wish {
    let policy = &mut memory.policy;
    let own = match view.settings.policy {
        Policy::Adaptive => adaptive::look(&mut policy.adaptive, view),
        Policy::Spare => spare::look(&mut policy.spare, view),
        Policy::Spare2 => spare2::look(&mut policy.spare2, view),
        Policy::Backlog => backlog::look(&mut policy.backlog, view),
        Policy::Busyness => busyness::look(&mut policy.busyness, view),
        Policy::Manual => manual::look(view),
    };
    idle::look(&mut memory.idle, view, own)
}
