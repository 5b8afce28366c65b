//! Three times as many requests as a pool can answer, from clients that give up after two seconds: what of its capacity is
//! still of use to anybody, and how long it takes to get over it. Over TCP, where the kernel tells how long one has waited.

use std::time::Duration;

use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target};
use crate::lab::{Error, Lab};
use crate::scenario::{beside, in_turns};
use crate::server::Server;
use loadgen::client::{Load, Pace, Report, Until, Wire};
use loadgen::packet::Request;

const WORKERS: usize = 4;
const PATH: &str = "/sleep?ms=20";
/// More than the clients' patience is worth of requests waits there.
const QUEUE: usize = 1_000;
const TIMES_CAPACITY: f64 = 3.0;
const TIME: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(2);
/// Enough for all that come in the time that they wait.
const CONNECTIONS_MAX: usize = 4_096;
/// As many clients as keep every worker busy, and no more.
const BUSY: usize = WORKERS;
const CALM: Duration = Duration::from_secs(5);
const AFTERWARDS: Duration = Duration::from_secs(1);
const SEED: u64 = 1;

struct Sample {
    calm: Report,
    overloaded: Report,
    afterwards: Report,
}

impl Sample {
    fn share(&self) -> f64 {
        self.overloaded.throughput_per_s / self.calm.throughput_per_s
    }
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let pool = |contender| Setup::pool(contender, WORKERS).option("listen", QUEUE).page(PATH).on_tcp();
    let shedding = |contender| pool(contender).option("queue-timeout", 1);
    let patient = pool(Contender::Hello).named("hello without queue-timeout");
    let setups = [shedding(Contender::Hello), shedding(Contender::Wsgi), patient, pool(Contender::Uwsgi)];
    let series = in_turns(lab, 1, &setups, &mut findings, |_, server| measure(lab, server))?;
    let columns = [
        "contender",
        "capacity/s",
        "goodput/s",
        "share",
        "refused with 503",
        "given up",
        "calm p99 ms",
        "a second after p99 ms",
        "not answered then",
    ];
    let title = "3 x capacity of 20 ms for 30 s, 4 workers, clients that give up after 2 s";
    let mut table = Table::new(title, &columns);
    for one in &series {
        for sample in &one.samples {
            let Sample { calm, overloaded, afterwards } = sample;
            table.row(vec![
                Cell::text(&one.name),
                Cell::Number(calm.throughput_per_s, 0),
                Cell::Number(overloaded.throughput_per_s, 0),
                Cell::Number(sample.share(), 2),
                Cell::count(overloaded.counts.bad_status),
                Cell::count(overloaded.counts.timed_out),
                Cell::Number(calm.latency.p99_us / 1e3, 1),
                Cell::Number(afterwards.latency.p99_us / 1e3, 1),
                Cell::count(afterwards.counts.failed()),
            ]);
            if one.name.starts_with("rhinod") {
                findings.checks.extend(checks(&one.name, sample));
            }
        }
    }
    findings.tables.push(table);
    Ok(findings)
}

fn checks(name: &str, sample: &Sample) -> [Check; 3] {
    let check = |what: &str, measured, target| Check::new(format!("{name}: {what}"), measured, target);
    let latency = sample.afterwards.latency.p99_us / sample.calm.latency.p99_us;
    [
        check("goodput, share of capacity", sample.share(), Target::AtLeast(0.9)),
        check("p99 a second afterwards, times the calm one", latency, Target::AtMost(2.0)),
        check("not answered then", sample.afterwards.counts.failed() as f64, Target::AtMost(0.0)),
    ]
}

fn measure(lab: &Lab, server: &Server) -> Result<Sample, Error> {
    let time = lab.at_most(TIME);
    let calm_load = server.load(BUSY, Until::Elapsed(lab.at_most(CALM)))?;
    let calm = lab.run(&calm_load)?;
    let until = Until::Elapsed(time);
    let mut load = Load::new(server.target(), Wire::Uwsgi, &Request::get(PATH), CONNECTIONS_MAX, until)?;
    load.pace = Pace::Poisson { per_s: TIMES_CAPACITY * calm.throughput_per_s, seed: SEED };
    load.patience = PATIENCE;
    let mut afterwards = None;
    let overloaded = beside(lab, server, &load, |_| {
        lab.pause(time + AFTERWARDS)?;
        afterwards = Some(lab.run(&calm_load)?);
        Ok(())
    })?;
    let afterwards = afterwards.ok_or_else(|| server.error("nothing was measured afterwards"))?;
    Ok(Sample { calm, overloaded, afterwards })
}
