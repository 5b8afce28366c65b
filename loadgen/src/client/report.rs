//! What a run of the load generator measured: counts, latencies, and how both developed over time.
//!
//! Pure: outcomes and times come in as arguments. Latencies go into a histogram of three significant digits, so memory
//! does not grow with the number of requests. Runs in the measuring process.

use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::reply::Outcome;

/// How requests ended. Every request is in exactly one of these, except that `refused` counts attempts to connect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Whole replies with status 200 to 399.
    pub ok: u64,
    /// Attempts to connect that failed (EAGAIN: the queue is full; ECONNREFUSED, ENOENT: nobody listens). They are
    /// repeated, and the request's latency runs on.
    pub refused: u64,
    /// Connections reset, or closed while the request was being sent.
    pub reset: u64,
    /// Replies that ended early.
    pub short: u64,
    /// Connections closed without one byte.
    pub empty: u64,
    /// Replies that are not HTTP.
    pub malformed: u64,
    /// Whole replies with another status.
    pub bad_status: u64,
    /// Requests without an end in the time allowed.
    pub timed_out: u64,
    /// Requests given up because the run was stopped.
    pub abandoned: u64,
}

impl Counts {
    /// Requests that did not end well. A refused attempt counts: nginx answers it with 502.
    pub fn failed(&self) -> u64 {
        self.refused + self.reset + self.short + self.empty + self.malformed + self.bad_status + self.timed_out
    }

    fn and(&self, other: &Self) -> Self {
        Self {
            ok: self.ok + other.ok,
            refused: self.refused + other.refused,
            reset: self.reset + other.reset,
            short: self.short + other.short,
            empty: self.empty + other.empty,
            malformed: self.malformed + other.malformed,
            bad_status: self.bad_status + other.bad_status,
            timed_out: self.timed_out + other.timed_out,
            abandoned: self.abandoned + other.abandoned,
        }
    }

    fn add(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Ok => &mut self.ok,
            Outcome::BadStatus(_) => &mut self.bad_status,
            Outcome::Short => &mut self.short,
            Outcome::Empty => &mut self.empty,
            Outcome::Reset => &mut self.reset,
            Outcome::Malformed => &mut self.malformed,
            Outcome::TimedOut => &mut self.timed_out,
        } += 1;
    }
}

/// Latencies of whole replies in microseconds, from the first attempt to connect (in an open loop: from the moment the
/// request was due) to the last byte.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Half of the replies were at most this late.
    pub p50_us: f64,
    /// Nine in ten.
    pub p90_us: f64,
    /// 99 in 100.
    pub p99_us: f64,
    /// 999 in 1,000.
    pub p999_us: f64,
    /// The latest.
    pub max_us: f64,
    /// The arithmetic mean.
    pub mean_us: f64,
}

/// One stretch of the timeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Bucket {
    /// Where it begins, in milliseconds from the start of the run.
    pub from_ms: u64,
    /// Requests that ended well in it.
    pub completed: u64,
    /// Refused attempts and requests that failed in it.
    pub failed: u64,
    /// The longest latency among those that completed in it, in microseconds; 0 without any.
    pub longest_us: f64,
}

/// The result of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// How requests ended.
    pub counts: Counts,
    /// From the first request to the end of the last, in seconds.
    pub elapsed_s: f64,
    /// Good replies that ended within the time asked for (all of them in a run by number).
    pub ok_in_time: u64,
    /// `ok_in_time` a second.
    pub throughput_per_s: f64,
    /// Latencies of whole replies, good and bad.
    pub latency: Latency,
    /// Bytes of replies, heads included.
    pub received_bytes: u64,
    /// Empty unless asked for.
    pub timeline: Vec<Bucket>,
    /// What `latency` was made of.
    #[serde(skip)]
    latencies_ns: Histogram<u64>,
}

impl Report {
    /// Both runs as if they had been one; without a timeline.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.latencies_ns += &other.latencies_ns;
        let ok_in_time = self.ok_in_time + other.ok_in_time;
        let seconds = self.elapsed_s + other.elapsed_s;
        Self {
            counts: self.counts.and(&other.counts),
            elapsed_s: seconds,
            ok_in_time,
            throughput_per_s: if seconds > 0.0 { ok_in_time as f64 / seconds } else { 0.0 },
            latency: summary(&self.latencies_ns),
            received_bytes: self.received_bytes + other.received_bytes,
            timeline: Vec::new(),
            latencies_ns: self.latencies_ns,
        }
    }
}

