//! What came of a simulated run: waits, worker-seconds, forks, changes of direction.

use crate::scaling::Decision;

/// Sub-buckets of each power of two: values are told apart to about 3 %.
const SUB_BITS: u32 = 5;

/// Counts of times in microseconds, in buckets whose width grows with the value (at most 3.1 % too high).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    sum: u128,
    largest: u64,
}

/// The result of one run. Times are microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Connections made, retries included.
    pub arrived: u64,
    /// Connections refused since the queue was full.
    pub refused: u64,
    /// Connections made since an earlier one had waited too long.
    pub retried: u64,
    /// Requests that were served to the end.
    pub finished: u64,
    /// From arrival to the first byte read by a worker; connections still waiting at the end included.
    pub waits: Histogram,
    /// From arrival to the end, of the requests that finished.
    pub totals: Histogram,
    /// Waits longer than the world's `late_us`.
    pub late: u64,
    /// Time of all workers together, started or starting.
    pub worker_us: u64,
    /// Time that workers held requests: what no policy can save.
    pub busy_us: u64,
    /// Workers started after the beginning.
    pub forks: u64,
    /// Looks of the master.
    pub looks: u64,
    /// Longest queue.
    pub queue_max: u32,
    /// When the run ended.
    pub ended_us: u64,
    /// Number of workers from each time on.
    pub workers: Vec<(u64, u32)>,
    /// Times at which growth followed shrinking or the other way round.
    pub reversals: Vec<u64>,
    late_us: u64,
    grew_last: Option<bool>,
}

impl Histogram {
    /// Counts one time.
    pub fn add(&mut self, value_us: u64) {
        let bucket = bucket(value_us);
        if bucket >= self.buckets.len() {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        self.count += 1;
        self.sum += u128::from(value_us);
        self.largest = self.largest.max(value_us);
    }

    /// Counts all that another one has.
    pub(super) fn join(&mut self, other: &Histogram) {
        if other.buckets.len() > self.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(own, more)| *own += more);
        self.count += other.count;
        self.sum += other.sum;
        self.largest = self.largest.max(other.largest);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean, zero of nothing.
    pub fn mean_us(&self) -> u64 {
        u64::try_from(self.sum.checked_div(u128::from(self.count)).unwrap_or(0)).unwrap_or(u64::MAX)
    }

    /// The time that `permille` thousandths do not exceed, zero of nothing.
    pub fn quantile_us(&self, permille: u64) -> u64 {
        let rank = (u128::from(self.count) * u128::from(permille)).div_ceil(1000).max(1);
        let mut seen = 0u128;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += u128::from(*count);
            if seen >= rank {
                return upper(index).min(self.largest);
            }
        }
        0
    }
}

impl Outcome {
    pub(super) fn new(late_us: u64) -> Self {
        Outcome {
            arrived: 0,
            refused: 0,
            retried: 0,
            finished: 0,
            waits: Histogram::default(),
            totals: Histogram::default(),
            late: 0,
            worker_us: 0,
            busy_us: 0,
            forks: 0,
            looks: 0,
            queue_max: 0,
            ended_us: 0,
            workers: Vec::new(),
            reversals: Vec::new(),
            late_us,
            grew_last: None,
        }
    }

    pub(super) fn begun(&mut self, wait_us: u64) {
        self.waits.add(wait_us);
        self.late += u64::from(wait_us > self.late_us);
    }

    pub(super) fn still_waiting(&mut self, wait_us: u64) {
        self.begun(wait_us);
    }

    pub(super) fn completed(&mut self, total_us: u64) {
        self.finished += 1;
        self.totals.add(total_us);
    }

    pub(super) fn workers_changed(&mut self, now_us: u64, live: u32) {
        match self.workers.last_mut() {
            Some((when, count)) if *when == now_us => *count = live,
            Some((_, count)) if *count == live => {}
            _ => self.workers.push((now_us, live)),
        }
    }

