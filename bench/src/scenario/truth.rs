//! Whether the numbers are right: a hundred thousand requests of which it is known what is answered and how long it takes, through
//! an nginx that counts them, across workers that are replaced, a pool that grows and shrinks, and three reloads.
//!
//! Counted in nginx's own log: requests, statuses, bytes. Against it: the server's metrics and its request log. Times are compared
//! by the buckets of its histograms: durations with the sleeps that were asked for, waits with what nginx has waited over and above
//! them.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use rustix::process::Signal;

use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target as Bound};
use crate::lab::{Error, Lab, io_error};
use crate::nginx;
use crate::scenario::metrics::{Metrics, bucket_of, quantile_bucket};
use crate::server::Server;
use loadgen::client::{Load, Target, Until, Wire};
use loadgen::packet::Request;

const WORKERS: usize = 8;
const RELOADS: usize = 3;
/// Where nginx and the server write a line for each request.
const FRONT_LOG: &str = "front.log";
const OWN_LOG: &str = "requests.log";
/// What it is compared at.
const QUANTILES: [(f64, &str); 3] = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99")];
/// How often it is looked whether a counter has gone back.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Requests after which a worker is replaced.
const MAX_REQUESTS: u64 = 1_000;
/// With `--seconds`, a so much smaller run.
const SHORTER: u64 = 20;

/// What one client asks for, how often, and how long that takes.
const CLIENTS: [(&str, u64, u64); 8] = [
    ("/?bytes=13", 20_000, 0),
    ("/?bytes=1000", 20_000, 0),
    ("/?bytes=100000", 17_500, 0),
    ("/?status=404", 15_000, 0),
    ("/?status=302", 12_000, 0),
    ("/?raise", 3_000, 0),
    ("/?ms=5", 10_000, 5_000),
    ("/?ms=20&status=503", 2_500, 20_000),
];

/// A line of nginx's log: status, bytes that the server has sent, how long that took in microseconds.
struct Seen {
    status: u16,
    sent_bytes: u64,
    took_us: u64,
    uri: String,
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let setup = Setup::pool(Contender::Wsgi, WORKERS)
        .application("truth.py")
        .option("metrics", "metrics.sock")
        .option("disable-logging", false)
        .option("req-logger", format!("file:{OWN_LOG}"))
        .option("log-format", "%(status) %(size) %(micros)")
        .option("max-requests", MAX_REQUESTS / share(lab))
        .option("min-worker-lifetime", 0)
        .option("cheaper", 2)
        .option("cheaper-algo", "adaptive");
    let measured = setup.serve(lab).and_then(|mut server| {
        nginx::program()?;
        measure(lab, &mut server)
    });
    match measured {
        Ok(told) => judge(&mut findings, &told),
        Err(Error::Unavailable(reason)) => findings.leave_out(setup.name(), &reason),
        Err(error) => return Err(error),
    }
    Ok(findings)
}

/// What both sides tell.
struct Told {
    asked: u64,
    seen: Vec<Seen>,
    own_lines: Vec<(u16, u64)>,
    /// Before the load, and after it.
    before: Metrics,
    after: Metrics,
    went_back: Vec<String>,
    failed: u64,
}

