//! Workers that are forked from one that has served (`refork`): what they hold against the same without and against uWSGI, and
//! what clients notice while all are replaced.
//!
//! The site is the Django example as a project that takes no care has it: views, templates, forms and the admin's pages are
//! imported and compiled at the first request for them.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::memory::{Sample, weigh};
use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target};
use crate::lab::{Error, Lab, io_error};
use crate::scenario::{Series, in_turns, series_of};
use crate::server::Server;
use crate::statistics::Spread;
use loadgen::client::{Pace, Report, Until, exchange};
use loadgen::packet::Request;

const WORKERS: usize = 8;
/// How often the example in Rust is weighed.
const POOL_ROUNDS: usize = 5;
const REQUESTS: u64 = 10_000;
const CLIENTS: usize = 32;
/// Which part of the visitors comes to the admin's pages.
const ADMINS: u64 = 4;
const FRONT: &str = "/";
const ADMIN: &str = "/admin/login/";
/// One worker gets there long before all have finished.
const AFTER: u64 = 500;
/// All are replaced within it, however busy the machine is.
const REPLACED_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What the master says when the first worker is about to be replaced.
const BEGINS: &str = "refork: worker";
/// Visitors a second, whatever the server does.
const PER_S: f64 = 150.0;
const SEED: u64 = 22;
/// As long are they watched before, and after the last worker has been replaced.
const BEFORE: Duration = Duration::from_secs(4);
const BESIDE: Duration = Duration::from_millis(500);
const WARMING: u64 = 400;
/// More than any one worker has answered by the time that it is to begin.
const AFTER_BOTH: u64 = 1_500;
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn run(lab: &Lab) -> Result<Findings, Error> {
    // Where references to the program need not be counted (`refork-immortal`), if there is one.
    let (lab, python) = lab.in_python(12..=13);
    let mut findings = held(&lab, &python)?;
    findings.take_in(noticed(&lab)?);
    Ok(findings)
}

pub(super) fn site(contender: Contender) -> Setup {
    let setup = Setup::pool(contender, WORKERS).loading_late();
    let name = format!("{}, loading late", setup.name());
    setup.named(&name)
}

/// The same with `refork`.
fn reforked(setup: Setup, after: impl Display) -> Setup {
    let name = format!("{}, refork = {after}", setup.name());
    setup.named(&name).option("refork", after)
}

fn held(lab: &Lab, python: &str) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let (ours, theirs) = (site(Contender::Django), site(Contender::UwsgiDjango));
    let sites = [ours.clone(), reforked(ours.clone(), AFTER), theirs.clone()];
    let of_sites = in_turns(lab, 1, &sites, &mut findings, |setup, server| {
        visit(lab, server)?;
        settled(lab, setup, server)
    })?;
    let hello = Setup::pool(Contender::Hello, WORKERS);
    // It has hardly anything to share, which auto sees; a number has it done all the same, for one more process.
    let pools = [hello.clone(), reforked(hello.clone(), "auto"), reforked(hello.clone(), AFTER)];
    // So small that it depends on chance which pages of the program are in memory.
    let of_pools = in_turns(lab, lab.sizes.rounds.min(POOL_ROUNDS), &pools, &mut findings, |setup, server| {
        lab.run(&server.load(CLIENTS, Until::Requests(REQUESTS))?)?;
        if setup.name() == pools[2].name() { settled(lab, setup, server) } else { weigh(server) }
    })?;
    let columns = ["contender", "processes", "worker private KiB (largest)", "whole tree PSS KiB"];
    let mut table = Table::new(format!("{WORKERS} workers after {REQUESTS} requests, {python}"), &columns);
    for (name, sample) in of_sites.iter().chain(&of_pools).flat_map(|one| one.samples.iter().map(|s| (&one.name, s))) {
        table.row(vec![
            Cell::text(name),
            Cell::count(sample.processes as u64),
            Cell::count(sample.worker_private_max_kib),
            Cell::count(sample.tree_proportional_kib),
        ]);
    }
    findings.tables.push(table);
    for (series, than, setup, most) in [
        (&of_sites, "without", &ours, 0.80),
        (&of_sites, "uWSGI's", &theirs, 0.45),
        (&of_pools, "without", &hello, 1.02),
    ] {
        let ours = if setup.name() == hello.name() { &pools[1] } else { &sites[1] };
        if let Some(ratio) = ratio(series, ours, setup) {
            let what = format!("{}: PSS of the tree, times that of {than}", ours.name());
            findings.checks.push(Check::new(what, ratio, Target::AtMost(most)));
        }
    }
    Ok(findings)
}

/// What one holds, divided by what another does.
fn ratio(series: &[Series<Sample>], one: &Setup, other: &Setup) -> Option<f64> {
    let held =
        |setup: &Setup| Some(series_of(series, setup.name())?.numbers(|sample| sample.tree_proportional_kib as f64));
    Spread::of_ratios(&held(one)?, &held(other)?).map(|ratio| ratio.median)
}

