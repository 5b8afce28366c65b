//! A CPU-bound application: more workers than cores help nobody, and the adaptive pool has to find that out.

use std::time::Duration;

use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target};
use crate::lab::{Error, Lab};
use crate::scenario::running;
use loadgen::client::{Load, Report, Until, Wire};
use loadgen::packet::Request;

const PATH: &str = "/burn?ms=5";
const SERVICE_MS: f64 = 5.0;
const CLIENTS: usize = 64;
const TIME: Duration = Duration::from_secs(6);
/// Static pools that are tried, beside one for each core.
const STATIC: [usize; 5] = [1, 2, 4, 8, 16];
const WORKERS_MAX: usize = 64;
/// What the cores can use of a pool that only computes: one worker each, and some for when one of them is between
/// requests. The policy's own bound is 1.5 and one.
const WORKERS_OF_A_CORE_MAX: usize = 4;

pub(super) fn run(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let fixed = STATIC.map(|workers| Setup::pool(Contender::Hello, workers).named(&format!("rhinod static {workers}")));
    let fixed = running(lab, &fixed, &mut findings)?;
    let adaptive = Setup::pool(Contender::Hello, WORKERS_MAX).option("cheaper", 1).named("rhinod 1 to 64");
    let columns = ["contender", "requests/s", "workers at the end", "p50 ms", "p99 ms", "failed"];
    let mut table = Table::new("64 clients, 5 ms of CPU time for each request, 6 s", &columns);
    let mut best_per_s = 0.0_f64;
    for setup in fixed {
        let (report, workers) = measure(lab, setup)?;
        if report.throughput_per_s > possible_per_s() {
            findings.fail(setup.name(), "more requests than the cores have time for: /burn does not count CPU time");
        }
        best_per_s = best_per_s.max(report.throughput_per_s);
        table.row(row(setup.name(), &report, workers));
    }
    if best_per_s > 0.0 {
        let (report, workers) = measure(lab, &adaptive)?;
        table.row(row(adaptive.name(), &report, workers));
        let share = report.throughput_per_s / best_per_s;
        findings.checks.push(Check::new("throughput / best static pool", share, Target::AtLeast(0.95)));
        let useful = (WORKERS_OF_A_CORE_MAX * cores()) as f64;
        findings.checks.push(Check::new("workers at the end", workers as f64, Target::AtMost(useful)));
        findings.checks.push(Check::new("failed", report.counts.failed() as f64, Target::AtMost(0.0)));
    }
    findings.tables.push(table);
    Ok(findings)
}

/// What all cores together can do, and a tenth more for the clock's grain.
fn possible_per_s() -> f64 {
    cores() as f64 * 1e3 / SERVICE_MS * 1.1
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn measure(lab: &Lab, setup: &Setup) -> Result<(Report, usize), Error> {
    let server = setup.serve(lab)?;
    let load = Load::new(server.target(), Wire::Uwsgi, &Request::get(PATH), CLIENTS, Until::Elapsed(TIME))?;
    let report = lab.run(&load)?;
    Ok((report, server.workers().len()))
}

fn row(name: &str, report: &Report, workers: usize) -> Vec<Cell> {
    vec![
        Cell::text(name),
        Cell::Number(report.throughput_per_s, 0),
        Cell::count(workers as u64),
        Cell::Number(report.latency.p50_us / 1e3, 1),
        Cell::Number(report.latency.p99_us / 1e3, 1),
        Cell::count(report.counts.failed()),
    ]
}
