//! Three reloads under load with an application that takes a second to load: failures and the longest wait.

use std::time::Duration;

use rustix::process::Signal;

use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target};
use crate::lab::{Error, Lab};
use crate::scenario::{beside, in_turns};
use crate::server::Server;
use loadgen::client::{Report, Until};

const CLIENTS: usize = 16;
const PATH: &str = "/sleep?ms=5";
const WORKERS: usize = 4;
const LOAD_MS: u64 = 1_000;
const TIME: Duration = Duration::from_secs(12);
/// Pauses before each SIGHUP; each reload is over well before the next.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(1_500), Duration::from_millis(3_500), Duration::from_millis(3_500)];
/// The project's bound.
const LONGEST_MS: f64 = 100.0;
const BUCKET: Duration = Duration::from_millis(100);

pub(super) fn run(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let columns = [
        "contender",
        "reloads",
        "completed",
        "longest wait ms",
        "p99 ms",
        "refused",
        "failed otherwise",
        "silent 100 ms stretches",
    ];
    let mut table = Table::new("16 clients of 5 ms, 4 workers, 1 s of loading, 12 s", &columns);
    let pool = |contender| Setup::pool(contender, WORKERS).load_ms(LOAD_MS).page(PATH);
    let as_it_is: fn(Setup) -> Setup = |setup| setup;
    let short_queue: fn(Setup) -> Setup = |setup| setup.option("listen", 8);
    for (suffix, variant, reloads) in [
        ("", as_it_is, 3),
        (", no reload", as_it_is, 0),
        (", listen 8", short_queue, 3),
        (", listen 8, no reload", short_queue, 0),
        (", behind nginx", Setup::behind_nginx, 3),
        (", behind nginx, no reload", Setup::behind_nginx, 0),
    ] {
        let setups = [Contender::Hello, Contender::Wsgi, Contender::Uwsgi].map(|contender| {
            let setup = pool(contender);
            let name = format!("{}{suffix}", setup.name());
            variant(setup.named(&name))
        });
        let series = in_turns(lab, 1, &setups, &mut findings, |_, server| measure(lab, server, reloads))?;
        for one in &series {
            for report in &one.samples {
                table.row(row(&one.name, report, reloads));
                if one.name.starts_with("rhinod") && reloads > 0 {
                    findings.checks.extend(checks(&one.name, report));
                }
            }
        }
    }
    findings.tables.push(table);
    Ok(findings)
}

fn measure(lab: &Lab, server: &Server, reloads: usize) -> Result<Report, Error> {
    let mut load = server.load(CLIENTS, Until::Elapsed(TIME))?;
    load.bucket = Some(BUCKET);
    beside(lab, server, &load, |_| reload_in_between(lab, server, reloads))
}

fn reload_in_between(lab: &Lab, server: &Server, reloads: usize) -> Result<(), Error> {
    for pause in PAUSES.iter().take(reloads) {
        lab.pause(*pause)?;
        server.signal(Signal::HUP)?;
    }
    Ok(())
}

fn row(name: &str, report: &Report, reloads: usize) -> Vec<Cell> {
    let silent = report.timeline.iter().filter(|bucket| bucket.completed == 0).count();
    vec![
        Cell::text(name),
        Cell::count(reloads as u64),
        Cell::count(report.counts.ok),
        Cell::Number(report.latency.max_us / 1e3, 1),
        Cell::Number(report.latency.p99_us / 1e3, 1),
        Cell::count(report.counts.refused),
        Cell::count(report.counts.failed() - report.counts.refused),
        Cell::count(silent as u64),
    ]
}

fn checks(name: &str, report: &Report) -> [Check; 2] {
    let longest_ms = report.latency.max_us / 1e3;
    [
        Check::new(format!("{name}: longest wait, ms"), longest_ms, Target::AtMost(LONGEST_MS)),
        Check::new(format!("{name}: refused and failed"), report.counts.failed() as f64, Target::AtMost(0.0)),
    ]
}