/// Visitors of the front page, and at the same time some of the admin's.
pub(super) fn visit(lab: &Lab, server: &Server) -> Result<(), Error> {
    let load = |page, part: u64| {
        let clients = CLIENTS / usize::try_from(part).unwrap_or(1);
        server.load_of(page, clients, Until::Requests(REQUESTS / part))
    };
    let (front, admin) = (load(FRONT, 1)?, load(ADMIN, ADMINS)?);
    let (front, admin) = std::thread::scope(|scope| {
        let beside = scope.spawn(|| lab.run(&admin));
        (lab.run(&front), beside.join())
    });
    let admin = admin.map_err(|_| server.error("the thread of the admin's visitors panicked"))?;
    let failed = front?.counts.failed() + admin?.counts.failed();
    if failed > 0 { Err(server.error(format!("{failed} requests failed"))) } else { Ok(()) }
}

/// What a server holds when nobody is replaced any more.
fn settled(lab: &Lab, setup: &Setup, server: &Server) -> Result<Sample, Error> {
    if setup.has("refork") {
        wait_for_all_of_mold(lab, server)?;
    }
    weigh(server)
}

fn wait_for_all_of_mold(lab: &Lab, server: &Server) -> Result<(), Error> {
    let deadline = Instant::now() + REPLACED_WITHIN;
    while !are_all_of_mold(server) {
        if Instant::now() > deadline {
            return Err(server.error(format!("its workers are not forked from a mold after {REPLACED_WITHIN:?}")));
        }
        lab.pause(LOOK_EVERY)?;
    }
    Ok(())
}

/// Whether all workers are children of one process, which is nobody's whom the master has executed.
fn are_all_of_mold(server: &Server) -> bool {
    let tree = server.tree();
    let mut parents = tree.iter().filter(|process| process.children == 0).map(|process| process.parent);
    let Some(mold) = parents.next() else { return false };
    let of_master = tree.iter().any(|process| Some(process.pid) == mold && process.parent == Some(server.pid()));
    !of_master && parents.clone().count() + 1 == WORKERS && parents.all(|parent| parent == mold)
}

/// What clients notice: their latency before and while all workers are replaced, each round on a fresh server.
fn noticed(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let setup = reforked(site(Contender::Django), AFTER_BOTH);
    let series = in_turns(lab, lab.sizes.rounds, &[setup], &mut findings, |_, server| around(lab, server))?;
    let columns = ["contender", "p99 ms before", "p99 ms during", "longest ms during", "failed", "seconds"];
    let title =
        format!("{PER_S} visitors a second of the front page, all of {WORKERS} workers replaced: all rounds together");
    let mut table = Table::new(title, &columns);
    for one in &series {
        let (before, during) = (pooled(one, |around| &around.before), pooled(one, |around| &around.during));
        let Some((before, during)) = before.zip(during) else { continue };
        let failed = before.counts.failed() + during.counts.failed();
        table.row(vec![
            Cell::text(&one.name),
            Cell::Number(before.latency.p99_us / 1e3, 2),
            Cell::Number(during.latency.p99_us / 1e3, 2),
            Cell::Number(during.latency.max_us / 1e3, 2),
            Cell::count(failed),
            Cell::Number(during.elapsed_s, 1),
        ]);
        let ratio = during.latency.p99_us / before.latency.p99_us;
        findings.checks.push(Check::new("p99 during refork, times that of before", ratio, Target::AtMost(1.2)));
        findings.checks.push(Check::new("requests that failed", failed as f64, Target::AtMost(0.0)));
    }
    findings.tables.push(table);
    Ok(findings)
}

struct Around {
    before: Report,
    during: Report,
}

fn around(lab: &Lab, server: &Server) -> Result<Around, Error> {
    lab.run(&server.load(CLIENTS, Until::Requests(WARMING))?)?;
    let mut load = server.load(CLIENTS, Until::Elapsed(BEFORE))?;
    load.pace = Pace::Poisson { per_s: PER_S, seed: SEED };
    let before = lab.run(&load)?;
    // One after the other, so that nothing is left to do when it begins.
    let packet = Request::get(FRONT).to_uwsgi()?;
    while !server.log().contains(BEGINS) {
        lab.check_stop()?;
        exchange(&server.target(), &packet, PATIENCE).map_err(io_error("a visitor"))?;
    }
    load.until = Until::Elapsed(REPLACED_WITHIN);
    let over = AtomicBool::new(false);
    let during = std::thread::scope(|scope| {
        let visitors = scope.spawn(|| load.run(&over).map_err(io_error("visitors")));
        let replaced = wait_for_all_of_mold(lab, server).and_then(|()| lab.pause(BESIDE));
        over.store(true, Ordering::Relaxed);
        let during = visitors.join().unwrap_or_else(|_| Err(server.error("the visitors' thread panicked")));
        replaced.and(during)
    });
    Ok(Around { before, during: during? })
}

/// All rounds as if they had been one.
fn pooled(series: &Series<Around>, which: impl Fn(&Around) -> &Report) -> Option<Report> {
    series.samples.iter().map(which).cloned().reduce(Report::and)
}
