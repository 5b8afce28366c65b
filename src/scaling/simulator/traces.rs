//! Recorded arrivals as a load: nginx access logs, CSV files, and the two public traces that the comparison uses. Reads
//! text only (the command reads the files); every number is read with integers, so a log gives the same load anywhere.

use super::load::{Job, Load, Random, Service, poisson};

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
const JOBS_MAX: usize = 20_000_000;
/// Longest trace: uWSGI's policies tick every second of it.
const DAYS_MAX: u64 = 100;
const DAY_US: u64 = 86_400 * SECOND_US;
const SECOND_US: u64 = 1_000_000;
/// Longest beginning of a line that an error shows, in characters.
const FOUND_MAX: usize = 60;
/// Service time of a token of the Azure trace, and what comes on top: 5 ms + 2 ms a token.
const AZURE_BASE_US: u64 = 5_000;
const AZURE_TOKEN_US: u64 = 2_000;
/// Length of a window of the NAB trace.
const NAB_WINDOW_S: u64 = 300;

impl Default for Reading {
    /// 50 ms of which 2 % are computing, as fast as recorded.
    fn default() -> Self {
        Reading { service_us: 50_000, compute_permille: 20, speed: 1, seed: 1 }
    }
}

/// What a trace holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The arrivals.
    pub load: Load,
    /// Lines of an access log that no arrival could be read from: other formats, cut lines.
    pub skipped: usize,
}

/// Reads a trace; the format is told by its first line.
///
/// # Errors
/// [`TraceError`], which says what was expected.
pub fn read(name: &str, text: &str, reading: Reading) -> Result<Trace, TraceError> {
    let mut skipped = 0;
    let header = text.lines().next().unwrap_or("").trim_start_matches('\u{feff}').trim();
    let jobs = match header {
        "TIMESTAMP,ContextTokens,GeneratedTokens" => azure(text, reading)?,
        "timestamp,value" => nab(text, reading)?,
        _ if csv_row(header).is_some() || header.starts_with("arrival") => csv(text, reading)?,
        _ => access_log(text, reading, &mut skipped)?,
    };
    if jobs.is_empty() {
        return Err(TraceError::Nothing);
    }
    Ok(Trace { load: Load::open(name, from_zero(jobs, reading.speed.max(1))?), skipped })
}

/// Arrival times relative to the first, sped up.
fn from_zero(mut jobs: Vec<Job>, speed: u64) -> Result<Vec<Job>, TraceError> {
    let first = jobs.iter().map(|job| job.at_us).min().unwrap_or(0);
    for job in &mut jobs {
        job.at_us = (job.at_us - first) / speed;
    }
    match jobs.iter().map(|job| job.at_us / DAY_US).max() {
        Some(days) if days >= DAYS_MAX => Err(TraceError::TooLong { days }),
        _ => Ok(jobs),
    }
}

/// A line that is unlike its header.
fn unlike(line: usize, expected: &'static str, row: &str) -> TraceError {
    TraceError::Line { line, expected, found: row.chars().filter(|c| !c.is_control()).take(FOUND_MAX).collect() }
}

/// A request that takes longer than a day counts as one of a day.
fn job(at_us: u64, service_us: u64, reading: Reading) -> Job {
    let service_us = service_us.min(DAY_US);
    let compute_us = service_us / 1000 * reading.compute_permille.min(1000);
    Job { at_us, compute_us, wait_us: service_us.saturating_sub(compute_us).max(1) }
}

fn push(jobs: &mut Vec<Job>, job: Job) -> Result<(), TraceError> {
    if jobs.len() >= JOBS_MAX {
        return Err(TraceError::TooMany(JOBS_MAX));
    }
    jobs.push(job);
    Ok(())
}