fn measure(lab: &Lab, server: &mut Server) -> Result<Told, Error> {
    let front_log = server.dir().join(FRONT_LOG);
    server.put_behind(nginx::counting(&server.target(), &front_log)?, lab)?;
    let door = server.front_target().ok_or_else(|| server.error("there is no nginx"))?;
    let socket = server.dir().join("metrics.sock");
    let look = || Metrics::read(&socket).map_err(io_error("metrics"));
    let share = share(lab);
    // A line is written after its answer, also those of the requests by which it was seen that both serve.
    let own_log = server.dir().join(OWN_LOG);
    let mut before = look()?;
    while (lines(&own_log)?.len() as f64) < before.value("rhinod_requests_total") {
        lab.pause(LOOK_EVERY)?;
        before = look()?;
    }
    let skipped = (lines(&front_log)?.len(), lines(&own_log)?.len());
    let mut went_back = Vec::new();
    let mut last = before.clone();
    let mut reloads = 0;
    let failed = std::thread::scope(|scope| -> Result<u64, Error> {
        let clients: Vec<_> = CLIENTS
            .iter()
            .map(|(page, count, _)| {
                let door: Target = door.clone();
                scope.spawn(move || -> Result<u64, Error> {
                    let until = Until::Requests(count / share);
                    let load = Load::new(door, Wire::Http { keep_alive: true }, &Request::get(page), 1, until)?;
                    let counts = lab.run(&load)?.counts;
                    Ok(counts.failed() - counts.bad_status)
                })
            })
            .collect();
        while !clients.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            lab.pause(LOOK_EVERY)?;
            let now = look()?;
            went_back.extend(last.gone_back(&now));
            let done = now.value("rhinod_requests_total") - before.value("rhinod_requests_total");
            let due = (reloads + 1) as f64 * (total(share) / (RELOADS as u64 + 2)) as f64;
            if reloads < RELOADS && done >= due && now.value("rhinod_generation") == (reloads + 1) as f64 {
                server.signal(Signal::HUP)?;
                reloads += 1;
            }
            last = now;
        }
        let ended = clients.into_iter().map(|client| client.join().unwrap_or(Ok(u64::MAX)));
        ended.sum()
    })?;
    // A line is written before its answer is out, or right after it.
    let asked = total(share);
    let mut seen = Vec::new();
    let mut own_lines = Vec::new();
    let mut after = look()?;
    for _ in 0..500 {
        seen = lines(&front_log)?.split_off(skipped.0);
        own_lines = lines(&own_log)?.split_off(skipped.1);
        after = look()?;
        let counted = after.value("rhinod_requests_total") - before.value("rhinod_requests_total");
        let reloaded = after.value("rhinod_generation") == (reloads + 1) as f64;
        if reloaded && seen.len() as u64 == asked && own_lines.len() as u64 == asked && counted == asked as f64 {
            break;
        }
        lab.pause(LOOK_EVERY)?;
    }
    went_back.extend(last.gone_back(&after));
    let seen = seen.iter().map(|line| seen_of(line).ok_or_else(|| server.error(format!("nginx has written {line:?}"))));
    let own = own_lines.iter().map(|line| own_of(line).ok_or_else(|| server.error(format!("the log has {line:?}"))));
    Ok(Told {
        asked,
        seen: seen.collect::<Result<_, _>>()?,
        own_lines: own.collect::<Result<_, _>>()?,
        before,
        after,
        went_back,
        failed,
    })
}

/// How much smaller the run is.
fn share(lab: &Lab) -> u64 {
    if lab.sizes.time_max.is_some() { SHORTER } else { 1 }
}

fn total(share: u64) -> u64 {
    CLIENTS.iter().map(|(_, count, _)| count / share).sum()
}

fn lines(path: &std::path::Path) -> Result<Vec<String>, Error> {
    let text = fs::read_to_string(path).map_err(io_error(path.display().to_string()))?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    Ok(whole.lines().map(str::to_owned).collect())
}

fn seen_of(line: &str) -> Option<Seen> {
    let mut words = line.split(' ');
    let (status, sent) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let took_us = (words.next()?.parse::<f64>().ok()? * 1e6) as u64;
    Some(Seen { status, sent_bytes: sent, took_us, uri: words.next()?.to_owned() })
}

