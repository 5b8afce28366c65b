//! CPU time for each request, throughput and latency: hello against the floor, Python against uWSGI and gunicorn, with
//! Django, through nginx, and with rules of routing.
//!
//! The time is user and system time of the contender's whole process tree over a fixed number of requests, so what the
//! client and the measuring cost does not count. What else the machine does changes within seconds, so all contenders
//! of a round run side by side and are measured in turns, many short batches each. Each round starts them afresh, because
//! where a process's memory lands is a matter of luck that lasts as long as the process.
//!
//! A round's CPU time is that of all its batches together. A median of batches would leave out what comes only every few
//! thousand requests, such as a full run of a garbage collector over an application, but that is part of the price of a
//! request. What clients see is a median of batches, and its ratio that of neighbouring ones.

use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target, spread_cells};
use crate::lab::{Error, Lab};
use crate::scenario::{Series, running, series_of, turn};
use crate::server::Server;
use crate::statistics::Spread;
use loadgen::client::{Report, Until};

/// What one contender did in one round.
#[derive(Default)]
struct Round {
    /// CPU time for each request in microseconds, batch by batch.
    cpu_us: Vec<f64>,
    throughput_per_s: Vec<f64>,
    p50_us: Vec<f64>,
    p99_us: Vec<f64>,
}

/// Batches of a round: enough for a median, and each some milliseconds long.
const BATCHES: usize = 40;
/// The same through nginx, where a batch must be longer: three kinds of processes share the processors there, and how
/// they come to do so (who preempts whom, who sleeps how often) settles only after some ten milliseconds.
const BATCHES_THROUGH_NGINX: usize = 6;
/// Rules that a request is compared with.
const RULES: usize = 1_000;
/// Requests before a batch, as a share of its own: the other contenders left the caches cold.
const WARM_UP_SHARE: u64 = 5;

/// The floor against itself.
pub(super) fn noise(lab: &Lab) -> Result<Findings, Error> {
    let floor = |name| Setup::pool(Contender::Floor, 2).named(name);
    let (mut findings, series) =
        compare(lab, "The floor against itself", BATCHES, &[floor("floor A"), floor("floor B")])?;
    if let Some(ratio) = cpu_ratio(&series, "floor B", "floor A") {
        let off = (ratio.median - 1.0).abs();
        findings.checks.push(Check::new("the two differ by a share of", off, Target::AtMost(0.02)));
    }
    Ok(findings)
}

/// The Rust hello example.
pub(super) fn hello(lab: &Lab) -> Result<Findings, Error> {
    let setups = [Contender::Floor, Contender::Hello, Contender::Uwsgi].map(|contender| Setup::pool(contender, 2));
    let (mut findings, series) = compare(lab, "Hello, 2 workers, unix socket", BATCHES, &setups)?;
    if let Some(ratio) = cpu_ratio(&series, "rhinod hello", "floor") {
        findings.checks.push(Check::new("CPU time of hello / floor", ratio.median, Target::AtMost(1.10)));
    }
    Ok(findings)
}

/// The Python hello application.
pub(super) fn python(lab: &Lab) -> Result<Findings, Error> {
    let contenders = [Contender::Uwsgi, Contender::Wsgi, Contender::Gunicorn, Contender::Floor];
    let setups = contenders.map(|contender| Setup::pool(contender, 2));
    let (mut findings, series) = compare(lab, "WSGI hello, 2 workers, unix socket", BATCHES, &setups)?;
    if let Some(ratio) = cpu_ratio(&series, "rhinod wsgi", "uwsgi wsgi") {
        findings.checks.push(Check::new("CPU time of rhinod / uWSGI", ratio.median, Target::AtMost(0.80)));
    }
    if let Some(ratio) = cpu_ratio(&series, "gunicorn wsgi", "rhinod wsgi") {
        findings.checks.push(Check::new("CPU time of gunicorn / rhinod", ratio.median, Target::AtLeast(5.0)));
    }
    Ok(findings)
}

