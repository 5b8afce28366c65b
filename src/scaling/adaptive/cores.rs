//! What `adaptive` knows of the processor: whether another worker could do anything but compete for a core.

use super::traffic::blend;
use crate::scaling::{CpuUse, Reason, Sample};
use serde::{Deserialize, Serialize};

/// Share of their time that requests wait for a core, in thousandths, above which the cores count as busy.
const DELAYED_BUSY: u64 = 250;
/// Busy time that one measurement covers at least, at most, and over which measurements are averaged.
const WINDOW_MIN_US: u64 = 2_000;
const WINDOW_MAX_US: u64 = 100_000;
const WINDOW_MEMORY_US: u64 = 50_000;
/// Workers beyond what keeps every core busy all the time, in thousandths: not all compute at the same moment.
const OVERCOMMIT: u64 = 1_500;

/// How a request's time divides, in thousandths of the time a worker is busy with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cores {
    last: CpuUse,
    /// On a core, of the time not spent waiting for one. `None`: not known yet.
    computing_permille: Option<u64>,
    /// Waiting for a core.
    delayed_permille: u64,
    /// The same in the last window alone: contention shows at once, and is believed at once.
    delayed_last_permille: u64,
    /// Workers were ordered of whose effect on the cores nothing has been measured yet.
    #[serde(default)]
    unmeasured: bool,
}

impl Cores {
    pub(super) fn learn(&mut self, now: CpuUse) {
        let Some(busy) = now.busy_us.checked_sub(self.last.busy_us) else {
            // workers have left and took their figures along
            self.last = now;
            return;
        };
        if busy < WINDOW_MIN_US {
            return;
        }
        let used = now.used_us.saturating_sub(self.last.used_us).min(busy);
        let delayed = now.delayed_us.saturating_sub(self.last.delayed_us).min(busy - used);
        self.last = now;
        self.unmeasured = false;
        let computing = used.saturating_mul(1000) / (busy - delayed).max(1);
        let weight = busy.min(WINDOW_MAX_US);
        let mean = |old| blend(old, computing, weight, WINDOW_MEMORY_US);
        self.computing_permille = Some(self.computing_permille.map_or(computing, mean));
        self.delayed_last_permille = delayed.saturating_mul(1000) / busy;
        self.delayed_permille = blend(self.delayed_permille, self.delayed_last_permille, weight, WINDOW_MEMORY_US);
    }

    fn delayed(&self) -> u64 {
        self.delayed_permille.max(self.delayed_last_permille)
    }

    /// The number of workers that the cores can use, once requests are seen to wait for a core.
    pub(super) fn useful_workers(&self, cpus: u32) -> Option<u32> {
        let computing = self.computing_permille?;
        if self.delayed() < DELAYED_BUSY || cpus == 0 {
            return None;
        }
        let workers = (u64::from(cpus) * OVERCOMMIT).div_ceil(computing.max(1)) + 1;
        Some(u32::try_from(workers).unwrap_or(u32::MAX))
    }

    /// The most to order at once: everything if requests are known to leave the cores alone (or nothing can be known),
    /// else the number of workers doubles, and the next wave follows when this one is at work and has been measured.
    pub(super) fn wave(&self, sample: &Sample, maximum: u32) -> u32 {
        let harmless =
            self.computing_permille.is_some_and(|share| share * u64::from(maximum) <= u64::from(sample.cpus) * 1000);
        if harmless || sample.cpu.is_none() {
            return u32::MAX;
        }
        if self.unmeasured {
            return 0;
        }
        sample.busy.saturating_add(sample.idle).max(sample.cpus).saturating_sub(sample.starting)
    }

    /// Workers have been ordered.
    pub(super) fn ordered(&mut self) {
        self.unmeasured = true;
    }

    pub(super) fn reason(&self, needed: u32, useful: u32, cpus: u32) -> Reason {
        let permille = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        Reason::CoresBusy {
            needed,
            useful,
            cpus,
            cpu_permille: permille(self.computing_permille.unwrap_or(0)),
            delayed_permille: permille(self.delayed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cores;
    use crate::scaling::fixture::sample;
    use crate::scaling::{CpuUse, Sample};

    fn seen(busy_us: u64, used_us: u64, delayed_us: u64) -> Cores {
        let mut cores = Cores::default();
        cores.learn(CpuUse { busy_us, used_us, delayed_us });
        cores
    }

    #[test]
    fn requests_that_only_compute_need_little_more_than_a_worker_a_core() {
        assert_eq!(seen(100_000, 50_000, 50_000).useful_workers(2), Some(4));
    }

    #[test]
    fn requests_that_compute_a_tenth_of_their_time_need_ten_times_as_many() {
        assert_eq!(seen(100_000, 7_000, 30_000).useful_workers(2), Some(31));
    }

    #[test]
    fn the_next_wave_waits_for_what_the_last_one_did_to_the_cores() {
        let sample = Sample { cpu: Some(CpuUse::default()), cpus: 2, ..sample(0, 4, 0) };
        let mut cores = seen(100_000, 90_000, 1_000);
        assert_eq!(cores.wave(&sample, 64), 4);
        cores.ordered();
        cores.learn(CpuUse { busy_us: 101_000, used_us: 91_000, delayed_us: 1_000 });
        assert_eq!(cores.wave(&sample, 64), 0, "that is too little to judge by");
        cores.learn(CpuUse { busy_us: 110_000, used_us: 99_000, delayed_us: 1_000 });
        assert_eq!(cores.wave(&sample, 64), 4);
    }

    #[test]
    fn figures_that_left_with_their_workers_begin_a_new_window() {
        let mut cores = seen(900_000, 450_000, 0);
        cores.learn(CpuUse { busy_us: 100_000, used_us: 50_000, delayed_us: 0 });
        cores.learn(CpuUse { busy_us: 200_000, used_us: 100_000, delayed_us: 50_000 });
        assert_eq!(cores.useful_workers(2), Some(5), "on a core all the time that it did not wait for one");
    }

    #[test]
    fn without_contention_there_is_no_such_limit() {
        assert_eq!(seen(100_000, 90_000, 1_000).useful_workers(2), None);
        assert_eq!(Cores::default().useful_workers(2), None);
    }
}
