//! Caches that workers share: what a look and a change cost an application in Python, and how many of them eight processes
//! get done in one cache, beside uWSGI's.
//!
//! One request has a thousand of them done, so that what the request itself costs hardly counts; and what the loop costs is
//! measured, and taken off.

use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target};
use crate::lab::{Error, Lab};
use crate::scenario::{Series, in_turns, series_of};
use crate::server::Server;
use crate::statistics::Spread;
use loadgen::client::Until;

/// The cache: room for each key of `apps/wsgi.py`, and the one that uWSGI leaves out.
const CACHE: &str = "name=bench,items=100001,blocksize=128,keysize=32";
/// Steps of a request, as the pages have it.
const STEPS: u64 = 1000;
const REQUESTS: u64 = 400;
const PROCESSES: usize = 8;
const ROUNDS: usize = 3;

/// The project's bounds.
const CPU_SHARE_MAX: f64 = 0.8;
const THROUGHPUT_SHARE_MIN: f64 = 1.5;

const NOTHING: &str = "/cache?do=nothing&n=1000";
const GET: &str = "/cache?do=get&n=1000";
const SET: &str = "/cache?do=set&n=1000";
/// Nine looks for each change.
const MIXED: &str = "/cache?do=mixed&n=1000";

/// What a step took, and how many there were in a second.
struct Sample {
    cpu_us: f64,
    steps_per_s: f64,
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let mut table = Table::new(
        "100 bytes in a cache of 100,000 entries: CPU time of a step without its loop (1 process), steps (8 processes)",
        &["contender", "get us", "set us", "steps/s of 8"],
    );
    let [nothing, get, set] = [NOTHING, GET, SET].map(|page| measured(lab, 1, page, &mut findings));
    let (nothing, get, set) = (nothing?, get?, set?);
    let mixed = measured(lab, PROCESSES, MIXED, &mut findings)?;
    let cpu = |series: &[Series<Sample>], name: &str| median(series, name, |sample| sample.cpu_us);
    let own = |series: &[Series<Sample>], name: &str| Some(cpu(series, name)? - cpu(&nothing, name)?);
    let steps = |name: &str| median(&mixed, name, |sample| sample.steps_per_s);
    for one in &mixed {
        let number = |number: Option<f64>, digits| number.map_or(Cell::Nothing, |number| Cell::Number(number, digits));
        let name = one.name.as_str();
        table.row(vec![
            Cell::text(name),
            number(own(&get, name), 3),
            number(own(&set, name), 3),
            number(steps(name), 0),
        ]);
    }
    findings.tables.push(table);
    let ratio = |of: &dyn Fn(&str) -> Option<f64>| Some(of("rhinod wsgi")? / of("uwsgi wsgi")?);
    for (what, ratio, target) in [
        ("CPU time of get, rhinod / uWSGI", ratio(&|name| own(&get, name)), Target::AtMost(CPU_SHARE_MAX)),
        ("CPU time of set, rhinod / uWSGI", ratio(&|name| own(&set, name)), Target::AtMost(CPU_SHARE_MAX)),
        ("steps of 8 processes, rhinod / uWSGI", ratio(&steps), Target::AtLeast(THROUGHPUT_SHARE_MIN)),
    ] {
        findings.checks.extend(ratio.map(|ratio| Check::new(what, ratio, target)));
    }
    Ok(findings)
}

fn measured(
    lab: &Lab,
    processes: usize,
    page: &'static str,
    findings: &mut Findings,
) -> Result<Vec<Series<Sample>>, Error> {
    let setup = |contender| Setup::pool(contender, processes).option("cache2", CACHE).page(page);
    let setups = [Contender::Wsgi, Contender::Uwsgi].map(setup);
    in_turns(lab, ROUNDS, &setups, findings, |_, server| measure(lab, server, processes))
}

fn measure(lab: &Lab, server: &Server, clients: usize) -> Result<Sample, Error> {
    // The first one fills the cache, each process makes its keys.
    lab.run(&server.load(clients, Until::Requests(REQUESTS / 4))?)?;
    let before = server.cpu_time();
    let report = lab.run(&server.load(clients, Until::Requests(REQUESTS))?)?;
    let spent = server.cpu_time().saturating_sub(before);
    if report.counts.failed() > 0 {
        return Err(server.error(format!("requests failed: {:?}", report.counts)));
    }
    let steps = (REQUESTS * STEPS) as f64;
    Ok(Sample { cpu_us: spent.as_secs_f64() * 1e6 / steps, steps_per_s: report.throughput_per_s * STEPS as f64 })
}

fn median(series: &[Series<Sample>], name: &str, number: impl Fn(&Sample) -> f64) -> Option<f64> {
    Some(Spread::of(&series_of(series, name)?.numbers(number))?.median)
}
