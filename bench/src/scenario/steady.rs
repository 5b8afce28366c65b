//! A steady random load: how often the pool's size turns from growing to shrinking or back, and how long it takes to
//! get back to its minimum when the load ends.

use std::time::{Duration, Instant};

use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target};
use crate::lab::{Error, Lab, io_error};
use crate::scenario::{beside, in_turns};
use crate::server::Server;
use crate::statistics::reversals;
use loadgen::client::{Load, Pace, Report, Until, Wire};
use loadgen::packet::Request;

/// 100 requests a second of 50 ms keep 5 workers busy on average.
const PER_S: f64 = 100.0;
const PATH: &str = "/sleep?ms=50";
const CONNECTIONS_MAX: usize = 512;
/// The pool finds its size before turns are counted.
const SETTLE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_secs(10);
/// How often the workers are counted.
const COUNT_EVERY: Duration = Duration::from_millis(20);
/// Longest wait for the pool to shrink.
const SHRINK_WITHIN: Duration = Duration::from_secs(120);
const MINIMUM: usize = 2;
const SEED: u64 = 1;

struct Sample {
    report: Report,
    reversals: usize,
    fewest: usize,
    most: usize,
    /// `None`: not within [`SHRINK_WITHIN`].
    back_after: Option<Duration>,
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let adaptive = |contender| Setup::pool(contender, 20).option("cheaper", MINIMUM).option("cheaper-initial", MINIMUM);
    let setups = [adaptive(Contender::Hello), adaptive(Contender::Uwsgi)];
    let series = in_turns(lab, 1, &setups, &mut findings, |_, server| measure(lab, server))?;
    let columns = ["contender", "turns in 10 s", "fewest workers", "most", "p99 ms", "failed", "at minimum after s"];
    let mut table = Table::new("100 requests a second of 50 ms at random, 2 to 20 workers", &columns);
    for one in &series {
        for sample in &one.samples {
            table.row(vec![
                Cell::text(&one.name),
                Cell::count(sample.reversals as u64),
                Cell::count(sample.fewest as u64),
                Cell::count(sample.most as u64),
                Cell::Number(sample.report.latency.p99_us / 1e3, 1),
                Cell::count(sample.report.counts.failed()),
                sample.back_after.map_or(Cell::Nothing, |time| Cell::Number(time.as_secs_f64(), 1)),
            ]);
            if one.name == "rhinod hello" {
                findings.checks.push(Check::new("turns in 10 s", sample.reversals as f64, Target::AtMost(1.0)));
                findings.checks.push(Check::new("failed", sample.report.counts.failed() as f64, Target::AtMost(0.0)));
            }
        }
    }
    findings.tables.push(table);
    Ok(findings)
}

fn measure(lab: &Lab, server: &Server) -> Result<Sample, Error> {
    let until = Until::Elapsed(SETTLE + LOOK);
    let mut load = Load::new(server.target(), Wire::Uwsgi, &Request::get(PATH), CONNECTIONS_MAX, until)?;
    load.pace = Pace::Poisson { per_s: PER_S, seed: SEED };
    let mut counts = Vec::new();
    let report = beside(lab, server, &load, |is_over| {
        counts = counts_while(lab, server, is_over)?;
        Ok(())
    })?;
    Ok(Sample {
        report,
        reversals: reversals(&counts),
        fewest: counts.iter().copied().min().unwrap_or(0),
        most: counts.iter().copied().max().unwrap_or(0),
        back_after: time_to_shrink(lab, server)?,
    })
}

/// The number of workers over time, from the end of [`SETTLE`] for [`LOOK`] or until `over`.
fn counts_while(lab: &Lab, server: &Server, over: impl Fn() -> bool) -> Result<Vec<usize>, Error> {
    let began = Instant::now();
    let mut counts = Vec::new();
    while !over() && began.elapsed() < SETTLE + LOOK {
        lab.pause(COUNT_EVERY)?;
        if began.elapsed() >= SETTLE {
            counts.push(server.workers().len());
        }
    }
    if counts.is_empty() {
        return Err(io_error("counting workers")(std::io::Error::other("the load ended too early")));
    }
    Ok(counts)
}

fn time_to_shrink(lab: &Lab, server: &Server) -> Result<Option<Duration>, Error> {
    let began = Instant::now();
    while server.workers().len() > MINIMUM {
        if began.elapsed() > SHRINK_WITHIN {
            return Ok(None);
        }
        lab.pause(COUNT_EVERY)?;
    }
    Ok(Some(began.elapsed()))
}
