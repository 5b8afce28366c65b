//! How fast a pool grows: a burst of clients, and many long requests at once.

use std::time::Duration;

use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target, spread_cells};
use crate::lab::{Error, Lab};
use crate::scenario::{Series, in_turns, series_of};
use crate::server::Server;
use crate::statistics::Spread;
use loadgen::client::{Load, Report, Until, Wire};
use loadgen::packet::Request;

/// The talk's load: 16 clients, each request 50 ms.
const CLIENTS: usize = 16;
const SERVICE: Duration = Duration::from_millis(50);
const BURST: Duration = Duration::from_secs(6);
/// Between the first answer and the load: a pool that starts larger has time to shrink.
const SETTLE: Duration = Duration::from_millis(500);
/// uWSGI needs up to a minute to get all of the one-second requests served.
const PATIENCE: Duration = Duration::from_secs(90);

/// An adaptive pool against a static one of its maximum.
pub(super) fn burst(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let adaptive = |contender, name: &str| {
        Setup::pool(contender, 20).option("cheaper", 2).option("cheaper-initial", 2).named(name)
    };
    let setups = [
        Setup::pool(Contender::Hello, 20).named("rhinod static 20"),
        adaptive(Contender::Hello, "rhinod 2 to 20"),
        Setup::pool(Contender::Uwsgi, 20).named("uwsgi static 20"),
        adaptive(Contender::Uwsgi, "uwsgi 2 to 20"),
    ];
    let series = burst_table(lab, "Burst, default settings, 2 to 20 workers", &setups, &mut findings)?;
    let pairs = [("rhinod 2 to 20", "rhinod static 20")];
    findings.checks.extend(share_checks(&series, &pairs, 0.95));
    if let Some(p99) = series_of(&series, "rhinod 2 to 20").and_then(|one| Spread::of(&one.numbers(p99_ms))) {
        let limit = 2.0 * SERVICE.as_secs_f64() * 1e3;
        findings.checks.push(Check::new("p99 of rhinod 2 to 20, ms (worst run)", p99.max, Target::AtMost(limit)));
    }

    let talk = |contender, name: &str| {
        let setup = Setup::pool(contender, 10).option("cheaper-algo", "spare").option("cheaper", 2);
        setup.option("cheaper-initial", 2).option("cheaper-step", 2).named(name)
    };
    let setups = [
        Setup::pool(Contender::Hello, 10).named("rhinod static 10"),
        talk(Contender::Hello, "rhinod talk"),
        Setup::pool(Contender::Uwsgi, 10).named("uwsgi static 10"),
        talk(Contender::Uwsgi, "uwsgi talk"),
    ];
    let series =
        burst_table(lab, "Burst, the talk's settings (spare, step 2), 2 to 10 workers", &setups, &mut findings)?;
    findings.checks.extend(share_checks(&series, &[("rhinod talk", "rhinod static 10")], 0.90));
    Ok(findings)
}

/// From 1 idle worker to 16 that serve.
pub(super) fn reaction(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let setup = |contender| Setup::pool(contender, 20).option("cheaper", 1).option("cheaper-initial", 1);
    let setups = [setup(Contender::Hello), setup(Contender::Uwsgi)];
    let series = in_turns(lab, 1, &setups, &mut findings, |_, server| {
        lab.pause(SETTLE)?;
        let mut load = load(server, "/sleep?ms=1000", Until::Requests(CLIENTS as u64))?;
        load.patience = PATIENCE;
        lab.run(&load)
    })?;
    let mut table =
        Table::new("16 one-second requests at once on 1 idle worker", &["contender", "longest wait ms", "failed"]);
    for one in &series {
        for report in &one.samples {
            let wait_ms = report.latency.max_us / 1e3 - 1e3;
            table.row(vec![Cell::text(&one.name), Cell::Number(wait_ms, 1), Cell::count(report.counts.failed())]);
            if one.name == "rhinod hello" {
                findings.checks.push(Check::new("all 16 being served after, ms", wait_ms, Target::AtMost(50.0)));
                findings.checks.push(Check::new("failed", report.counts.failed() as f64, Target::AtMost(0.0)));
            }
        }
    }
    findings.tables.push(table);
    Ok(findings)
}

fn load(server: &Server, path: &str, until: Until) -> Result<Load, Error> {
    Ok(Load::new(server.target(), Wire::Uwsgi, &Request::get(path), CLIENTS, until)?)
}

fn burst_table(
    lab: &Lab,
    title: &str,
    setups: &[Setup],
    findings: &mut Findings,
) -> Result<Vec<Series<Report>>, Error> {
    // Bursts vary less than CPU times; three are enough.
    let rounds = lab.sizes.rounds.min(3);
    let series = in_turns(lab, rounds, setups, findings, |_, server| {
        lab.pause(SETTLE)?;
        lab.run(&load(server, &format!("/sleep?ms={}", SERVICE.as_millis()), Until::Elapsed(BURST))?)
    })?;
    let columns = ["contender", "completed in 6 s", "min", "max", "p99 ms", "longest ms", "failed"];
    let mut table = Table::new(title, &columns);
    for one in &series {
        let mut cells = vec![Cell::text(&one.name)];
        cells.extend(spread_cells(Spread::of(&one.numbers(completed)), 0));
        let median =
            |values: Vec<f64>| Spread::of(&values).map_or(Cell::Nothing, |spread| Cell::Number(spread.median, 1));
        cells.push(median(one.numbers(p99_ms)));
        cells.push(median(one.numbers(|report| report.latency.max_us / 1e3)));
        cells.push(Cell::count(one.samples.iter().map(|report| report.counts.failed()).sum()));
        table.row(cells);
    }
    findings.tables.push(table);
    Ok(series)
}

/// What share of a static pool's requests an adaptive one completes.
fn share_checks(series: &[Series<Report>], pairs: &[(&str, &str)], least: f64) -> Vec<Check> {
    let numbers = |name: &str| Some(series_of(series, name)?.numbers(completed));
    let check = |(adaptive, fixed): &(&str, &str)| {
        let ratio = Spread::of_ratios(&numbers(adaptive)?, &numbers(fixed)?)?;
        let what = format!("completed by {adaptive} / {fixed} (worst run)");
        Some(Check::new(what, ratio.min, Target::AtLeast(least)))
    };
    pairs.iter().filter_map(check).collect()
}

fn completed(report: &Report) -> f64 {
    report.ok_in_time as f64
}

fn p99_ms(report: &Report) -> f64 {
    report.latency.p99_us / 1e3
}
