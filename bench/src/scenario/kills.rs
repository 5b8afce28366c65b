//! SIGKILL to a random worker every 100 ms at full load: what is left of the throughput, and what is lost.

use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::process::{Signal, kill_process};

use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target};
use crate::lab::{Error, Lab};
use crate::scenario::{beside, in_turns};
use crate::server::Server;
use loadgen::client::{Report, Until};

const WORKERS: usize = 6;
const CLIENTS: usize = 24;
/// Longer than the time of a request that a killed worker takes along, so that the workers are what is short.
const PATH: &str = "/sleep?ms=5";
const EVERY: Duration = Duration::from_millis(100);
const TIME: Duration = Duration::from_secs(60);
/// How often it is looked whether all workers are there again.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// The project's bound.
const WHOLE_AGAIN_MS: f64 = 50.0;
const SEED: u64 = 1;
/// The project's bound.
const SHARE_MIN: f64 = 0.85;

struct Sample {
    unharmed: Report,
    harmed: Report,
    /// After each kill, how long it took until there were as many workers as before.
    whole_again: Vec<Duration>,
    workers_left: usize,
}

impl Sample {
    fn share(&self) -> f64 {
        self.harmed.throughput_per_s / self.unharmed.throughput_per_s
    }

    fn longest_ms(&self) -> f64 {
        self.whole_again.iter().max().map_or(0.0, Duration::as_secs_f64) * 1e3
    }
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let pool = |contender| Setup::pool(contender, WORKERS).page(PATH);
    let setups = [Contender::Hello, Contender::Wsgi, Contender::Uwsgi].map(pool);
    let series = in_turns(lab, 1, &setups, &mut findings, |_, server| measure(lab, server))?;
    let columns = [
        "contender",
        "unharmed/s",
        "harmed/s",
        "share",
        "kills",
        "requests lost",
        "refused",
        "all workers again after ms (longest)",
        "workers at the end",
    ];
    let mut table = Table::new("24 clients of 5 ms, 6 workers, a random one killed every 100 ms for 60 s", &columns);
    for one in &series {
        for sample in &one.samples {
            let counts = &sample.harmed.counts;
            let lost = counts.failed() - counts.refused;
            let kills = sample.whole_again.len() as u64;
            table.row(vec![
                Cell::text(&one.name),
                Cell::Number(sample.unharmed.throughput_per_s, 0),
                Cell::Number(sample.harmed.throughput_per_s, 0),
                Cell::Number(sample.share(), 2),
                Cell::count(kills),
                Cell::count(lost),
                Cell::count(counts.refused),
                Cell::Number(sample.longest_ms(), 1),
                Cell::count(sample.workers_left as u64),
            ]);
            if one.name.starts_with("rhinod") {
                let check =
                    |what: &str, measured, target| Check::new(format!("{}: {what}", one.name), measured, target);
                findings.checks.push(check("share of the throughput", sample.share(), Target::AtLeast(SHARE_MIN)));
                findings.checks.push(check("lost for each kill", lost as f64 / kills as f64, Target::AtMost(1.0)));
                let whole = Target::AtMost(WHOLE_AGAIN_MS);
                findings.checks.push(check("all workers again after ms (longest)", sample.longest_ms(), whole));
                findings.checks.push(check("workers", sample.workers_left as f64, Target::AtLeast(WORKERS as f64)));
            }
        }
    }
    findings.tables.push(table);
    Ok(findings)
}

fn measure(lab: &Lab, server: &Server) -> Result<Sample, Error> {
    let load = server.load(CLIENTS, Until::Elapsed(lab.at_most(TIME)))?;
    let unharmed = lab.run(&load)?;
    let mut whole_again = Vec::new();
    let harmed = beside(lab, server, &load, |is_over| {
        whole_again = kill_while(lab, server, is_over)?;
        Ok(())
    })?;
    Ok(Sample { unharmed, harmed, whole_again, workers_left: server.workers().len() })
}

/// Kills a random worker every now and then, until the load is over. How long each took to be replaced.
fn kill_while(lab: &Lab, server: &Server, is_over: &dyn Fn() -> bool) -> Result<Vec<Duration>, Error> {
    let (mut random, mut whole_again) = (Rng::with_seed(SEED), Vec::new());
    while !is_over() {
        let workers = server.workers();
        let began = Instant::now();
        // One that has just ended by itself does not count.
        if let Some(victim) = random.choice(workers).filter(|pid| kill_process(*pid, Signal::KILL).is_ok()) {
            // Until it is reaped the victim still counts as a process.
            let are_there = || server.workers().into_iter().filter(|pid| *pid != victim).count() >= WORKERS;
            while !are_there() && began.elapsed() < EVERY {
                lab.pause(LOOK_EVERY)?;
            }
            whole_again.push(began.elapsed());
        }
        lab.pause(EVERY.saturating_sub(began.elapsed()))?;
    }
    Ok(whole_again)
}
