//! Spoolers: how many tasks a second are run and written, beside uWSGI's; and what becomes of a hundred thousand while those
//! who run them are killed.
//!
//! Tasks that wait are written before the server begins, in the form that both read.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::process::{Signal, kill_process};

use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target};
use crate::lab::{Error, Lab, io_error};
use crate::proc::Pid;
use crate::scenario::{Series, running, series_of, turn};
use crate::server::Server;
use crate::statistics::Spread;
use loadgen::client::{Load, Until, Wire};
use loadgen::packet::Request;

const PROCESSES: usize = 4;
const TASKS: u32 = 20_000;
/// As `/spool` has it.
const WRITTEN: u32 = 2_000;
const ROUNDS: usize = 3;
const TASKS_OF_KILLS: u32 = 100_000;
const KILL_EVERY: Duration = Duration::from_millis(100);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long nothing may be done before it counts as the end.
const STANDSTILL: Duration = Duration::from_secs(60);
const SEED: u64 = 1;
const DIRECTORY: &str = "tasks";
const SYNCED: &str = "rhinod wsgi, synced";
const WAITING: &str = "/spool?n=2000";
/// For each second that a run may take at most, where it is to be short.
const TASKS_OF_A_SECOND: u32 = 500;

struct Sample {
    run_per_s: f64,
    written_per_s: f64,
    /// Written by one worker and run meanwhile.
    through_per_s: f64,
}

/// One of the numbers of a sample.
type Number = fn(&Sample) -> f64;

/// Tasks a second.
pub(super) fn rate(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let synced = spooling(Contender::Wsgi, PROCESSES).option("spooler-sync", true).named(SYNCED);
    let setups = [spooling(Contender::Wsgi, PROCESSES), synced, spooling(Contender::Uwsgi, PROCESSES)];
    let setups = running(lab, &setups, &mut findings)?;
    let mut series: Vec<Series<Sample>> = setups.iter().map(|setup| Series::new(setup.name())).collect();
    let count = at_most(lab, TASKS);
    for round in 0..ROUNDS {
        for index in turn(setups.len(), round) {
            series[index].samples.push(measure_rate(lab, setups[index], count)?);
        }
    }
    let title = format!("{count} tasks that do next to nothing: run by {PROCESSES} processes, written by one worker");
    let mut table = Table::new(title, &["contender", "run/s", "written/s", "written and run/s"]);
    let median = |series: &Series<Sample>, number: Number| {
        Spread::of(&series.numbers(number)).map_or(Cell::Nothing, |spread| Cell::Number(spread.median, 0))
    };
    for one in &series {
        let (run, written) = (median(one, |sample| sample.run_per_s), median(one, |sample| sample.written_per_s));
        table.row(vec![Cell::text(&one.name), run, written, median(one, |sample| sample.through_per_s)]);
    }
    findings.tables.push(table);
    let medians = |name: &str, number: Number| Some(Spread::of(&series_of(&series, name)?.numbers(number))?.median);
    let numbers: [(&str, Number); 3] = [
        ("tasks run a second, rhinod / uWSGI", |sample| sample.run_per_s),
        ("tasks written a second, rhinod / uWSGI", |sample| sample.written_per_s),
        ("tasks written and run a second, rhinod / uWSGI", |sample| sample.through_per_s),
    ];
    for (what, number) in numbers {
        if let (Some(ours), Some(theirs)) = (medians("rhinod wsgi", number), medians("uwsgi wsgi", number)) {
            findings.checks.push(Check::new(what, ours / theirs, Target::AtLeast(1.0)));
        }
    }
    Ok(findings)
}

fn measure_rate(lab: &Lab, setup: &Setup, count: u32) -> Result<Sample, Error> {
    let launch = setup.launch(lab)?;
    write_tasks(&launch.dir.path().join(DIRECTORY), count)?;
    let mut server = Server::start(launch)?;
    let began = first_done(lab, &server)?;
    await_done(lab, &server, count, || Ok(()))?;
    let run_per_s = f64::from(count) / began.elapsed().as_secs_f64();
    server.wait_ready(lab)?;
    let began = Instant::now();
    let request = Request::get(WAITING);
    let report = lab.run(&Load::new(server.target(), Wire::Uwsgi, &request, 1, Until::Requests(1))?)?;
    let written_per_s = f64::from(WRITTEN) / began.elapsed().as_secs_f64();
    if report.counts.failed() > 0 {
        return Err(server.error(format!("tasks could not be written: {:?}", report.counts)));
    }
    await_runs(lab, &server, u64::from(count) + u64::from(WRITTEN))?;
    let through_per_s = f64::from(WRITTEN) / began.elapsed().as_secs_f64();
    Ok(Sample { run_per_s, written_per_s, through_per_s })
}