fn own_of(line: &str) -> Option<(u16, u64)> {
    let mut words = line.split(' ');
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

fn judge(findings: &mut Findings, told: &Told) {
    let grown = |name: &str| told.after.value(name) - told.before.value(name);
    let mut check =
        |what: String, measured: f64, target: Bound| findings.checks.push(Check::new(what, measured, target));
    let none = Bound::AtMost(0.0);
    let nginx_bytes: u64 = told.seen.iter().map(|seen| seen.sent_bytes).sum();
    let off = |one: f64, other: f64| (one - other).abs();
    check("requests that failed".to_owned(), told.failed as f64, none);
    check(
        "requests: asked / in nginx's log, apart by".to_owned(),
        off(told.asked as f64, told.seen.len() as f64),
        none,
    );
    check(
        "requests: metrics / nginx, apart by".to_owned(),
        off(grown("rhinod_requests_total"), told.seen.len() as f64),
        none,
    );
    check(
        "bytes: metrics / nginx, apart by".to_owned(),
        off(grown("rhinod_response_bytes_total"), nginx_bytes as f64),
        none,
    );
    let by_status = |statuses: &mut dyn Iterator<Item = u16>| {
        let mut counts: BTreeMap<u16, u64> = BTreeMap::new();
        statuses.for_each(|status| *counts.entry(status).or_default() += 1);
        counts
    };
    let theirs = by_status(&mut told.seen.iter().map(|seen| seen.status));
    let ours = by_status(&mut told.own_lines.iter().map(|(status, _)| *status));
    let mut table = Table::new("Statuses in both logs", &["status", "nginx", "rhinod"]);
    for status in theirs.keys().chain(ours.keys()).collect::<std::collections::BTreeSet<_>>() {
        let (theirs, ours) = (theirs.get(status).unwrap_or(&0), ours.get(status).unwrap_or(&0));
        table.row(vec![Cell::text(status.to_string()), Cell::count(*theirs), Cell::count(*ours)]);
        check(format!("answers {status}: log / nginx's log, apart by"), off(*theirs as f64, *ours as f64), none);
    }
    let own_bytes: u64 = told.own_lines.iter().map(|(_, bytes)| bytes).sum();
    check("bytes: log / nginx, apart by".to_owned(), off(own_bytes as f64, nginx_bytes as f64), none);
    check(
        "exceptions: metrics / asked, apart by".to_owned(),
        off(grown("rhinod_exceptions_total"), raised(told)),
        none,
    );
    check("counters that went back".to_owned(), told.went_back.len() as f64, none);
    check(
        "reloads done".to_owned(),
        grown("rhinod_reloads_total{kind=\"graceful\",outcome=\"done\"}"),
        Bound::AtLeast(RELOADS as f64),
    );
    check(
        "workers replaced for max-requests".to_owned(),
        grown("rhinod_worker_ends_total{cause=\"limit\"}"),
        Bound::AtLeast(1.0),
    );
    let mut ends = Table::new("Ends of workers", &["cause", "how many"]);
    for (cause, count) in told.after.family("rhinod_worker_ends_total") {
        ends.row(vec![Cell::text(cause), Cell::Number(count, 0)]);
    }
    let mut back = Table::new("Counters that went back", &["which, and from what to what"]);
    told.went_back.iter().for_each(|one| back.row(vec![Cell::text(one)]));
    let sleep_us = |uri: &str| CLIENTS.iter().find(|(page, ..)| *page == uri).map_or(0, |(_, _, us)| *us);
    let sleeps: Vec<u64> = told.seen.iter().map(|seen| sleep_us(&seen.uri)).collect();
    let over: Vec<u64> = told.seen.iter().map(|seen| seen.took_us.saturating_sub(sleep_us(&seen.uri))).collect();
    let mut times = Table::new(
        "Times by the bounds of buckets, ms (durations: against the sleeps; waits: against what nginx waited beside them)",
        &["quantile", "told", "true at least"],
    );
    for (family, truth) in [("rhinod_request_duration_seconds", &sleeps), ("rhinod_queue_wait_seconds", &over)] {
        for (quantile, name) in QUANTILES {
            let told_bucket = quantile_bucket(&told.before, &told.after, family, quantile);
            let true_bucket = bucket_of(quantile_of(truth, quantile));
            let row = format!("{family} {name}");
            times.row(vec![Cell::text(&row), Cell::text(told_bucket.shown()), Cell::text(true_bucket.shown())]);
            // A sleep of nothing takes what an answer takes: nothing is known of that but that it is short.
            if quantile_of(truth, quantile) >= 1_000 {
                let apart = off(told_bucket.0 as f64, true_bucket.0 as f64);
                check(format!("{row}: buckets apart"), apart, Bound::AtMost(1.0));
            }
        }
    }
    findings.tables.extend([table, times, ends]);
    if !told.went_back.is_empty() {
        findings.tables.push(back);
    }
}

fn raised(told: &Told) -> f64 {
    told.seen.iter().filter(|seen| seen.uri == "/?raise").count() as f64
}

fn quantile_of(times_us: &[u64], quantile: f64) -> u64 {
    let mut sorted = times_us.to_vec();
    sorted.sort_unstable();
    let place = (quantile * sorted.len() as f64).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied().unwrap_or(0)
}