/// Rules of routing that are for other requests, against the same instance without any, and that one against itself.
pub(super) fn rules(lab: &Lab) -> Result<Findings, Error> {
    let plain = |name: &str| Setup::pool(Contender::Hello, 2).named(name);
    let rule = |setup: Setup, number| setup.option("route", format!("^/none/{number}/(.*)$ addvar:A=$1"));
    let ruled = (0..RULES).fold(plain("1,000 rules"), rule);
    let setups = [plain("no rules A"), plain("no rules B"), ruled];
    let (mut findings, series) = compare(lab, "Hello with rules that do not match, 2 workers", BATCHES, &setups)?;
    if let Some(ratio) = cpu_ratio(&series, "no rules B", "no rules A") {
        let off = (ratio.median - 1.0).abs();
        findings.checks.push(Check::new("without rules the two differ by a share of", off, Target::AtMost(0.02)));
    }
    let cpu_us = |name| Some(Spread::of(&cpu_of_rounds(series_of(&series, name)?))?.median);
    if let (Some(with), Some(without)) = (cpu_us("1,000 rules"), cpu_us("no rules A")) {
        findings.checks.push(Check::new("us of CPU time for 1,000 rules", with - without, Target::AtMost(30.0)));
    }
    Ok(findings)
}

/// A line of the log for each request, into a file, against none: of the shortest of requests, and of one to Django.
pub(super) fn logging(lab: &Lab) -> Result<Findings, Error> {
    let silent = |contender| match contender {
        Contender::Django | Contender::UwsgiDjango => Setup::pool(contender, 2).page("/hello"),
        _ => Setup::pool(contender, 2),
    };
    let pair =
        |contender, name: &str| [silent(contender), silent(contender).named(name).option("disable-logging", false)];
    let setups = [
        pair(Contender::Wsgi, "rhinod wsgi, logging"),
        pair(Contender::Uwsgi, "uwsgi wsgi, logging"),
        pair(Contender::Hello, "rhinod hello, logging"),
        pair(Contender::Django, "rhinod django, logging"),
        pair(Contender::UwsgiDjango, "uwsgi django, logging"),
    ];
    let (mut findings, series) = compare(lab, "Request log on and off, 2 workers", BATCHES, &setups.concat())?;
    let mut table = Table::new("CPU time with the log, by that without", &["contender", "ratio median", "min", "max"]);
    for name in ["rhinod wsgi", "uwsgi wsgi", "rhinod hello", "rhinod django", "uwsgi django"] {
        let Some(ratio) = cpu_ratio(&series, &format!("{name}, logging"), name) else { continue };
        let mut cells = vec![Cell::text(name)];
        cells.extend(spread_cells(Some(ratio), 3));
        table.row(cells);
        if matches!(name, "rhinod wsgi" | "rhinod django") {
            let what = format!("{name}: CPU time with the log / without");
            findings.checks.push(Check::new(what, ratio.median, Target::AtMost(1.10)));
        }
    }
    findings.tables.push(table);
    Ok(findings)
}

/// The Django example's plainest view.
pub(super) fn django(lab: &Lab) -> Result<Findings, Error> {
    let setups = [Contender::UwsgiDjango, Contender::Django].map(|contender| Setup::pool(contender, 2).page("/hello"));
    let (mut findings, series) = compare(lab, "Django's plain view, 2 workers, unix socket", BATCHES, &setups)?;
    if let Some(ratio) = cpu_ratio(&series, "rhinod django", "uwsgi django") {
        findings.checks.push(Check::new("CPU time of rhinod / uWSGI", ratio.median, Target::AtMost(0.95)));
    }
    Ok(findings)
}

/// The Python hello application through nginx. What nginx itself takes is not in the CPU time.
pub(super) fn through_nginx(lab: &Lab) -> Result<Findings, Error> {
    let setups = [Contender::Uwsgi, Contender::Wsgi].map(|contender| Setup::pool(contender, 2).behind_nginx());
    let (mut findings, series) = compare(lab, "WSGI hello, 2 workers, through nginx", BATCHES_THROUGH_NGINX, &setups)?;
    let ratio_to_uwsgi = |of| ratio(&series, "rhinod wsgi", "uwsgi wsgi", of);
    if let Some(ratio) = ratio_to_uwsgi(|round| &round.throughput_per_s) {
        findings.checks.push(Check::new("throughput of rhinod / uWSGI", ratio.median, Target::AtLeast(1.0)));
    }
    if let Some(ratio) = ratio_to_uwsgi(|round| &round.p99_us) {
        findings.checks.push(Check::new("p99 of rhinod / uWSGI", ratio.median, Target::AtMost(1.0)));
    }
    Ok(findings)
}