/// Longest latency that is told apart: ten minutes.
const LATENCY_NS_MAX: u64 = 600_000_000_000;
/// Three significant digits: an error below 0.1 %.
const DIGITS: u8 = 3;
/// Most buckets of a timeline; later events fall into the last one.
const BUCKETS_MAX: usize = 1_000_000;

/// Collects outcomes while a run is under way.
#[derive(Debug)]
pub(super) struct Recorder {
    counts: Counts,
    ok_in_time: u64,
    latencies_ns: Histogram<u64>,
    received_bytes: u64,
    bucket_width: Option<Duration>,
    timeline: Vec<Bucket>,
    until: Option<Duration>,
}

impl Recorder {
    /// `until`: when the time asked for is over; `bucket_width`: of the timeline, if one is wanted.
    pub(super) fn new(until: Option<Duration>, bucket_width: Option<Duration>) -> io::Result<Self> {
        Ok(Self {
            counts: Counts::default(),
            ok_in_time: 0,
            latencies_ns: Histogram::new_with_max(LATENCY_NS_MAX, DIGITS).map_err(io::Error::other)?,
            received_bytes: 0,
            bucket_width: bucket_width.filter(|width| !width.is_zero()),
            timeline: Vec::new(),
            until,
        })
    }

    /// A request ended at `at` (since the start of the run) after `latency`.
    pub(super) fn ended(&mut self, outcome: Outcome, latency: Duration, at: Duration, received_bytes: u64) {
        self.counts.add(outcome);
        self.received_bytes += received_bytes;
        let good = outcome == Outcome::Ok;
        self.ok_in_time += u64::from(good && self.until.is_none_or(|until| at <= until));
        if good || matches!(outcome, Outcome::BadStatus(_)) {
            self.latencies_ns.saturating_record(latency.as_nanos().try_into().unwrap_or(LATENCY_NS_MAX));
        }
        if let Some(bucket) = self.bucket(at) {
            bucket.completed += u64::from(good);
            bucket.failed += u64::from(!good);
            bucket.longest_us = if good { bucket.longest_us.max(micros(latency)) } else { bucket.longest_us };
        }
    }

    /// An attempt to connect was refused at `at`.
    pub(super) fn refused(&mut self, at: Duration) {
        self.counts.refused += 1;
        if let Some(bucket) = self.bucket(at) {
            bucket.failed += 1;
        }
    }

    /// The run was stopped while a request was under way.
    pub(super) fn abandoned(&mut self) {
        self.counts.abandoned += 1;
    }

    pub(super) fn into_report(self, elapsed: Duration) -> Report {
        let span = self.until.map_or(elapsed, |until| until.min(elapsed)).as_secs_f64();
        Report {
            throughput_per_s: if span > 0.0 { self.ok_in_time as f64 / span } else { 0.0 },
            latency: summary(&self.latencies_ns),
            counts: self.counts,
            elapsed_s: elapsed.as_secs_f64(),
            ok_in_time: self.ok_in_time,
            received_bytes: self.received_bytes,
            timeline: self.timeline,
            latencies_ns: self.latencies_ns,
        }
    }

    fn bucket(&mut self, at: Duration) -> Option<&mut Bucket> {
        let width = self.bucket_width?;
        let index = ((at.as_nanos() / width.as_nanos()) as usize).min(BUCKETS_MAX - 1);
        while self.timeline.len() <= index {
            let from_ms = (width.as_millis() * self.timeline.len() as u128) as u64;
            self.timeline.push(Bucket { from_ms, ..Bucket::default() });
        }
        self.timeline.get_mut(index)
    }
}

