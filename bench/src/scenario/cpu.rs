//! CPU time for each request, throughput and latency: hello against the floor, Python against uWSGI and gunicorn.
//!
//! The time is user and system time of the contender's whole process tree over a fixed number of requests, so what the
//! client and the measuring cost does not count.

use crate::client::{Load, Report, Until, Wire};
use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target, spread_cells};
use crate::lab::{Error, Lab};
use crate::packet::Request;
use crate::proc;
use crate::scenario::{Series, in_turns, series_of};
use crate::server::Server;
use crate::statistics::Spread;

/// One measurement of one contender.
struct Sample {
    cpu_us: f64,
    report: Report,
    /// PSS of the whole tree after the load.
    proportional_kib: u64,
}

/// Requests before the measurement, as a share of its own: caches, branch predictors and allocators settle.
const WARM_UP_SHARE: u64 = 10;

/// The floor against itself.
pub(super) fn noise(lab: &Lab) -> Result<Findings, Error> {
    let floor = |name| Setup::pool(Contender::Floor, 2).named(name);
    let (findings, _) = compare(lab, "The floor against itself", &[floor("floor A"), floor("floor B")])?;
    Ok(findings)
}

/// The Rust hello example.
pub(super) fn hello(lab: &Lab) -> Result<Findings, Error> {
    let setups = [Contender::Floor, Contender::Hello, Contender::Uwsgi].map(|contender| Setup::pool(contender, 2));
    let (mut findings, series) = compare(lab, "Hello, 2 workers, unix socket", &setups)?;
    if let Some(ratio) = cpu_ratio(&series, "rhinod hello", "floor") {
        findings.checks.push(Check::new("CPU time of hello / floor", ratio.median, Target::AtMost(1.10)));
    }
    Ok(findings)
}

/// The Python hello application.
pub(super) fn python(lab: &Lab) -> Result<Findings, Error> {
    let contenders = [Contender::Uwsgi, Contender::Wsgi, Contender::Gunicorn, Contender::Floor];
    let setups = contenders.map(|contender| Setup::pool(contender, 2));
    let (mut findings, series) = compare(lab, "WSGI hello, 2 workers, unix socket", &setups)?;
    if let Some(ratio) = cpu_ratio(&series, "rhinod wsgi", "uwsgi wsgi") {
        findings.checks.push(Check::new("CPU time of rhinod / uWSGI", ratio.median, Target::AtMost(0.80)));
    }
    if let Some(ratio) = cpu_ratio(&series, "gunicorn wsgi", "rhinod wsgi") {
        findings.checks.push(Check::new("CPU time of gunicorn / rhinod", ratio.median, Target::AtLeast(5.0)));
    }
    Ok(findings)
}

/// Measures the setups in turns; ratios are to the first one that is there.
fn compare(lab: &Lab, title: &str, setups: &[Setup]) -> Result<(Findings, Vec<Series<Sample>>), Error> {
    let mut findings = Findings::default();
    let rounds = lab.sizes.rounds;
    let series = in_turns(lab, rounds, setups, &mut findings.skipped, |_, server| measure(lab, server))?;
    findings.tables.push(cpu_table(lab, title, &series));
    findings.tables.push(latency_table(&series));
    Ok((findings, series))
}

fn measure(lab: &Lab, server: &mut Server) -> Result<Sample, Error> {
    let requests = lab.sizes.requests;
    lab.run(&load(lab, server, requests.div_ceil(WARM_UP_SHARE))?)?;
    let before = server.cpu_time();
    let report = lab.run(&load(lab, server, requests)?)?;
    let spent = server.cpu_time().saturating_sub(before);
    if report.counts.failed() > 0 {
        return Err(server.error(format!("requests failed: {:?}", report.counts)));
    }
    let memories = server.tree().into_iter().filter_map(|process| proc::memory(process.pid).ok());
    Ok(Sample {
        cpu_us: spent.as_secs_f64() * 1e6 / requests as f64,
        report,
        proportional_kib: memories.map(|memory| memory.proportional_kib).sum(),
    })
}

fn load(lab: &Lab, server: &Server, requests: u64) -> Result<Load, Error> {
    let until = Until::Requests(requests);
    Ok(Load::new(server.target(), Wire::Uwsgi, &Request::get("/"), lab.sizes.clients, until)?)
}

fn cpu_ratio(series: &[Series<Sample>], name: &str, baseline: &str) -> Option<Spread> {
    let cpu = |name| Some(series_of(series, name)?.numbers(|sample| sample.cpu_us));
    Spread::of_ratios(&cpu(name)?, &cpu(baseline)?)
}

fn cpu_table(lab: &Lab, title: &str, series: &[Series<Sample>]) -> Table {
    let sizes = &lab.sizes;
    let title = format!(
        "{title}: CPU time for each request; {} rounds of {} requests, {} clients",
        sizes.rounds, sizes.requests, sizes.clients
    );
    let columns =
        ["contender", "us median", "us min", "us max", "ratio median", "ratio min", "ratio max", "tree PSS KiB"];
    let mut table = Table::new(title, &columns);
    for one in series {
        let ratio = series.first().and_then(|first| cpu_ratio(series, &one.name, &first.name));
        let memory = Spread::of(&one.numbers(|sample| sample.proportional_kib as f64));
        let mut cells = vec![Cell::text(&one.name)];
        cells.extend(spread_cells(Spread::of(&one.numbers(|sample| sample.cpu_us)), 2));
        cells.extend(spread_cells(ratio, 3));
        cells.push(memory.map_or(Cell::Nothing, |memory| Cell::Number(memory.median, 0)));
        table.row(cells);
    }
    table
}

fn latency_table(series: &[Series<Sample>]) -> Table {
    let mut table =
        Table::new("The same runs as the client saw them (medians)", &["contender", "requests/s", "p50 us", "p99 us"]);
    for one in series {
        let median = |number: fn(&Report) -> f64| {
            let spread = Spread::of(&one.numbers(|sample| number(&sample.report)));
            spread.map_or(Cell::Nothing, |spread| Cell::Number(spread.median, 0))
        };
        let latency = [median(|report| report.latency.p50_us), median(|report| report.latency.p99_us)];
        let mut cells = vec![Cell::text(&one.name), median(|report| report.throughput_per_s)];
        cells.extend(latency);
        table.row(cells);
    }
    table
}