/// The Python hello application over HTTP, a connection for each request.
pub(super) fn http(lab: &Lab) -> Result<Findings, Error> {
    let contenders = [Contender::Uwsgi, Contender::Wsgi, Contender::Granian];
    let setups = contenders.map(|contender| Setup::pool(contender, 2).over_http(false));
    let (mut findings, series) = compare(lab, "WSGI hello, HTTP, 2 workers, connections closed", BATCHES, &setups)?;
    for (rival, at_most) in [("uwsgi wsgi", 0.75), ("granian wsgi", 0.5)] {
        if let Some(ratio) = cpu_ratio(&series, "rhinod wsgi", rival) {
            let what = format!("CPU time of rhinod / {rival}");
            findings.checks.push(Check::new(what, ratio.median, Target::AtMost(at_most)));
        }
    }
    Ok(findings)
}

/// The same with connections that are kept.
pub(super) fn http_kept(lab: &Lab) -> Result<Findings, Error> {
    let contenders = [Contender::Granian, Contender::Gunicorn, Contender::Wsgi];
    let setups = contenders.map(|contender| Setup::pool(contender, 1).over_http(true));
    let (mut findings, series) = compare(lab, "WSGI hello, HTTP, 1 worker, connections kept", BATCHES, &setups)?;
    for rival in ["granian wsgi", "gunicorn wsgi"] {
        if let Some(ratio) = cpu_ratio(&series, "rhinod wsgi", rival) {
            let what = format!("CPU time of rhinod / {rival}");
            findings.checks.push(Check::new(what, ratio.median, Target::AtMost(0.6)));
        }
        if let Some(ratio) = ratio(&series, "rhinod wsgi", rival, |round| &round.throughput_per_s) {
            let what = format!("throughput of rhinod / {rival}");
            findings.checks.push(Check::new(what, ratio.median, Target::AtLeast(1.0)));
        }
    }
    Ok(findings)
}

/// The Python hello application behind each server's own router, which is part of what is measured.
pub(super) fn router(lab: &Lab) -> Result<Findings, Error> {
    let setups = [Contender::Uwsgi, Contender::Wsgi].map(|contender| Setup::pool(contender, 2).behind_router());
    let (mut findings, series) =
        compare(lab, "WSGI hello, HTTP router, 2 workers, connections kept", BATCHES, &setups)?;
    if let Some(ratio) = cpu_ratio(&series, "rhinod wsgi", "uwsgi wsgi") {
        findings.checks.push(Check::new("CPU time of rhinod / uWSGI", ratio.median, Target::AtMost(0.8)));
    }
    Ok(findings)
}

/// The Rust hello example over HTTP, connections kept, against a bare loop over epoll, read and write. One worker each:
/// which of several has a connection is decided by chance when it is made, and each way of it costs another time.
pub(super) fn http_floor(lab: &Lab) -> Result<Findings, Error> {
    let setups = [Contender::Floor, Contender::Hello].map(|contender| Setup::pool(contender, 1).over_http(true));
    let (mut findings, series) = compare(lab, "Hello, HTTP, 1 worker, connections kept", BATCHES, &setups)?;
    if let Some(ratio) = cpu_ratio(&series, "rhinod hello", "floor") {
        findings.checks.push(Check::new("CPU time of hello / floor", ratio.median, Target::AtMost(1.5)));
    }
    Ok(findings)
}

/// Measures the setups in turns, and compares the CPU time of one with another's.
pub(super) fn compare_with(
    lab: &Lab,
    title: &str,
    setups: &[Setup],
    name: &str,
    baseline: &str,
) -> Result<(Findings, Option<Spread>), Error> {
    let (findings, series) = compare(lab, title, BATCHES, setups)?;
    Ok((findings, cpu_ratio(&series, name, baseline)))
}

/// Measures the setups in turns, in so many batches each; ratios are to the first one that is there.
fn compare(lab: &Lab, title: &str, batches: usize, setups: &[Setup]) -> Result<(Findings, Vec<Series<Round>>), Error> {
    let mut findings = Findings::default();
    let setups = running(lab, setups, &mut findings)?;
    let mut series: Vec<Series<Round>> = setups.iter().map(|setup| Series::new(setup.name())).collect();
    for _ in 0..lab.sizes.rounds {
        let servers = setups.iter().map(|setup| setup.serve(lab)).collect::<Result<Vec<_>, _>>()?;
        for (series, round) in series.iter_mut().zip(measure_round(lab, batches, &servers)?) {
            series.samples.push(round);
        }
    }
    findings.tables.push(cpu_table(lab, title, &series));
    findings.tables.push(latency_table(&series));
    Ok((findings, series))
}

