//! Workers that are replaced after 200 requests each, at full load: what fails, and how long the throughput is down.

use std::time::Duration;

use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target};
use crate::lab::{Error, Lab};
use crate::scenario::in_turns;
use crate::statistics::Spread;
use loadgen::client::{Bucket, Report, Until};

const WORKERS: usize = 4;
const CLIENTS: usize = 16;
const PATH: &str = "/sleep?ms=5";
const REQUESTS: u32 = 200;
const TIME: Duration = Duration::from_secs(20);
const BUCKET: Duration = Duration::from_millis(10);
/// The project's bound.
const DIP_MS: f64 = 50.0;

pub(super) fn run(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let recycling = |contender| {
        let setup = Setup::pool(contender, WORKERS).option("max-requests", REQUESTS);
        setup.option("min-worker-lifetime", 0).page(PATH)
    };
    let setups = [Contender::Hello, Contender::Wsgi, Contender::Uwsgi].map(recycling);
    let series = in_turns(lab, 1, &setups, &mut findings, |_, server| {
        let mut load = server.load(CLIENTS, Until::Elapsed(lab.at_most(TIME)))?;
        load.bucket = Some(BUCKET);
        lab.run(&load)
    })?;
    let columns = ["contender", "completed/s", "failed", "longest dip ms", "p99 ms", "longest wait ms"];
    let mut table = Table::new("16 clients of 5 ms, 4 workers, max-requests = 200, 20 s", &columns);
    for one in &series {
        for report in &one.samples {
            let (failed, dip_ms) = (report.counts.failed(), longest_dip_ms(report));
            table.row(vec![
                Cell::text(&one.name),
                Cell::Number(report.throughput_per_s, 0),
                Cell::count(failed),
                Cell::Number(dip_ms, 0),
                Cell::Number(report.latency.p99_us / 1e3, 1),
                Cell::Number(report.latency.max_us / 1e3, 1),
            ]);
            if one.name.starts_with("rhinod") {
                let check =
                    |what: &str, measured, target| Check::new(format!("{}: {what}", one.name), measured, target);
                findings.checks.push(check("failed", failed as f64, Target::AtMost(0.0)));
                findings.checks.push(check("longest dip, ms", dip_ms, Target::AtMost(DIP_MS)));
            }
        }
    }
    findings.tables.push(table);
    Ok(findings)
}

/// The longest stretch in which less than half of the usual was completed. The last bucket is only begun.
fn longest_dip_ms(report: &Report) -> f64 {
    let whole = &report.timeline[..report.timeline.len().saturating_sub(1)];
    longest_dip(whole) as f64 * BUCKET.as_secs_f64() * 1e3
}

fn longest_dip(timeline: &[Bucket]) -> usize {
    let completed: Vec<f64> = timeline.iter().map(|bucket| bucket.completed as f64).collect();
    let half = Spread::of(&completed).map_or(0.0, |spread| spread.median / 2.0);
    let stretches = completed.split(|count| *count >= half);
    stretches.map(<[f64]>::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dip_is_a_stretch_below_half_of_the_usual() {
        let timeline = [8, 9, 3, 8, 0, 1, 3, 8, 7, 4, 8].map(|completed| Bucket { completed, ..Bucket::default() });
        assert_eq!(longest_dip(&timeline), 3);
        assert_eq!(longest_dip(&timeline[..2]), 0);
        assert_eq!(longest_dip(&[]), 0);
    }
}