    pub(super) fn decided(&mut self, now_us: u64, decision: Decision) {
        let grew = match decision {
            Decision::Hold => return,
            Decision::Grow(_) => true,
            Decision::Shrink(_) => false,
        };
        if self.grew_last.replace(grew).is_some_and(|before| before != grew) {
            self.reversals.push(now_us);
        }
    }

    /// Adds what another server came to beside this one. The workers over time are not added: who runs several notes those of
    /// all of them.
    pub(super) fn join(&mut self, other: &Outcome) {
        let sums = [
            (&mut self.arrived, other.arrived),
            (&mut self.refused, other.refused),
            (&mut self.retried, other.retried),
            (&mut self.finished, other.finished),
            (&mut self.late, other.late),
            (&mut self.worker_us, other.worker_us),
            (&mut self.busy_us, other.busy_us),
            (&mut self.forks, other.forks),
            (&mut self.looks, other.looks),
        ];
        sums.into_iter().for_each(|(own, more)| *own += more);
        self.waits.join(&other.waits);
        self.totals.join(&other.totals);
        self.queue_max = self.queue_max.max(other.queue_max);
        self.ended_us = self.ended_us.max(other.ended_us);
    }

    /// Late or refused, in parts of a million of all connections.
    pub fn late_ppm(&self) -> u64 {
        ((self.late + self.refused) * 1_000_000).checked_div(self.arrived).unwrap_or(0)
    }

    /// Mean number of workers, in thousandths.
    pub fn workers_mean_milli(&self) -> u64 {
        (self.worker_us.saturating_mul(1000)).checked_div(self.ended_us).unwrap_or(0)
    }

    /// Largest number of workers.
    pub fn workers_max(&self) -> u32 {
        self.workers.iter().map(|&(_, count)| count).max().unwrap_or(0)
    }

    /// Number of workers at a time.
    pub fn workers_at(&self, when_us: u64) -> u32 {
        let later = self.workers.partition_point(|&(from, _)| from <= when_us);
        later.checked_sub(1).map_or(0, |index| self.workers[index].1)
    }

    /// The most changes of direction within any ten seconds after `from_us`.
    pub fn reversals_in_ten_seconds(&self, from_us: u64) -> usize {
        let times: Vec<u64> = self.reversals.iter().copied().filter(|&when| when >= from_us).collect();
        (0..times.len())
            .map(|first| times[first..].iter().take_while(|&&when| when < times[first] + 10_000_000).count())
            .max()
            .unwrap_or(0)
    }
}

fn bucket(value: u64) -> usize {
    let sub = 1u64 << SUB_BITS;
    if value < sub {
        return value as usize;
    }
    let shift = value.ilog2() - SUB_BITS;
    (u64::from(shift + 1) * sub + ((value >> shift) - sub)) as usize
}

fn upper(bucket: usize) -> u64 {
    let sub = 1u64 << SUB_BITS;
    let bucket = bucket as u64;
    if bucket < sub {
        return bucket;
    }
    let shift = bucket / sub - 1;
    ((bucket % sub + sub + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::{Histogram, bucket, upper};

    #[test]
    fn a_bucket_holds_its_values_and_is_narrow() {
        for value in (0..2_000u64).chain([1 << 20, (1 << 40) + 12_345]) {
            let index = bucket(value);
            assert!(value <= upper(index) && upper(index) - value <= value / 31 + 1, "{value}");
            assert!(index == 0 || upper(index - 1) < value, "{value}");
        }
    }

    #[test]
    fn quantiles_count_from_below() {
        let mut histogram = Histogram::default();
        for value in 1..=20 {
            histogram.add(value);
        }
        assert_eq!((histogram.quantile_us(500), histogram.quantile_us(990), histogram.mean_us()), (10, 20, 10));
        assert_eq!(Histogram::default().quantile_us(990), 0);
    }
}