/// `arrival,service[,compute]` in seconds, with or without a header line.
fn csv(text: &str, reading: Reading) -> Result<Vec<Job>, TraceError> {
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

fn csv_row(row: &str) -> Option<(u64, u64, Option<u64>)> {
    let mut columns = row.split([',', ';', '\t']).map(|column| seconds(column.trim()));
    let (at_us, service_us) = (columns.next()??, columns.next()??);
    match columns.next() {
        Some(compute_us) => Some((at_us, service_us, Some(compute_us?))),
        None => Some((at_us, service_us, None)),
    }
}

/// Azure's inference trace: `2023-11-16 18:17:03.9799600,4808,10`.
fn azure(text: &str, reading: Reading) -> Result<Vec<Job>, TraceError> {
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
fn nab(text: &str, reading: Reading) -> Result<Vec<Job>, TraceError> {
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

/// One line a request. The arrival is `$msec` (or `$time_iso8601` or `$time_local`) minus the request's time, since nginx
/// logs at the end. Of whole seconds a moment in that second is drawn: a millisecond apart, say, they would be bursts.
fn access_log(text: &str, reading: Reading, skipped: &mut usize) -> Result<Vec<Job>, TraceError> {
    let mut jobs = Vec::new();
    let mut random = Random::new(reading.seed);
    for row in text.lines() {
        let second = || time_iso8601(row).or_else(|| time_local(row));
        let Some(end_us) = msec(row).or_else(|| Some(second()? + random.below(SECOND_US))) else {
            *skipped += usize::from(!row.trim().is_empty());
            continue;
        };
        let service_us = request_time(row).unwrap_or(reading.service_us);
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

/// `[10/Oct/2000:13:55:36 -0700]`.
fn time_local(row: &str) -> Option<u64> {
    let start = row.find('[')? + 1;
    let text = row.get(start..start + 26)?;
    let (stamp, zone) = text.split_once(' ')?;
    let mut parts = stamp.split(['/', ':']);
    let day: u64 = parts.next()?.parse().ok()?;
    let month = month(parts.next()?)?;
    let year: u64 = parts.next()?.parse().ok()?;
    let (hour, minute, second) = (number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?);
    let local = days(year, month, day)? * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(utc(local, zone)? * SECOND_US)
}

/// `2000-10-10T13:55:36-07:00`.
fn time_iso8601(row: &str) -> Option<u64> {
    let place = row.match_indices('T').find_map(|(place, _)| {
        let text = row.get(place.checked_sub(10)?..place + 15)?;
        (text.as_bytes()[4] == b'-' && text.as_bytes()[13] == b':').then_some(text)
    })?;
    let (stamp, zone) = (place.get(..19)?, place.get(19..)?);
    Some(utc(date_time(stamp)? / SECOND_US, zone)? * SECOND_US)
}

/// Seconds of the world's time of a local one and its zone, `+0700` or `+07:00`.
fn utc(local: u64, zone: &str) -> Option<u64> {
    let minutes = zone.get(3..)?.trim_start_matches(':').get(..2)?;
    let offset = number(zone.get(1..3)?)? * 3_600 + number(minutes)? * 60;
    match zone.as_bytes().first()? {
        b'-' => Some(local + offset),
        b'+' => local.checked_sub(offset),
        _ => None,
    }
}

fn month(name: &str) -> Option<u64> {
    const NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    (1..).zip(NAMES).find(|(_, known)| *known == name).map(|(number, _)| number)
}

/// `2023-11-16 18:17:03.9799600`.
fn date_time(text: &str) -> Option<u64> {
    let (date, time) = text.trim().split_once([' ', 'T'])?;
    let mut date = date.split('-').map(number);
    let mut time = time.trim_end_matches('Z').splitn(3, ':');
    let days = days(date.next()??, date.next()??, date.next()??)?;
    let (hour, minute) = (number(time.next()?)?, number(time.next()?)?);
    Some((days * 86_400 + hour * 3_600 + minute * 60) * SECOND_US + seconds(time.next()?)?)
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|&value| value < 10_000)
}

/// Days since 1970-01-01 (Howard Hinnant's days_from_civil, for years from 1970).
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..10_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some(era * 146_097 + of_era - 719_468)
}

/// Decimal seconds to microseconds; further digits are cut.
fn seconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() || whole.len() > 12 || !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let digits = fraction.len().min(6);
    let part: u64 = if digits == 0 { 0 } else { fraction.get(..digits)?.parse().ok()? };
    Some(whole * SECOND_US + part * 10u64.pow(6 - digits as u32))
}

#[cfg(test)]
mod tests {
    use super::{Reading, TraceError, days, read};

    fn times(text: &str) -> Vec<(u64, u64)> {
        let load = read("test", text, Reading::default()).expect("a trace").load;
        load.jobs.iter().map(|job| (job.at_us, job.compute_us + job.wait_us)).collect()
    }

    #[test]
    fn csv_with_and_without_a_header() {
        let expected = vec![(0, 50_000), (1_500_000, 2_000)];
        assert_eq!(times("arrival,service\n10,0.05\n11.5,0.002\n"), expected);
        assert_eq!(times("10;0.05\n\n11.5;0.002"), expected);
    }

    #[test]
    fn csv_may_say_how_much_is_computing() {
        let load = read("test", "0,0.05,0.01\n", Reading::default()).expect("a trace").load;
        assert_eq!((load.jobs[0].compute_us, load.jobs[0].wait_us), (10_000, 40_000));
    }

    #[test]
    fn a_bad_csv_line_is_named_and_shown() {
        for bad in ["x,y", "2", "2,-0.5", "-2,0.5", "2,1e3", "2,0.5,nan", &"9".repeat(100_000)] {
            let error = read("t", &format!("1,2\n{bad}\n"), Reading::default()).expect_err(bad);
            assert!(matches!(error, TraceError::Line { line: 2, .. }), "{error}");
            let shown = &bad[..bad.len().min(60)];
            assert!(error.to_string().ends_with(&format!(" in seconds from 0, found `{shown}`")), "{error}");
        }
    }

    #[test]
    fn arrivals_may_come_in_any_order_but_not_from_another_age() {
        assert_eq!(times("5,0.05\n2,0.05\n"), [(0, 50_000), (3_000_000, 50_000)]);
        let apart = read("t", "0,0.05\n999999999999,0.05\n", Reading::default());
        assert_eq!(apart, Err(TraceError::TooLong { days: 11_574_074 }));
        assert_eq!(times("0,999999999999\n0,999999999999,999999999999\n"), [(0, 86_400_000_000); 2]);
    }

    /// What falls into one second is spread over it.
    #[test]
    fn the_combined_format_has_whole_seconds_and_no_times() {
        let line = |second: usize| {
            format!(
                "10.0.0.1 - - [10/Oct/2000:13:55:{:02} -0700] \"GET / HTTP/1.1\" 200 2326 \"-\" \"curl/8.5.0\"\n",
                second
            )
        };
        let text: String = (0..1_000).map(|number| line(number / 40)).collect();
        let seen = times(&text);
        assert!(seen.iter().all(|&(_, service_us)| service_us == 50_000));
        assert!((24_000_000..25_000_000).contains(&seen[999].0), "{}", seen[999].0);
        let first_halves = seen.iter().filter(|(at_us, _)| at_us % 1_000_000 < 500_000).count();
        assert!((400..600).contains(&first_halves), "{first_halves}");
    }

    #[test]
    fn json_with_iso_time() {
        let line = |time: &str| {
            format!("{{\"time\":\"{time}\",\"uri\":\"/T/v1.250\",\"rt\":0.040,\"request_time\":\"0.050\"}}\n")
        };
        let text = [line("2024-02-29T13:55:36+01:00"), line("2024-02-29T12:55:38+00:00")].concat();
        let seen = times(&text);
        assert_eq!((seen.len(), seen[0]), (2, (0, 50_000)));
        assert!((1_000_000..3_000_000).contains(&seen[1].0) && seen[1].1 == 50_000, "{seen:?}");
    }

    /// A path and a user agent with something like a time do not count, and what is no request is told.
    #[test]
    fn what_only_looks_like_a_time_is_none() {
        let text = "1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"GET /v1.250/b HTTP/1.1\" 200 5 \"-\" \"x/7.123\"\n\
                    [10/Oct/2000:13:55:36 and here it is cut\n\n\u{fffd}T\u{fffd}";
        let trace = read("t", text, Reading::default()).expect("a trace");
        assert_eq!((trace.load.jobs[0].compute_us + trace.load.jobs[0].wait_us, trace.skipped), (50_000, 2));
        assert_eq!(trace.load.jobs.len(), 1);
    }

    #[test]
    fn msec_and_request_time_give_arrival_and_service() {
        let text = "1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"GET /a HTTP/1.1\" 200 5 \"-\" \"-\" 1700000010.500 0.200\n\
                    1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"GET /b HTTP/1.1\" 200 5 \"-\" \"-\" 1700000010.600 0.100\n";
        assert_eq!(times(text), [(0, 200_000), (200_000, 100_000)]);
    }

    #[test]
    fn named_times_are_preferred_and_the_upstream_is_most_exact() {
        let text = "GET /rt=7 /port5 t=1700000010.500 rt=0.250 urt=\"0.200\" status=200\n";
        assert_eq!(times(text), [(0, 200_000)]);
    }

    #[test]
    fn the_public_traces() {
        let azure = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n\
                     2023-11-16 18:17:04.0319600,3180,8\n";
        assert_eq!(times(azure), [(0, 25_000), (52_000, 21_000)]);
        let nab = "timestamp,value\n2014-04-10 00:04:00,3000.0\n2014-04-10 00:09:00,0.0\n";
        let load = read("nab", nab, Reading { speed: 10, ..Reading::default() }).expect("a trace").load;
        assert!((2_800..3_200).contains(&load.jobs.len()), "{}", load.jobs.len());
        assert!(load.until_us <= 31_000_000);
    }

    #[test]
    fn what_is_no_trace_says_so() {
        assert_eq!(read("t", "hello\nworld\n", Reading::default()), Err(TraceError::Nothing));
        assert_eq!(read("t", "", Reading::default()), Err(TraceError::Nothing));
    }

    #[test]
    fn days_count_from_1970() {
        assert_eq!((days(1970, 1, 1), days(2000, 3, 1), days(2024, 2, 29)), (Some(0), Some(11_017), Some(19_782)));
        assert_eq!(days(1969, 12, 31), None);
    }
}
