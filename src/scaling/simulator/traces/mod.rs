//! Recorded arrivals as a load: nginx access logs, CSV files, and the two public traces that the comparison uses. Reads
//! text only (the command reads the files); every number is read with integers, so a log gives the same load anywhere.

mod access_log;
mod moment;
mod reading;
mod tables;

use super::load::{Job, Load};
use access_log::access_log;
use reading::{DAY_US, DAYS_MAX};
use tables::{azure, csv, csv_row, nab};

pub use reading::{Gaps, Reading, TraceError};

/// What a trace holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The arrivals.
    pub load: Load,
    /// What an access log did not say.
    pub gaps: Gaps,
}

/// Reads a trace; the format is told by its first line.
///
/// # Errors
/// [`TraceError`], which says what was expected.
pub fn read(name: &str, text: &str, reading: Reading) -> Result<Trace, TraceError> {
    let mut gaps = Gaps::default();
    let header = text.lines().next().unwrap_or("").trim_start_matches('\u{feff}').trim();
    let jobs = match header {
        "TIMESTAMP,ContextTokens,GeneratedTokens" => azure(text, reading)?,
        "timestamp,value" => nab(text, reading)?,
        _ if csv_row(header).is_some() || header.starts_with("arrival") => csv(text, reading)?,
        _ => access_log(text, reading, &mut gaps)?,
    };
    if jobs.is_empty() {
        return Err(TraceError::Nothing);
    }
    Ok(Trace { load: Load::open(name, from_zero(jobs, reading.speed.max(1))?), gaps })
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

#[cfg(test)]
mod tests {
    use super::{Reading, TraceError, read};

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
        assert_eq!((trace.load.jobs[0].compute_us + trace.load.jobs[0].wait_us, trace.gaps.skipped), (50_000, 2));
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
}
