//! Settings and samples for the tests of the policies: small constructors with uWSGI's defaults, one thread a worker.

use super::{Decided, Decision, Memory, Pace, Sample, Settings, step};
use crate::config::model::{Config, Policy, Scaling};

pub(crate) const SECOND_US: u64 = 1_000_000;

/// uWSGI's defaults with `cheaper = minimum`, `workers = maximum`.
pub(crate) fn settings(policy: Policy, pace: Pace, minimum: u32, maximum: u32) -> Settings {
    let least = minimum as usize;
    let scaling = Scaling { enabled: true, policy, minimum: least, initial: least, ..Scaling::default() };
    let config = Config { workers: maximum as usize, scaling, ..Config::default() };
    Settings { pace, ..Settings::of(&config) }
}

/// One thread a worker, an empty queue.
pub(crate) fn sample(now_us: u64, busy: u32, idle: u32) -> Sample {
    Sample { now_us, busy, idle, serving: busy, queue: Some(0), queue_max: 100, cpus: 2, ..Sample::default() }
}

/// A policy and its memory, fed one sample after the other.
pub(crate) struct Run {
    pub(crate) settings: Settings,
    pub(crate) memory: Memory,
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
