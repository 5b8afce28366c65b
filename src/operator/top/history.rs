//! What a series of looks at an instance comes to: rates and quantiles of each interval, and what happened when. Pure; the
//! operator's process only.

use std::collections::VecDeque;

use worker_protocol::scoreboard::{BOUNDS_US, BUCKETS, Histogram};

use crate::stats::Brief;

/// Looks that are kept: four minutes at one a second.
const KEPT: usize = 240;

/// What happened between two looks.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Interval {
    /// Requests a second.
    pub(super) rate: f64,
    /// Within which time half of the requests, and 99 of 100, were answered; `None` without any.
    pub(super) median_us: Option<u64>,
    pub(super) slowest_us: Option<u64>,
    /// Within which time 99 of 100 had been taken by a worker.
    pub(super) wait_us: Option<u64>,
    /// Workers that were there at its end.
    pub(super) workers: u32,
}

/// A series of looks.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) last: Option<Brief>,
    pub(super) intervals: VecDeque<Interval>,
    /// Why the last look failed, if it did.
    pub(super) lost: Option<String>,
    /// What came of the last key.
    pub(super) note: String,
}

impl History {
    /// Takes a look in.
    pub(super) fn take(&mut self, brief: Brief) {
        self.lost = None;
        // Another master begins to count anew.
        let before = self.last.take().filter(|before| before.pid == brief.pid && before.now_us < brief.now_us);
        if let Some(before) = before {
            self.intervals.push_back(between(&before, &brief));
            if self.intervals.len() > KEPT {
                self.intervals.pop_front();
            }
        }
        self.last = Some(brief);
    }

    /// Notes that nobody answered.
    pub(super) fn lose(&mut self, why: String) {
        self.lost = Some(why);
    }
}

fn between(before: &Brief, after: &Brief) -> Interval {
    let seconds = (after.now_us - before.now_us) as f64 / 1e6;
    let durations = difference(&before.durations, &after.durations);
    Interval {
        rate: after.requests.saturating_sub(before.requests) as f64 / seconds,
        median_us: quantile(&durations, 0.5),
        slowest_us: quantile(&durations, 0.99),
        wait_us: quantile(&difference(&before.waits, &after.waits), 0.99),
        workers: after.there,
    }
}

fn difference(before: &Histogram, after: &Histogram) -> [u64; BUCKETS] {
    std::array::from_fn(|bucket| after.counts[bucket].saturating_sub(before.counts[bucket]))
}

/// Within which time a part of them was, as exactly as buckets tell: what is in one is taken to be spread over it evenly. What
/// is in the last one took that bound at least.
fn quantile(counts: &[u64; BUCKETS], part: f64) -> Option<u64> {
    let total: u64 = counts.iter().sum();
    let wanted = total as f64 * part;
    let mut below = 0.0;
    for (bucket, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let count = *count as f64;
        if below + count >= wanted {
            let lower = bucket.checked_sub(1).map_or(0, |lower| BOUNDS_US[lower]);
            let width = BOUNDS_US.get(bucket).map_or(0, |upper| upper - lower);
            return Some(lower + (width as f64 * (wanted - below) / count) as u64);
        }
        below += count;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(now_s: u64, durations: &[u64]) -> Brief {
        let mut histogram = Histogram::default();
        durations.iter().for_each(|took_us| histogram.count(*took_us));
        let requests = durations.len() as u64;
        Brief { pid: 7, now_us: now_s * 1_000_000, requests, durations: histogram, there: 3, ..Brief::default() }
    }

    #[test]
    fn an_interval_has_what_came_between_two_looks() {
        let mut history = History::default();
        history.take(look(10, &[9_000_000; 5]));
        assert!(history.intervals.is_empty());
        let later: Vec<u64> = [9_000_000; 5].into_iter().chain([2_000; 98]).chain([700_000; 2]).collect();
        history.take(look(12, &later));
        let interval = history.intervals[0];
        assert_eq!((interval.rate, interval.workers, interval.wait_us), (50.0, 3, None));
        assert!((1_000..=2_500).contains(&interval.median_us.unwrap()), "{interval:?}");
        assert!((500_000..=1_000_000).contains(&interval.slowest_us.unwrap()), "{interval:?}");
    }

    #[test]
    fn another_master_and_a_moment_without_an_answer_make_no_interval() {
        let mut history = History::default();
        history.take(look(10, &[1]));
        history.lose("gone".to_owned());
        history.take(Brief { pid: 8, ..look(12, &[]) });
        assert!(history.intervals.is_empty() && history.lost.is_none());
        (13..900).for_each(|second| history.take(Brief { pid: 8, ..look(second, &[]) }));
        assert_eq!(history.intervals.len(), KEPT);
    }

    #[test]
    fn what_has_no_upper_bound_took_its_lower_one_at_least() {
        let mut counts = [0; BUCKETS];
        counts[BUCKETS - 1] = 3;
        assert_eq!(quantile(&counts, 0.99), Some(BOUNDS_US[BUCKETS - 2]));
        assert_eq!(quantile(&[0; BUCKETS], 0.5), None);
    }
}
