//! Memory: the master, each idle worker's own pages, the whole tree of a scaled pool.

use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target};
use crate::lab::{Error, Lab, io_error};
use crate::proc;
use crate::scenario::{in_turns, series_of};
use crate::server::Server;
use crate::statistics::Spread;
use loadgen::client::Until;

/// What one server holds.
pub(super) struct Sample {
    pub(super) master_resident_kib: u64,
    pub(super) worker_private_max_kib: u64,
    pub(super) tree_proportional_kib: u64,
    pub(super) processes: usize,
}

/// Every worker has served before it is looked at.
const REQUESTS: u64 = 10_000;
const CLIENTS: usize = 32;
/// Python contenders are compared with that many.
const PYTHON_WORKERS: usize = 8;

pub(super) fn run(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let columns =
        ["contender", "processes", "master resident KiB", "worker private KiB (largest)", "whole tree PSS KiB"];
    let mut table = Table::new(format!("Memory of idle servers after {REQUESTS} requests"), &columns);
    let setups = [
        pool(Contender::Hello, 4),
        pool(Contender::Hello, 20),
        pool(Contender::Wsgi, PYTHON_WORKERS),
        pool(Contender::Uwsgi, PYTHON_WORKERS),
        pool(Contender::Django, PYTHON_WORKERS),
        pool(Contender::UwsgiDjango, PYTHON_WORKERS),
    ];
    let samples = in_turns(lab, 1, &setups, &mut findings, |_, server| measure(lab, server))?;
    for one in &samples {
        for sample in &one.samples {
            table.row(vec![
                Cell::text(&one.name),
                Cell::count(sample.processes as u64),
                Cell::count(sample.master_resident_kib),
                Cell::count(sample.worker_private_max_kib),
                Cell::count(sample.tree_proportional_kib),
            ]);
            if one.name.starts_with("rhinod hello") {
                findings.checks.extend(checks(&one.name, sample));
            }
        }
    }
    findings.tables.push(table);
    let proportional = |contender| {
        let series = series_of(&samples, pool(contender, PYTHON_WORKERS).name())?;
        Some(series.numbers(|sample| sample.tree_proportional_kib as f64))
    };
    let comparisons = [
        ("WSGI hello", Contender::Wsgi, Contender::Uwsgi),
        ("Django's front page", Contender::Django, Contender::UwsgiDjango),
    ];
    for (what, ours, theirs) in comparisons {
        if let (Some(ours), Some(theirs)) = (proportional(ours), proportional(theirs))
            && let Some(ratio) = Spread::of_ratios(&ours, &theirs)
        {
            let what = format!("PSS of rhinod / uWSGI, {what}");
            findings.checks.push(Check::new(what, ratio.median, Target::AtMost(0.80)));
        }
    }
    Ok(findings)
}

fn pool(contender: Contender, workers: usize) -> Setup {
    let setup = Setup::pool(contender, workers);
    let name = format!("{} x {workers}", setup.name());
    setup.named(&name)
}

fn checks(name: &str, sample: &Sample) -> [Check; 2] {
    [
        Check::new(format!("{name}: master, KiB"), sample.master_resident_kib as f64, Target::AtMost(5_120.0)),
        Check::new(format!("{name}: idle worker, KiB"), sample.worker_private_max_kib as f64, Target::AtMost(1_024.0)),
    ]
}

fn measure(lab: &Lab, server: &Server) -> Result<Sample, Error> {
    lab.run(&server.load(CLIENTS, Until::Requests(REQUESTS))?)?;
    weigh(server)
}

/// What a server holds at this moment.
pub(super) fn weigh(server: &Server) -> Result<Sample, Error> {
    let tree = server.tree();
    let memories = tree.iter().map(|process| proc::memory(process.pid)).collect::<Result<Vec<_>, _>>();
    let memories = memories.map_err(io_error("smaps_rollup"))?;
    let workers = tree.iter().zip(&memories).skip(1).filter(|(process, _)| process.children == 0);
    Ok(Sample {
        master_resident_kib: memories.first().map_or(0, |memory| memory.resident_kib),
        worker_private_max_kib: workers.map(|(_, memory)| memory.private_kib).max().unwrap_or(0),
        tree_proportional_kib: memories.iter().map(|memory| memory.proportional_kib).sum(),
        processes: tree.len(),
    })
}
