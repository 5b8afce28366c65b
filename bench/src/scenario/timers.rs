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
/// Nothing comes earlier than that before its time, which is as exact as when the first one came.
const EARLY_MS_MAX: f64 = 5.0;
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

/// Compares what came within so many seconds with the plan, whose beginning is that of the earliest. `None`: nothing came.
fn compare(came: &[(u8, f64)], seconds: u64) -> Option<Sample> {
    // All timers begin at one moment: the earliest signal of all that are due after the shortest time was raised in time.
    let first = came.iter().map(|(_, moment)| *moment).reduce(f64::min)?;
    let begin = first - period_ms(0) as f64 / 1e3;
    let mut planned: BTreeMap<u8, Vec<f64>> = BTreeMap::new();
    for timer in 0..TIMERS {
        let every_ms = period_ms(timer);
        let signal = u8::try_from(timer % SIGNALS).ok()?;
        let count = seconds * 1_000 / every_ms;
        let dues = (1..=count).map(|nth| begin + (nth * every_ms) as f64 / 1e3);
        planned.entry(signal).or_default().extend(dues);
    }
    let mut late_ms = Vec::new();
    let (mut planned_count, mut came_count) = (0, 0);
    for (signal, dues) in &mut planned {
        dues.sort_by(f64::total_cmp);
        // What comes after the last one that is looked at has another one's place.
        let mut moments: Vec<f64> = came.iter().filter(|(of, _)| of == signal).map(|(_, at)| *at).collect();
        moments.sort_by(f64::total_cmp);
        let late = dues.iter().zip(&moments).map(|(due, moment)| (moment - due) * 1e3);
        planned_count += dues.len();
        // One too many comes before the time of the next one.
        came_count += late.clone().filter(|late_ms| *late_ms > -EARLY_MS_MAX).count();
        late_ms.extend(late);
    }
    late_ms.sort_by(f64::total_cmp);
    let half_ms = late_ms.get(late_ms.len() / 2).copied()?;
    Some(Sample { planned: planned_count, came: came_count, late_ms: *late_ms.last()?, half_ms })
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
        assert!(compare(&came, 3).unwrap().came < whole.planned, "one twice");
        assert_eq!(compare(&[], 3), None);
    }
}
