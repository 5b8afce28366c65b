//! What it costs to be watched: documents taken a thousand times a second at full load, and readers that never read. Batches with
//! and without alternate on one server, so that what else the machine does hits both.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target};
use crate::lab::{Error, Lab};
use crate::proc::{self, Pid};
use crate::scenario::running;
use crate::server::Server;
use crate::statistics::Spread;
use loadgen::client::Until;

const WORKERS: usize = 4;
const PER_S: u64 = 1_000;
/// More than are let in at once.
const READERS: usize = 80;
/// Pairs of batches of each kind.
const BATCHES: usize = 10;
const BATCH: Duration = Duration::from_secs(2);

/// Who looks on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watching {
    /// uWSGI's document, read to the end.
    Document,
    /// The metrics, read to the end.
    Metrics,
    /// Both asked for, and nothing read.
    Deaf,
}

impl Watching {
    fn name(self) -> &'static str {
        match self {
            Self::Document => "stats, 1,000 a second",
            Self::Metrics => "metrics, 1,000 a second",
            Self::Deaf => "80 readers that never read",
        }
    }
}

/// What a batch has cost.
struct Cost {
    worker_us: f64,
    master_share: f64,
    documents: u64,
    elapsed: Duration,
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let setups = [Contender::Hello, Contender::Wsgi].map(|contender| {
        Setup::pool(contender, WORKERS).option("stats", "stats.sock").option("metrics", "metrics.sock")
    });
    let columns = [
        "contender",
        "watched by",
        "documents/s",
        "worker us alone",
        "worker us watched",
        "ratio median",
        "master, % of a core",
    ];
    let mut table = Table::new("Documents taken at full load, 4 workers", &columns);
    for setup in running(lab, &setups, &mut findings)? {
        let server = setup.serve(lab)?;
        for watching in [Watching::Document, Watching::Metrics, Watching::Deaf] {
            let (alone, watched) = pairs(lab, &server, watching)?;
            let us = |costs: &[Cost]| costs.iter().map(|cost| cost.worker_us).collect::<Vec<_>>();
            let (alone_us, watched_us) = (us(&alone), us(&watched));
            let ratio = Spread::of_ratios(&watched_us, &alone_us).map_or(f64::NAN, |spread| spread.median);
            let median = |numbers: &[f64]| Spread::of(numbers).map_or(f64::NAN, |spread| spread.median);
            let master = 100.0 * median(&watched.iter().map(|cost| cost.master_share).collect::<Vec<_>>());
            let per_s =
                watched.iter().map(|cost| cost.documents as f64 / cost.elapsed.as_secs_f64()).collect::<Vec<_>>();
            table.row(vec![
                Cell::text(setup.name()),
                Cell::text(watching.name()),
                Cell::Number(median(&per_s), 0),
                Cell::Number(median(&alone_us), 2),
                Cell::Number(median(&watched_us), 2),
                Cell::Number(ratio, 3),
                Cell::Number(master, 1),
            ]);
            let name = format!("{}, {}", setup.name(), watching.name());
            findings.checks.push(Check::new(
                format!("{name}: CPU time of workers, ratio"),
                ratio,
                Target::AtMost(1.03),
            ));
            findings.checks.push(Check::new(format!("{name}: master, % of a core"), master, Target::AtMost(5.0)));
        }
    }
    findings.tables.push(table);
    Ok(findings)
}

/// Batches alone and watched, in turns.
fn pairs(lab: &Lab, server: &Server, watching: Watching) -> Result<(Vec<Cost>, Vec<Cost>), Error> {
    let (mut alone, mut watched) = (Vec::new(), Vec::new());
    for batch in 0..BATCHES {
        let mut both = [(None, &mut alone), (Some(watching), &mut watched)];
        if batch % 2 == 1 {
            both.reverse();
        }
        for (who, costs) in both {
            costs.push(batch_of(lab, server, who)?);
        }
    }
    Ok((alone, watched))
}

fn batch_of(lab: &Lab, server: &Server, watching: Option<Watching>) -> Result<Cost, Error> {
    let (over, documents) = (AtomicBool::new(false), AtomicU64::new(0));
    let load = server.load(lab.sizes.clients, Until::Elapsed(lab.at_most(BATCH)))?;
    let sockets = [server.dir().join("stats.sock"), server.dir().join("metrics.sock")];
    std::thread::scope(|scope| {
        if let Some(watching) = watching {
            let (sockets, over, documents) = (&sockets, &over, &documents);
            scope.spawn(move || watch(watching, sockets, over, documents));
        }
        let (master, workers, began) = (server.pid(), server.workers(), Instant::now());
        let before = (cpu_of(server, &[master]), cpu_of(server, &workers));
        let report = lab.run(&load);
        let elapsed = began.elapsed();
        let spent = (cpu_of(server, &[master]) - before.0, cpu_of(server, &workers) - before.1);
        over.store(true, Ordering::Relaxed);
        let report = report?;
        if report.counts.failed() > 0 {
            return Err(server.error(format!("requests failed: {:?}", report.counts)));
        }
        Ok(Cost {
            worker_us: spent.1.as_secs_f64() * 1e6 / report.counts.ok as f64,
            master_share: spent.0.as_secs_f64() / elapsed.as_secs_f64(),
            documents: documents.load(Ordering::Relaxed),
            elapsed,
        })
    })
}

/// What these processes have taken themselves.
fn cpu_of(server: &Server, pids: &[Pid]) -> Duration {
    let tree = proc::tree(server.pid());
    tree.iter().filter(|process| pids.contains(&process.pid)).map(|process| process.own_cpu).sum()
}

fn watch(watching: Watching, sockets: &[PathBuf; 2], over: &AtomicBool, documents: &AtomicU64) {
    let began = Instant::now();
    let mut deaf = Vec::new();
    let mut bytes = vec![0; 1 << 20];
    for number in 1.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let taken = match watching {
            Watching::Document => take(&sockets[0], b"", &mut bytes),
            Watching::Metrics => take(&sockets[1], ASK, &mut bytes),
            Watching::Deaf if deaf.len() < READERS => {
                deaf.extend(UnixStream::connect(&sockets[0]).ok());
                deaf.extend(
                    UnixStream::connect(&sockets[1]).ok().and_then(|mut one| one.write_all(ASK).ok().map(|()| one)),
                );
                true
            }
            Watching::Deaf => true,
        };
        documents.fetch_add(u64::from(taken && watching != Watching::Deaf), Ordering::Relaxed);
        let due = Duration::from_micros(number * 1_000_000 / PER_S);
        std::thread::sleep(due.saturating_sub(began.elapsed()));
    }
}

const ASK: &[u8] = b"GET /metrics HTTP/1.0\r\n\r\n";

/// Takes a document; whether all of it has come.
fn take(socket: &Path, ask: &[u8], bytes: &mut [u8]) -> bool {
    let Ok(mut stream) = UnixStream::connect(socket) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
    if stream.write_all(ask).is_err() {
        return false;
    }
    let mut any = false;
    loop {
        match stream.read(bytes) {
            Ok(0) => return any,
            Ok(_) => any = true,
            Err(_) => return false,
        }
    }
}
