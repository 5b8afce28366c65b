//! How a trace is read whatever its form: what is assumed, what is too much, and what can be wrong. Pure.

use super::moment::SECOND_US;
use crate::scaling::simulator::load::Job;

/// How to read a trace, for what it does not say itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Service time where the trace has none.
    pub service_us: u64,
    /// Share of the service time that is computing, in thousandths.
    pub compute_permille: u64,
    /// So many times faster than recorded (arrivals only).
    pub speed: u64,
    /// Seed for what has to be drawn.
    pub seed: u64,
}

/// What a log did not say, in lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gaps {
    /// No arrival can be read from them: other formats, cut lines. They are left out.
    pub skipped: usize,
    /// Without a request time: [`Reading::service_us`] is taken.
    pub untimed: usize,
    /// With whole seconds only: a moment in the second is drawn.
    pub drawn: usize,
}

/// A trace that cannot be read. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// No line could be understood.
    #[error(
        "no arrival found: expected an nginx access log (combined, or with $msec and $request_time) or a CSV with the \
         columns arrival,service (seconds)"
    )]
    Nothing,
    /// A CSV line that is unlike its header.
    #[error("line {line}: expected {expected}, found `{found}`")]
    Line {
        /// From 1.
        line: usize,
        /// The columns.
        expected: &'static str,
        /// The beginning of the line.
        found: String,
    },
    /// Arrivals too far apart, as a wrong clock writes them.
    #[error("{days} days from the first arrival to the last, more than {DAYS_MAX}: cut the log")]
    TooLong {
        /// Between the first and the last.
        days: u64,
    },
    /// More arrivals than are read.
    #[error("more than {0} arrivals: cut the log")]
    TooMany(usize),
}

/// Most arrivals of one trace.
pub(super) const JOBS_MAX: usize = 20_000_000;
/// Longest trace: uWSGI's policies tick every second of it.
pub(super) const DAYS_MAX: u64 = 100;
pub(super) const DAY_US: u64 = 86_400 * SECOND_US;

impl Default for Reading {
    /// 50 ms of which 2 % are computing, as fast as recorded.
    fn default() -> Self {
        Reading { service_us: 50_000, compute_permille: 20, speed: 1, seed: 1 }
    }
}

/// A request that takes longer than a day counts as one of a day.
pub(super) fn job(at_us: u64, service_us: u64, reading: Reading) -> Job {
    let service_us = service_us.min(DAY_US);
    let compute_us = service_us / 1000 * reading.compute_permille.min(1000);
    Job { at_us, compute_us, wait_us: service_us.saturating_sub(compute_us).max(1) }
}

pub(super) fn push(jobs: &mut Vec<Job>, job: Job) -> Result<(), TraceError> {
    if jobs.len() >= JOBS_MAX {
        return Err(TraceError::TooMany(JOBS_MAX));
    }
    jobs.push(job);
    Ok(())
}