fn summary(latencies_ns: &Histogram<u64>) -> Latency {
    if latencies_ns.is_empty() {
        return Latency::default();
    }
    let quantile_us = |quantile| latencies_ns.value_at_quantile(quantile) as f64 / 1_000.0;
    Latency {
        p50_us: quantile_us(0.5),
        p90_us: quantile_us(0.9),
        p99_us: quantile_us(0.99),
        p999_us: quantile_us(0.999),
        max_us: latencies_ns.max() as f64 / 1_000.0,
        mean_us: latencies_ns.mean() / 1_000.0,
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn recorder(until: Option<Duration>, bucket_width: Option<Duration>) -> Recorder {
        Recorder::new(until, bucket_width).expect("constant bounds")
    }

    /// Within the histogram's resolution.
    fn close(measured_us: f64, expected_us: f64) -> bool {
        (measured_us / expected_us - 1.0).abs() < 0.001
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut recorder = recorder(None, None);
        for ms in (1..=1_000).rev() {
            recorder.ended(Outcome::Ok, MS * ms, MS, 1);
        }
        let latency = recorder.into_report(MS).latency;
        assert!(close(latency.p50_us, 500_000.0), "{latency:?}");
        assert!(close(latency.p90_us, 900_000.0), "{latency:?}");
        assert!(close(latency.p99_us, 990_000.0), "{latency:?}");
        assert!(close(latency.p999_us, 999_000.0), "{latency:?}");
        assert!(close(latency.max_us, 1_000_000.0), "{latency:?}");
        assert!(close(latency.mean_us, 500_500.0), "{latency:?}");
    }

    #[test]
    fn one_late_reply_in_fifty_is_in_the_p99_and_not_in_the_p90() {
        let mut recorder = recorder(None, None);
        for index in 0..100 {
            recorder.ended(Outcome::Ok, if index % 50 == 0 { MS * 100 } else { MS }, MS, 1);
        }
        let latency = recorder.into_report(MS).latency;
        assert!(close(latency.p90_us, 1_000.0) && close(latency.p99_us, 100_000.0), "{latency:?}");
    }

    #[test]
    fn a_run_without_replies_has_zeroes() {
        let report = recorder(None, None).into_report(Duration::ZERO);
        assert_eq!(report.latency, Latency::default());
        assert_eq!(report.throughput_per_s, 0.0);
    }

    #[test]
    fn failures_are_counted_by_kind_and_have_no_latency() {
        let mut recorder = recorder(None, None);
        let failures =
            [Outcome::Short, Outcome::Empty, Outcome::Reset, Outcome::Malformed, Outcome::TimedOut, Outcome::Reset];
        for outcome in failures {
            recorder.ended(outcome, MS * 500, MS, 0);
        }
        recorder.ended(Outcome::BadStatus(503), MS, MS, 10);
        recorder.refused(MS);
        let report = recorder.into_report(MS * 2);
        let counts = &report.counts;
        let kinds = [counts.short, counts.empty, counts.reset, counts.malformed, counts.timed_out, counts.bad_status];
        assert_eq!(kinds, [1, 1, 2, 1, 1, 1]);
        assert_eq!((counts.ok, counts.refused, counts.failed()), (0, 1, 8));
        assert!(close(report.latency.max_us, 1_000.0));
    }

    #[test]
    fn what_ends_after_the_time_asked_for_is_counted_but_not_in_the_throughput() {
        let mut recorder = recorder(Some(MS * 100), None);
        recorder.ended(Outcome::Ok, MS, MS * 100, 1);
        recorder.ended(Outcome::Ok, MS, MS * 101, 1);
        let report = recorder.into_report(MS * 101);
        assert_eq!((report.counts.ok, report.ok_in_time), (2, 1));
        assert!((report.throughput_per_s - 10.0).abs() < 1e-9);
    }

    #[test]
    fn two_runs_together_are_one_with_the_latencies_of_both() {
        let run = |ms: u32, outcome| {
            let mut recorder = recorder(None, None);
            (0..99).for_each(|_| recorder.ended(Outcome::Ok, MS * ms, MS, 1));
            recorder.ended(outcome, MS * 100, MS, 1);
            recorder.into_report(MS * 500)
        };
        let both = run(1, Outcome::Ok).and(run(3, Outcome::Reset));
        assert_eq!((both.counts.ok, both.counts.reset, both.received_bytes), (199, 1, 200));
        assert!(close(both.latency.p90_us, 3_000.0) && close(both.latency.max_us, 100_000.0), "{:?}", both.latency);
        assert!((both.throughput_per_s - 199.0).abs() < 1e-9, "{}", both.throughput_per_s);
    }

    #[test]
    fn the_timeline_has_a_bucket_for_every_stretch_also_the_silent_ones() {
        let mut recorder = recorder(None, Some(MS * 10));
        recorder.ended(Outcome::Ok, MS * 3, MS * 4, 1);
        recorder.ended(Outcome::Ok, MS * 2, MS * 9, 1);
        recorder.refused(MS * 35);
        let timeline = recorder.into_report(MS * 40).timeline;
        assert_eq!(timeline[0], Bucket { from_ms: 0, completed: 2, failed: 0, longest_us: 3_000.0 });
        assert_eq!(timeline[1], Bucket { from_ms: 10, ..Bucket::default() });
        assert_eq!(timeline[3], Bucket { from_ms: 30, completed: 0, failed: 1, longest_us: 0.0 });
        assert_eq!(timeline.len(), 4);
    }
}
