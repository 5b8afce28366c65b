//! What the master sees of its workers at one moment. Pure; in the master, and in the simulator.

use serde::{Deserialize, Serialize};

use super::Baseline;

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
    /// One entry a live worker; only read by `busyness` ([`Settings::needs_worker_times`](super::Settings::needs_worker_times)), else left empty.
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
    /// How the busy time divides; see [`Settings::needs_cpu`](super::Settings::needs_cpu).
    pub cpu: Option<CpuUse>,
    /// What the schedule asks for; `None` without one.
    pub baseline: Option<Baseline>,
    /// The most workers that whoever shares out the memory of several instances allows (the Emperor's `emperor-memory`);
    /// `None` where nobody does.
    pub allowance: Option<u32>,
    /// Workers the operator asked for since the last sample (fifo `+` and `-`).
    pub pending: i32,
    /// Workers that asked to go themselves since the last sample (`uwsgi.cheap()`): each is one of `busy` or `idle`.
    /// They go before anything else that is asked for.
    pub volunteers: u32,
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
        let baseline = self.baseline.unwrap_or_default();
        if counts.iter().any(|&count| count > COUNT_MAX) || self.cpus.max(baseline.workers) > COUNT_MAX {
            return Err("a count of the sample");
        }
        if self.now_us.max(baseline.until_us) > TIME_MAX_US
            || times.iter().chain(&cumulative).any(|&time| time > TIME_MAX_US)
        {
            return Err("a time of the sample");
        }
        if self.workers.len() > COUNT_MAX as usize || self.workers.iter().any(|worker| worker.running_us > TIME_MAX_US)
        {
            return Err("a worker's time of the sample");
        }
        Ok(())
    }

    /// Brings every number that workers have a say in down to what [`Sample::check`] lets pass: they are read from memory
    /// that applications can write to.
    pub fn clip(&mut self) {
        let counts = [&mut self.busy, &mut self.idle, &mut self.starting, &mut self.retiring, &mut self.serving];
        for count in counts {
            *count = (*count).min(COUNT_MAX);
        }
        let times = [&mut self.oldest_wait_us, &mut self.exact_wait_us, &mut self.busy_age_us, &mut self.boot_us];
        let sums = [&mut self.busy_time_us, &mut self.requests_total];
        let of_workers = self.workers.iter_mut().map(|worker| &mut worker.running_us);
        let of_cores = self.cpu.iter_mut().flat_map(|cpu| [&mut cpu.busy_us, &mut cpu.used_us, &mut cpu.delayed_us]);
        for time in times.into_iter().chain(sums).chain(of_workers).chain(of_cores) {
            *time = (*time).min(TIME_MAX_US);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_clipped_is_believed() {
        let workers = vec![WorkerTime { slot: 1, running_us: u64::MAX, busy: true }];
        let cpu = Some(CpuUse { busy_us: u64::MAX, used_us: u64::MAX, delayed_us: u64::MAX });
        let (all, long) = (u32::MAX, u64::MAX);
        let mut sample =
            Sample { busy: all, idle: all, starting: all, serving: all, workers, cpu, ..Sample::default() };
        sample = Sample { busy_age_us: long, exact_wait_us: long, requests_total: long, busy_time_us: long, ..sample };
        assert!(sample.check().is_err());
        sample.clip();
        assert_eq!(sample.check(), Ok(()));
    }
}
