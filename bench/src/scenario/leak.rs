//! An application that leaks a megabyte with each request, and workers that are replaced when they have grown too big: how
//! big they get, and whether anybody notices.

use std::time::Duration;

use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target};
use crate::lab::{Error, Lab};
use crate::proc;
use crate::scenario::{beside, in_turns};
use crate::server::Server;
use loadgen::client::{Load, Pace, Report, Until, Wire};
use loadgen::packet::Request;

const WORKERS: usize = 4;
const PER_S: f64 = 200.0;
const CONNECTIONS_MAX: usize = 512;
const TIME: Duration = Duration::from_secs(120);
/// `bench/apps/wsgi.py` keeps 1,000,000 bytes.
const PATH: &str = "/leak";
const LIMIT_MIB: u64 = 128;
/// Far less than a worker needs for a request's megabyte.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const SEED: u64 = 1;

struct Sample {
    report: Report,
    largest_kib: u64,
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let leaking = |contender| {
        let setup = Setup::pool(contender, WORKERS).option("reload-on-rss", LIMIT_MIB);
        setup.option("min-worker-lifetime", 0)
    };
    let setups = [Contender::Wsgi, Contender::Uwsgi].map(leaking);
    let series = in_turns(lab, 1, &setups, &mut findings, |_, server| measure(lab, server))?;
    let columns = ["contender", "requests", "failed", "largest worker MiB", "p99 ms", "longest wait ms"];
    let title = "200 requests a second of 1 MB of leak for 120 s, 4 workers, reload-on-rss = 128";
    let mut table = Table::new(title, &columns);
    for one in &series {
        for Sample { report, largest_kib } in &one.samples {
            let (failed, largest_mib) = (report.counts.failed(), *largest_kib as f64 / 1_024.0);
            table.row(vec![
                Cell::text(&one.name),
                Cell::count(report.counts.ok),
                Cell::count(failed),
                Cell::Number(largest_mib, 1),
                Cell::Number(report.latency.p99_us / 1e3, 1),
                Cell::Number(report.latency.max_us / 1e3, 1),
            ]);
            if one.name.starts_with("rhinod") {
                let limit = Target::AtMost((LIMIT_MIB + 1) as f64);
                findings.checks.push(Check::new("largest worker, MiB: the limit and one request", largest_mib, limit));
                findings.checks.push(Check::new("failed", failed as f64, Target::AtMost(0.0)));
            }
        }
    }
    findings.tables.push(table);
    Ok(findings)
}

fn measure(lab: &Lab, server: &Server) -> Result<Sample, Error> {
    let until = Until::Elapsed(lab.at_most(TIME));
    let mut load = Load::new(server.target(), Wire::Uwsgi, &Request::get(PATH), CONNECTIONS_MAX, until)?;
    load.pace = Pace::Poisson { per_s: PER_S, seed: SEED };
    let mut largest_kib = 0;
    let report = beside(lab, server, &load, |is_over| {
        while !is_over() {
            lab.pause(LOOK_EVERY)?;
            let peaks = server.workers().into_iter().filter_map(proc::peak_resident_kib);
            largest_kib = peaks.chain([largest_kib]).max().unwrap_or(0);
        }
        Ok(())
    })?;
    Ok(Sample { report, largest_kib })
}