/// Batches in turns; every other turn runs backwards, so that nobody always follows the same neighbour.
fn measure_round(lab: &Lab, batches: usize, servers: &[Server]) -> Result<Vec<Round>, Error> {
    let mut rounds: Vec<Round> = servers.iter().map(|_| Round::default()).collect();
    let requests = lab.sizes.requests.div_ceil(batches as u64);
    for batch in 0..batches {
        for index in turn(servers.len(), batch) {
            measure_batch(lab, requests, &servers[index], &mut rounds[index])?;
        }
    }
    Ok(rounds)
}

fn measure_batch(lab: &Lab, requests: u64, server: &Server, round: &mut Round) -> Result<(), Error> {
    let load = |requests| server.load(lab.sizes.clients, Until::Requests(requests));
    lab.run(&load(requests.div_ceil(WARM_UP_SHARE))?)?;
    let before = server.cpu_time();
    let report = lab.run(&load(requests)?)?;
    let spent = server.cpu_time().saturating_sub(before);
    if report.counts.failed() > 0 {
        return Err(server.error(format!("requests failed: {:?}", report.counts)));
    }
    let Report { throughput_per_s, latency, .. } = report;
    round.cpu_us.push(spent.as_secs_f64() * 1e6 / requests as f64);
    round.throughput_per_s.push(throughput_per_s);
    round.p50_us.push(latency.p50_us);
    round.p99_us.push(latency.p99_us);
    Ok(())
}

/// The rounds' ratios of CPU time.
fn cpu_ratio(series: &[Series<Round>], name: &str, baseline: &str) -> Option<Spread> {
    let (one, base) = (series_of(series, name)?, series_of(series, baseline)?);
    Spread::of_ratios(&cpu_of_rounds(one), &cpu_of_rounds(base))
}

/// CPU time for each request in microseconds, round by round.
fn cpu_of_rounds(series: &Series<Round>) -> Vec<f64> {
    // All batches have the same number of requests.
    series.samples.iter().map(|round| round.cpu_us.iter().sum::<f64>() / round.cpu_us.len() as f64).collect()
}

/// The rounds' ratios of a number, each the median over its pairs of neighbouring batches.
fn ratio(series: &[Series<Round>], name: &str, baseline: &str, of: fn(&Round) -> &[f64]) -> Option<Spread> {
    let (one, base) = (series_of(series, name)?, series_of(series, baseline)?);
    let of_round = |(one, base): (&Round, &Round)| Some(Spread::of_ratios(of(one), of(base))?.median);
    Spread::of(&one.samples.iter().zip(&base.samples).filter_map(of_round).collect::<Vec<_>>())
}

/// The rounds' medians.
fn over_rounds(series: &Series<Round>, numbers: fn(&Round) -> &[f64]) -> Option<Spread> {
    let medians = series.samples.iter().filter_map(|round| Some(Spread::of(numbers(round))?.median));
    Spread::of(&medians.collect::<Vec<_>>())
}

fn cpu_table(lab: &Lab, title: &str, series: &[Series<Round>]) -> Table {
    let sizes = &lab.sizes;
    let baseline = series.first().map_or("nothing", |first| &first.name);
    let title = format!(
        "{title}: CPU time for each request, ratios to {baseline}; {} rounds of {} requests, {} clients",
        sizes.rounds, sizes.requests, sizes.clients
    );
    let columns = ["contender", "us median", "us min", "us max", "ratio median", "ratio min", "ratio max"];
    let mut table = Table::new(title, &columns);
    for one in series {
        let ratio = series.first().and_then(|first| cpu_ratio(series, &one.name, &first.name));
        let mut cells = vec![Cell::text(&one.name)];
        cells.extend(spread_cells(Spread::of(&cpu_of_rounds(one)), 2));
        cells.extend(spread_cells(ratio, 3));
        table.row(cells);
    }
    table
}

fn latency_table(series: &[Series<Round>]) -> Table {
    let columns = ["contender", "requests/s", "p50 us", "p99 us"];
    let mut table = Table::new("The same batches as the client saw them (medians)", &columns);
    let numbers: [fn(&Round) -> &[f64]; 3] =
        [|round| &round.throughput_per_s, |round| &round.p50_us, |round| &round.p99_us];
    for one in series {
        let median = |of: fn(&Round) -> &[f64]| {
            over_rounds(one, of).map_or(Cell::Nothing, |spread| Cell::Number(spread.median, 0))
        };
        let mut cells = vec![Cell::text(&one.name)];
        cells.extend(numbers.map(median));
        table.row(cells);
    }
    table
}
