//! Settings and samples for the tests of the policies: small constructors with uWSGI's defaults, one thread a worker.

use super::settings::{Busyness, Pace, Settings};
use super::{Decided, Decision, Memory, Sample, step};
use crate::config::model::Policy;

pub(crate) const SECOND_US: u64 = 1_000_000;

/// uWSGI's defaults with `cheaper = minimum`, `workers = maximum`.
pub(crate) fn settings(policy: Policy, pace: Pace, minimum: u32, maximum: u32) -> Settings {
    Settings {
        policy,
        minimum,
        initial: minimum,
        maximum,
        step: 1,
        overload: 3,
        idle: 10,
        rss_soft_bytes: None,
        rss_hard_bytes: None,
        target_wait_us: 10_000,
        check_interval_us: SECOND_US,
        cheap: false,
        idle_after_us: None,
        die_on_idle: false,
        threads: 1,
        busyness: Busyness {
            max_percent: 50,
            min_percent: 25,
            multiplier: 10,
            penalty: 2,
            backlog_alert: 33,
            backlog_step: 1,
            backlog_multiplier: 3,
            backlog_nonzero_s: 60,
        },
        pace,
    }
}

/// One thread a worker, an empty queue.
pub(crate) fn sample(now_us: u64, busy: u32, idle: u32) -> Sample {
    Sample { now_us, busy, idle, serving: busy, queue: Some(0), queue_max: 100, cpus: 2, ..Sample::default() }
}

/// A policy and its memory, fed one sample after the other.
pub(crate) struct Run {
    pub(crate) settings: Settings,
    memory: Memory,
}

impl Run {
    pub(crate) fn new(settings: Settings) -> Self {
        Run { settings, memory: Memory::default() }
    }

    pub(crate) fn look(&mut self, sample: &Sample) -> Decided {
        let (memory, decided) = step(&self.settings, std::mem::take(&mut self.memory), sample);
        self.memory = memory;
        decided
    }

    /// Like `look`, as the change in the number of workers.
    pub(crate) fn change(&mut self, sample: &Sample) -> i64 {
        match self.look(sample).decision {
            Decision::Hold => 0,
            Decision::Grow(count) => i64::from(count),
            Decision::Shrink(count) => -i64::from(count),
        }
    }
}
