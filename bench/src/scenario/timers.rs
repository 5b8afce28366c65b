//! A thousand timers on the real clock: how far from their plan they go off, and whether each does once each time.
//!
//! Their signals are handled by four mules, so that what is measured has its own queue and no requests.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target};
use crate::lab::{Error, Lab, io_error};
use crate::scenario::in_turns;
use crate::server::Server;

const TIMERS: usize = 1_000;
/// Signals that they share, as `apps/services.py` has it.
const SIGNALS: usize = 250;
const TIME: Duration = Duration::from_secs(60);
/// The project's bound.
const LATE_MS_MAX: f64 = 5.0;
/// So long after the first one is due what is late does not count: the mules that hear of it are just being forked.
const FORKING_S: f64 = 1.0;
/// What a signal and its moment take in the file.
const RECORD: usize = 9;

/// What came of it.
#[derive(Debug, PartialEq)]
struct Sample {
    planned: usize,
    came: usize,
    late_ms: f64,
    half_ms: f64,
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let setup = Setup::pool(Contender::Wsgi, 1).application("services.py").environment("TIMERS", TIMERS);
    let setups = [setup.option("mules", 4).option("signal-bufsize", 1_000_000)];
    let series = in_turns(lab, 1, &setups, &mut findings, |_, server| measure(lab, server))?;
    let columns = ["contender", "planned", "came", "half within ms", "latest ms"];
    let mut table = Table::new(format!("{TIMERS} timers of 10 ms to an hour"), &columns);
    for one in &series {
        for sample in &one.samples {
            table.row(vec![
                Cell::text(&one.name),
                Cell::count(sample.planned as u64),
                Cell::count(sample.came as u64),
                Cell::Number(sample.half_ms, 2),
                Cell::Number(sample.late_ms, 2),
            ]);
            let missing = sample.planned.abs_diff(sample.came) as f64;
            findings.checks.push(Check::new("timers left out, or too often", missing, Target::AtMost(0.0)));
            findings.checks.push(Check::new("latest after its plan, ms", sample.late_ms, Target::AtMost(LATE_MS_MAX)));
        }
    }
    findings.tables.push(table);
    Ok(findings)
}

fn measure(lab: &Lab, server: &Server) -> Result<Sample, Error> {
    let time = lab.at_most(TIME);
    lab.pause(time + Duration::from_millis(500))?;
    let bytes = fs::read(server.dir().join("fired")).map_err(io_error("fired"))?;
    let came: Vec<(u8, f64)> = bytes.chunks_exact(RECORD).filter_map(record).collect();
    compare(&came, time.as_secs()).ok_or_else(|| server.error("no timer has gone off"))
}

fn record(bytes: &[u8]) -> Option<(u8, f64)> {
    let (number, moment) = bytes.split_first()?;
    Some((*number, f64::from_le_bytes(moment.try_into().ok()?)))
}

/// Milliseconds between two times of each timer, as `apps/services.py` has it.
fn period_ms(timer: usize) -> u64 {
    (10.0 * 360_000_f64.powf(timer as f64 / 1000.0)).round() as u64
}

/// Compares what came within so many seconds with the plan, whose beginning is where nothing comes early. `None`: nothing came.
fn compare(came: &[(u8, f64)], seconds: u64) -> Option<Sample> {
    let mut plans: BTreeMap<u8, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for timer in 0..TIMERS {
        let every_ms = period_ms(timer);
        let count = seconds * 1_000 / every_ms;
        let dues = (1..=count).map(|nth| (nth * every_ms) as f64 / 1e3);
        plans.entry(u8::try_from(timer % SIGNALS).ok()?).or_default().0.extend(dues);
    }
    came.iter().for_each(|(signal, moment)| plans.entry(*signal).or_default().1.push(*moment));
    for (dues, moments) in plans.values_mut() {
        dues.sort_by(f64::total_cmp);
        moments.sort_by(f64::total_cmp);
    }
    let pairs = || plans.values().flat_map(|(dues, moments)| dues.iter().zip(moments));
    let begin = pairs().map(|(due, moment)| moment - due).reduce(f64::min)?;
    let settled = pairs().filter(|(due, _)| **due >= FORKING_S);
    let mut late_ms: Vec<f64> = settled.map(|(due, moment)| (moment - due - begin) * 1e3).collect();
    late_ms.sort_by(f64::total_cmp);
    let planned = plans.values().map(|(dues, _)| dues.len()).sum();
    let end = begin + seconds as f64;
    // One too many comes in the time of another one, so that there are more of them before the end.
    let too_many = plans.values().map(|(dues, moments)| {
        moments.iter().filter(|moment| **moment < end - LATE_MS_MAX / 1e3).count().saturating_sub(dues.len())
    });
    let came = pairs().count() + too_many.sum::<usize>();
    let half_ms = late_ms.get(late_ms.len() / 2).copied()?;
    Some(Sample { planned, came, late_ms: *late_ms.last()?, half_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seconds: u64) -> Vec<(u8, f64)> {
        let of = |timer| {
            let every_ms = period_ms(timer);
            (1..=seconds * 1_000 / every_ms)
                .map(move |nth| ((timer % SIGNALS) as u8, 100.0 + (nth * every_ms) as f64 / 1e3))
        };
        (0..TIMERS).flat_map(of).collect()
    }

    #[test]
    fn what_is_late_twice_or_missing_is_found() {
        let mut came = plan(3);
        let whole = compare(&came, 3).unwrap();
        assert_eq!((whole.planned, whole.came), (came.len(), came.len()));
        assert!(whole.late_ms < 0.001, "{whole:?}");
        came.last_mut().unwrap().1 += 0.007;
        assert!((compare(&came, 3).unwrap().late_ms - 7.0).abs() < 0.001);
        let (signal, at) = came.pop().unwrap();
        assert_eq!(compare(&came, 3).unwrap().came + 1, whole.planned);
        came.extend([(signal, at), (0, 100.5)]);
        let twice = compare(&came, 3).unwrap();
        assert!(twice.came > whole.planned || twice.late_ms > LATE_MS_MAX, "one twice: {twice:?}");
        assert_eq!(compare(&[], 3), None);
    }
}
