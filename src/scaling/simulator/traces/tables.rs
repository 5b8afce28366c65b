//! Traces with columns: our CSV, and the two public ones that the comparison of docs/SCALING-STUDY.md uses.

use super::moment::{SECOND_US, date_time, seconds};
use super::reading::{DAY_US, JOBS_MAX, Reading, TraceError, job, push};
use crate::scaling::simulator::load::{Job, Service, poisson};

/// Service time of a token of the Azure trace, and what comes on top: 5 ms + 2 ms a token.
const AZURE_BASE_US: u64 = 5_000;
const AZURE_TOKEN_US: u64 = 2_000;
/// Length of a window of the NAB trace.
const NAB_WINDOW_S: u64 = 300;
/// Longest beginning of a line that an error shows, in characters.
const FOUND_MAX: usize = 60;

/// A line that is unlike its header.
fn unlike(line: usize, expected: &'static str, row: &str) -> TraceError {
    TraceError::Line { line, expected, found: row.chars().filter(|c| !c.is_control()).take(FOUND_MAX).collect() }
}

/// `arrival,service[,compute]` in seconds, with or without a header line.
pub(super) fn csv(text: &str, reading: Reading) -> Result<Vec<Job>, TraceError> {
    let mut jobs = Vec::new();
    for (line, row) in (1..).zip(text.lines()) {
        if row.trim().is_empty() || (line == 1 && csv_row(row).is_none()) {
            continue;
        }
        let (at_us, service_us, compute_us) =
            csv_row(row).ok_or_else(|| unlike(line, "arrival,service[,computing] in seconds from 0", row))?;
        let mut job = job(at_us, service_us, reading);
        if let Some(compute_us) = compute_us {
            let service_us = service_us.min(DAY_US);
            job.compute_us = compute_us.min(service_us);
            job.wait_us = service_us - job.compute_us;
        }
        push(&mut jobs, job)?;
    }
    Ok(jobs)
}

pub(super) fn csv_row(row: &str) -> Option<(u64, u64, Option<u64>)> {
    let mut columns = row.split([',', ';', '\t']).map(|column| seconds(column.trim()));
    let (at_us, service_us) = (columns.next()??, columns.next()??);
    match columns.next() {
        Some(compute_us) => Some((at_us, service_us, Some(compute_us?))),
        None => Some((at_us, service_us, None)),
    }
}

/// Azure's inference trace: `2023-11-16 18:17:03.9799600,4808,10`.
pub(super) fn azure(text: &str, reading: Reading) -> Result<Vec<Job>, TraceError> {
    let mut jobs = Vec::new();
    for (line, row) in (1..).zip(text.lines()).skip(1).filter(|(_, row)| !row.trim().is_empty()) {
        let mut columns = row.split(',');
        let at_us = columns.next().and_then(date_time).ok_or_else(|| unlike(line, "a time stamp", row))?;
        let tokens: u64 = columns
            .nth(1)
            .and_then(|tokens| tokens.trim().parse().ok())
            .filter(|&tokens| tokens < 1_000_000)
            .ok_or_else(|| unlike(line, "a number of GeneratedTokens", row))?;
        push(&mut jobs, job(at_us, AZURE_BASE_US + AZURE_TOKEN_US * tokens, reading))?;
    }
    Ok(jobs)
}

/// Counts a window of five minutes (Numenta Anomaly Benchmark): a Poisson process of that rate inside each window.
pub(super) fn nab(text: &str, reading: Reading) -> Result<Vec<Job>, TraceError> {
    let mut counts = Vec::new();
    for (line, row) in (1..).zip(text.lines()).skip(1).filter(|(_, row)| !row.trim().is_empty()) {
        let count = row.split(',').nth(1).and_then(|count| seconds(count.trim()));
        counts.push(count.ok_or_else(|| unlike(line, "a time stamp and a count", row))? / SECOND_US);
    }
    let total: u64 = counts.iter().sum();
    if total > JOBS_MAX as u64 {
        return Err(TraceError::TooMany(JOBS_MAX));
    }
    let rate_max = counts.iter().max().copied().unwrap_or(0) as f64 / NAB_WINDOW_S as f64;
    if rate_max == 0.0 {
        return Ok(Vec::new());
    }
    let rate = |at: f64| {
        let window = at as usize / NAB_WINDOW_S as usize;
        counts.get(window).map_or(0.0, |&count| count as f64 / NAB_WINDOW_S as f64)
    };
    let seconds = counts.len() as u64 * NAB_WINDOW_S;
    let service = Service::Exponential(reading.service_us);
    Ok(poisson(reading.seed, seconds, rate_max, rate, service, reading.compute_permille))
}