/// A hundred thousand, with kills.
pub(super) fn kills(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let setups = [spooling(Contender::Wsgi, PROCESSES).option("spooler-max-crashes", 0)];
    let setups = running(lab, &setups, &mut findings)?;
    let count = at_most(lab, TASKS_OF_KILLS);
    let title = format!("{count} tasks, {PROCESSES} processes, one of them or a worker killed every 100 ms");
    let columns = ["contender", "seconds", "kills", "tasks run", "more than once", "lost", "run by two at once"];
    let mut table = Table::new(title, &columns);
    for setup in setups {
        let launch = setup.launch(lab)?;
        write_tasks(&launch.dir.path().join(DIRECTORY), count)?;
        let server = Server::start(launch)?;
        let began = first_done(lab, &server)?;
        let (mut random, mut killed, mut next) = (Rng::with_seed(SEED), 0_u64, Instant::now());
        let done = await_done(lab, &server, count, || {
            if Instant::now() >= next {
                next += KILL_EVERY;
                killed += u64::from(kill_one(&server, &mut random));
            }
            Ok(())
        })?;
        let overlaps = fs::read(server.dir().join("overlaps")).map_err(io_error("overlaps"))?.len();
        let lost = u64::from(count) - done.distinct;
        table.row(vec![
            Cell::text(setup.name()),
            Cell::Number(began.elapsed().as_secs_f64(), 1),
            Cell::count(killed),
            Cell::count(done.distinct),
            Cell::count(done.runs - done.distinct),
            Cell::count(lost),
            Cell::count(overlaps as u64),
        ]);
        findings.checks.push(Check::new("tasks lost", lost as f64, Target::AtMost(0.0)));
        findings.checks.push(Check::new("tasks run by two at once", overlaps as f64, Target::AtMost(0.0)));
    }
    findings.tables.push(table);
    Ok(findings)
}

fn spooling(contender: Contender, processes: usize) -> Setup {
    let setup = Setup::pool(contender, 2).application("services.py").option("spooler", DIRECTORY);
    setup.option("spooler-processes", processes).option("spooler-quiet", true).option("spooler-frequency", 1)
}

fn at_most(lab: &Lab, tasks: u32) -> u32 {
    let seconds = lab.sizes.time_max.map(|time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
    seconds.map_or(tasks, |seconds| seconds.max(1).saturating_mul(TASKS_OF_A_SECOND).min(tasks))
}

/// Tasks as `uwsgi.spool({b"n": b"NUMBER"})` writes them.
fn write_tasks(directory: &Path, count: u32) -> Result<(), Error> {
    fs::create_dir(directory).map_err(io_error("the tasks' directory"))?;
    for number in 0..count {
        let text = number.to_string();
        let mut task = vec![17, 5 + text.len() as u8, 0, 0, 1, 0, b'n', text.len() as u8, 0];
        task.extend(text.as_bytes());
        let path = directory.join(format!("uwsgi_spoolfile_on_bench_1_{number}_0_0_0"));
        fs::write(path, task).map_err(io_error("a task"))?;
    }
    Ok(())
}

/// What was done.
struct Done {
    runs: u64,
    distinct: u64,
}

fn done(server: &Server) -> Result<Vec<u8>, Error> {
    match fs::read(server.dir().join("done")) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(io_error("done")),
    }
}

/// Waits for the first task to be done; when that was seen.
fn first_done(lab: &Lab, server: &Server) -> Result<Instant, Error> {
    let began = Instant::now();
    while done(server)?.is_empty() {
        if began.elapsed() > STANDSTILL {
            return Err(server.error("no task was run"));
        }
        lab.pause(LOOK_EVERY)?;
    }
    Ok(Instant::now())
}

/// Waits until every task was run, or none is any more, and acts at each look.
fn await_done(
    lab: &Lab,
    server: &Server,
    count: u32,
    mut act: impl FnMut() -> Result<(), Error>,
) -> Result<Done, Error> {
    let (mut length, mut changed) = (0, Instant::now());
    loop {
        act()?;
        let path = server.dir().join("done");
        let now = fs::metadata(&path).map_err(io_error("done"))?.len();
        if now != length {
            (length, changed) = (now, Instant::now());
        }
        let enough = length >= u64::from(count) * 4;
        if enough || changed.elapsed() > STANDSTILL {
            let bytes = done(server)?;
            let numbers: std::collections::HashSet<&[u8]> = bytes.chunks_exact(4).collect();
            let all = Done { runs: bytes.len() as u64 / 4, distinct: numbers.len() as u64 };
            if all.distinct >= u64::from(count) || changed.elapsed() > STANDSTILL {
                return Ok(all);
            }
        }
        lab.pause(LOOK_EVERY)?;
    }
}

/// Waits until so many were run.
fn await_runs(lab: &Lab, server: &Server, runs: u64) -> Result<(), Error> {
    let began = Instant::now();
    while (done(server)?.len() as u64) < runs * 4 {
        if began.elapsed() > STANDSTILL {
            return Err(server.error(format!("fewer than {runs} tasks were run")));
        }
        lab.pause(LOOK_EVERY)?;
    }
    Ok(())
}

/// Kills a spooler process, or now and then a worker.
fn kill_one(server: &Server, random: &mut Rng) -> bool {
    let leaves = server.workers();
    let (spoolers, others): (Vec<Pid>, Vec<Pid>) = leaves.into_iter().partition(|pid| {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.windows(7).any(|seven| seven == b"spooler"))
    });
    let among = if random.u8(..4) == 0 { others } else { spoolers };
    random.choice(among).is_some_and(|victim| kill_process(victim, Signal::KILL).is_ok())
}
