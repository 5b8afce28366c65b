//! nginx access logs in any format that has a time of day: text or JSON, with or without the request's time.

use super::moment::{SECOND_US, seconds, time_iso8601, time_local};
use super::reading::{Gaps, Reading, TraceError, job, push};
use crate::scaling::simulator::load::{Job, Random};

/// One line a request. The arrival is `$msec` (or `$time_iso8601` or `$time_local`) minus the request's time, since nginx
/// logs at the end. Of whole seconds a moment in that second is drawn: a millisecond apart, say, they would be bursts.
pub(super) fn access_log(text: &str, reading: Reading, gaps: &mut Gaps) -> Result<Vec<Job>, TraceError> {
    let mut jobs = Vec::new();
    let mut random = Random::new(reading.seed);
    for row in text.lines() {
        let second = || time_iso8601(row).or_else(|| time_local(row));
        let exact = msec(row);
        let Some(end_us) = exact.or_else(|| Some(second()? + random.below(SECOND_US))) else {
            gaps.skipped += usize::from(!row.trim().is_empty());
            continue;
        };
        let timed = request_time(row);
        gaps.drawn += usize::from(exact.is_none());
        gaps.untimed += usize::from(timed.is_none());
        let service_us = timed.unwrap_or(reading.service_us);
        push(&mut jobs, job(end_us.saturating_sub(service_us), service_us, reading))?;
    }
    Ok(jobs)
}

/// `$msec`: seconds since 1970 with three digits.
fn msec(row: &str) -> Option<u64> {
    tokens(row).find_map(|token| {
        let (whole, fraction) = token.split_once('.')?;
        (whole.len() == 10 && fraction.len() == 3).then(|| seconds(token))?
    })
}

/// `$upstream_response_time` or `$request_time` where they are named (`urt=`, `rt=`, `request_time:`), else the last
/// number with three digits after the point that is not `$msec`.
fn request_time(row: &str) -> Option<u64> {
    let named = |name: &str| {
        let (place, _) = row.match_indices(name).find(|&(place, _)| is_field(row, place, name.len()))?;
        let rest = row[place + name.len()..].trim_start_matches(['=', ':', '"', ' ']);
        seconds(rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?)
    };
    ["upstream_response_time", "urt", "request_time", "rt"].into_iter().find_map(named).or_else(|| {
        // whole words only: paths and user agents hold numbers as well
        let words =
            row.split_whitespace().map(|word| word.trim_matches(['"', '\'', '[', ']', '(', ')', ',', ';', '|']));
        let times = words.filter(|word| word.split_once('.').is_some_and(|(_, digits)| digits.len() == 3));
        times.filter(|word| word.len() < 14).filter_map(seconds).next_back()
    })
}

/// A name with a value, not the middle of some path.
fn is_field(row: &str, place: usize, length: usize) -> bool {
    let before = row[..place].chars().next_back();
    let inside = before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '/');
    !inside && row[place + length..].starts_with(['=', ':', '"'])
}

fn tokens(row: &str) -> impl Iterator<Item = &str> {
    row.split(|c: char| !c.is_ascii_digit() && c != '.').filter(|token| !token.is_empty())
}
