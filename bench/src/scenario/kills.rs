//! SIGKILL to a random worker every 100 ms at full load: what is left of the throughput, and what is lost.

use std::time::Duration;

use fastrand::Rng;
use rustix::process::{Signal, kill_process};

use crate::client::{Report, Until};
use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target};
use crate::lab::{Error, Lab};
use crate::scenario::in_turns;
use crate::server::Server;

const WORKERS: usize = 6;
const CLIENTS: usize = 24;
/// Longer than the time of a request that a killed worker takes along, so that the workers are what is short.
const PATH: &str = "/sleep?ms=5";
const EVERY: Duration = Duration::from_millis(100);
const TIME: Duration = Duration::from_secs(20);
const SEED: u64 = 1;
/// The project's bound.
const SHARE_MIN: f64 = 0.85;

struct Sample {
    unharmed: Report,
    harmed: Report,
    kills: u64,
    workers_left: usize,
}

impl Sample {
    fn share(&self) -> f64 {
        self.harmed.throughput_per_s / self.unharmed.throughput_per_s
    }
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let pool = |contender| Setup::pool(contender, WORKERS).page(PATH);
    let setups = [Contender::Hello, Contender::Wsgi, Contender::Uwsgi].map(pool);
    let series = in_turns(lab, 1, &setups, &mut findings, |_, server| measure(lab, server))?;
    let columns =
        ["contender", "unharmed/s", "harmed/s", "share", "kills", "requests lost", "refused", "workers at the end"];
    let mut table = Table::new("24 clients of 5 ms, 6 workers, a random one killed every 100 ms for 20 s", &columns);
    for one in &series {
        for sample in &one.samples {
            let counts = &sample.harmed.counts;
            let lost = counts.failed() - counts.refused;
            table.row(vec![
                Cell::text(&one.name),
                Cell::Number(sample.unharmed.throughput_per_s, 0),
                Cell::Number(sample.harmed.throughput_per_s, 0),
                Cell::Number(sample.share(), 2),
                Cell::count(sample.kills),
                Cell::count(lost),
                Cell::count(counts.refused),
                Cell::count(sample.workers_left as u64),
            ]);
            if one.name.starts_with("rhinod") {
                let check =
                    |what: &str, measured, target| Check::new(format!("{}: {what}", one.name), measured, target);
                findings.checks.push(check("share of the throughput", sample.share(), Target::AtLeast(SHARE_MIN)));
                findings.checks.push(check(
                    "lost for each kill",
                    lost as f64 / sample.kills as f64,
                    Target::AtMost(1.0),
                ));
                findings.checks.push(check("workers", sample.workers_left as f64, Target::AtLeast(WORKERS as f64)));
            }
        }
    }
    findings.tables.push(table);
    Ok(findings)
}

fn measure(lab: &Lab, server: &Server) -> Result<Sample, Error> {
    let load = server.load(CLIENTS, Until::Elapsed(TIME))?;
    let unharmed = lab.run(&load)?;
    std::thread::scope(|scope| {
        let client = scope.spawn(|| lab.run(&load));
        let kills = kill_while(lab, server, || client.is_finished());
        let harmed = client.join().unwrap_or_else(|_| Err(server.error("the client's thread panicked")))?;
        Ok(Sample { unharmed, harmed, kills: kills?, workers_left: server.workers().len() })
    })
}

/// Kills a random worker every now and then, until `over`. How many.
fn kill_while(lab: &Lab, server: &Server, over: impl Fn() -> bool) -> Result<u64, Error> {
    let (mut random, mut kills) = (Rng::with_seed(SEED), 0);
    while !over() {
        lab.pause(EVERY)?;
        let workers = server.workers();
        let victim = random.choice(&workers);
        // One that has just ended by itself does not count.
        kills += victim.map_or(0, |pid| u64::from(kill_process(*pid, Signal::KILL).is_ok()));
    }
    Ok(kills)
}
