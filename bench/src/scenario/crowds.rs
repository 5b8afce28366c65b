//! Many clients at the router that do next to nothing: 5,000 that drip, 10,000 that are silent. What they cost, and what others
//! notice of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target};
use crate::lab::{Error, Lab, io_error};
use crate::proc::{self, Process};
use crate::scenario::in_turns;
use crate::server::Server;
use loadgen::client::{Crowd, Report, Until, allow};
use loadgen::packet::Request;

const DRIPPING: usize = 5_000;
const SILENT: usize = 10_000;
const NORMAL: usize = 8;
const TIME: Duration = Duration::from_secs(30);
/// After the crowd has come.
const SETTLE: Duration = Duration::from_secs(2);
/// For which nobody does anything.
const LOOK: Duration = Duration::from_secs(10);
const MIB: f64 = 1_024.0;

struct Dripping {
    before: Report,
    beside: Report,
    memory_mib: f64,
    lost: usize,
}

/// A head that never ends.
const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: app.example\r\nX-Drip: ";

/// Clients that send a byte a second of heads that never end.
pub(super) fn slowloris(lab: &Lab) -> Result<Findings, Error> {
    allow(DRIPPING).map_err(io_error("many connections"))?;
    let mut findings = Findings::default();
    let setup = Setup::pool(Contender::Hello, 2).behind_router().option("http-headers-timeout", 600);
    let series = in_turns(lab, 1, &[setup], &mut findings, |_, server| drip(lab, server))?;
    let columns = ["contender", "p99 us before", "p99 us beside", "failed", "MiB for all", "sent away"];
    let mut table = Table::new("8 normal clients at the router beside 5,000 that send a byte a second", &columns);
    for (name, sample) in series.iter().flat_map(|one| one.samples.iter().map(|sample| (&one.name, sample))) {
        let Dripping { before, beside, memory_mib, lost } = sample;
        let failed = before.counts.failed() + beside.counts.failed();
        table.row(vec![
            Cell::text(name),
            Cell::Number(before.latency.p99_us, 0),
            Cell::Number(beside.latency.p99_us, 0),
            Cell::count(failed),
            Cell::Number(*memory_mib, 1),
            Cell::count(*lost as u64),
        ]);
        let ratio = beside.latency.p99_us / before.latency.p99_us;
        findings.checks.extend([
            Check::new("p99 of normal clients, times that of before", ratio, Target::AtMost(2.0)),
            Check::new("MiB for 5,000 that drip", *memory_mib, Target::AtMost(64.0)),
            Check::new("normal requests that failed", failed as f64, Target::AtMost(0.0)),
            Check::new("drips that were sent away", *lost as f64, Target::AtMost(0.0)),
        ]);
    }
    findings.tables.push(table);
    Ok(findings)
}

fn drip(lab: &Lab, server: &Server) -> Result<Dripping, Error> {
    let load = server.load(NORMAL, Until::Elapsed(lab.at_most(TIME)))?;
    let before = lab.run(&load)?;
    let router = router(server)?;
    let peak_mib = || proc::peak_resident_kib(router.pid).unwrap_or_default() as f64 / MIB;
    let before_mib = peak_mib();
    let mut crowd = crowd(server, DRIPPING)?;
    let over = AtomicBool::new(false);
    let (beside, dripped) = std::thread::scope(|scope| {
        let dripping = scope.spawn(|| {
            crowd.say(HEAD)?;
            crowd.drip(|| over.load(Ordering::Relaxed))?;
            Ok(crowd.lost())
        });
        let beside = lab.pause(SETTLE).and_then(|()| lab.run(&load));
        over.store(true, Ordering::Relaxed);
        (beside, dripping.join())
    });
    let dripped = dripped.map_err(|_| server.error("the crowd's thread panicked"))?;
    let lost = dripped.map_err(io_error("a crowd that drips"))?;
    Ok(Dripping { before, beside: beside?, memory_mib: peak_mib() - before_mib, lost })
}

struct Silent {
    memory_mib: f64,
    switches: u64,
    switches_before: u64,
}

/// Clients that have asked once and keep their connections.
pub(super) fn silent(lab: &Lab) -> Result<Findings, Error> {
    allow(SILENT).map_err(io_error("many connections"))?;
    let mut findings = Findings::default();
    let kept = |setup: Setup| setup.option("http-keepalive", 600);
    let setups = [
        kept(Setup::pool(Contender::Hello, 2).behind_router()).named("router"),
        kept(Setup::pool(Contender::Hello, 2).over_http(true)).named("workers"),
    ];
    let series = in_turns(lab, 1, &setups, &mut findings, |_, server| be_silent(lab, server))?;
    let columns = ["contender", "MiB for all", "switches in 10 s", "without them"];
    let mut table = Table::new("10,000 connections that are kept and silent, the whole instance", &columns);
    for (name, sample) in series.iter().flat_map(|one| one.samples.iter().map(|sample| (&one.name, sample))) {
        table.row(vec![
            Cell::text(name),
            Cell::Number(sample.memory_mib, 1),
            Cell::count(sample.switches),
            Cell::count(sample.switches_before),
        ]);
        let more = sample.switches.saturating_sub(sample.switches_before) as f64;
        findings.checks.extend([
            Check::new(format!("{name}: MiB for 10,000"), sample.memory_mib, Target::AtMost(100.0)),
            Check::new(format!("{name}: more wake-ups for 10,000"), more, Target::AtMost(5.0)),
        ]);
    }
    findings.tables.push(table);
    Ok(findings)
}

fn be_silent(lab: &Lab, server: &Server) -> Result<Silent, Error> {
    let looked = |lab: &Lab| {
        lab.pause(SETTLE)?;
        let before = proc::context_switches(&server.tree());
        lab.pause(LOOK)?;
        Ok::<_, Error>(proc::context_switches(&server.tree()).saturating_sub(before))
    };
    let switches_before = looked(lab)?;
    let all_mib = || server.tree().iter().map(private_mib).sum::<f64>();
    let before_mib = all_mib();
    let mut crowd = crowd(server, SILENT)?;
    let asked = crowd.ask(&Request::get("/").to_http(true), b"Hello, world\n");
    asked.map_err(io_error("a crowd that asks"))?;
    let switches = looked(lab)?;
    Ok(Silent { memory_mib: all_mib() - before_mib, switches, switches_before })
}

fn crowd(server: &Server, count: usize) -> Result<Crowd, Error> {
    Crowd::connect(&server.target(), count).map_err(io_error(format!("{count} connections")))
}

fn router(server: &Server) -> Result<Process, Error> {
    let found = server.tree().into_iter().find(|process| process.name.contains("router"));
    found.ok_or_else(|| server.error("it has no router"))
}

fn private_mib(process: &Process) -> f64 {
    proc::memory(process.pid).map_or(0.0, |memory| memory.private_kib as f64 / MIB)
}
