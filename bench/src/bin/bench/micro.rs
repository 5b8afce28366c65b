//! Pure work of the master: reading a configuration, one scaling decision. No process is started.
//!
//! With `study` the only part of this package that links rhinod itself, and therefore not in the library.

use std::ffi::OsString;
use std::fs;
use std::hint::black_box;
use std::net::IpAddr;
use std::time::{Instant, SystemTime};

use rhinod::config::model::{Config, Policy, Scaling};
use rhinod::config::{Host, Invocation, Surroundings, load};
use rhinod::master::machine::Plan;
use rhinod::scaling::{Memory, Sample, Settings, WorkerTime, step};

use worker_protocol::scoreboard::Layout;

use rhinod_bench::findings::{Cell, Check, Findings, Table, Target, spread_cells};
use rhinod_bench::lab::{Error, Lab, io_error};
use rhinod_bench::statistics::Spread;

const LINES: usize = 1_000;
const READINGS: usize = 40;
const WORKERS: u32 = 1_000;
/// Decisions of one measurement; the workers' load goes up and down several times in it.
const DECISIONS: u32 = 5_000;
const MEASUREMENTS: usize = 5;
const POLICIES: [Policy; 5] = [Policy::Adaptive, Policy::Spare, Policy::Spare2, Policy::Backlog, Policy::Busyness];

pub(super) fn run(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    configuration(lab, &mut findings)?;
    decisions(lab, &mut findings)?;
    findings.checks.push(scoreboard()?);
    Ok(findings)
}

/// From the text of a file to the typed configuration.
fn configuration(lab: &Lab, findings: &mut Findings) -> Result<(), Error> {
    let dir = tempfile::tempdir().map_err(io_error("directory"))?;
    let file = dir.path().join("large.ini");
    fs::write(&file, large_ini()).map_err(io_error("ini"))?;
    let invocation = Invocation {
        program: lab.programs.join("rhinod"),
        arguments: vec![OsString::from("--ini"), file.into_os_string()],
        environment: Vec::new(),
        directory: dir.path().to_owned(),
        started: SystemTime::now(),
        reload: false,
    };
    let (host, surroundings) = (Host::new(), surroundings());
    let mut times_ms = Vec::new();
    for _ in 0..READINGS {
        lab.check_stop()?;
        let began = Instant::now();
        let reading = black_box(load::read(&invocation, &host, &surroundings));
        times_ms.push(began.elapsed().as_secs_f64() * 1e3);
        if !reading.errors.0.is_empty() {
            return Err(io_error("the large ini")(std::io::Error::other(reading.errors.to_string())));
        }
    }
    let mut table = Table::new(format!("Reading an ini of {LINES} lines"), &["what", "ms median", "ms min", "ms max"]);
    let spread = Spread::of(&times_ms);
    let mut cells = vec![Cell::text("from text to configuration")];
    cells.extend(spread_cells(spread, 3));
    table.row(cells);
    findings.tables.push(table);
    findings.checks.extend(spread.map(|spread| Check::new("1,000 lines, ms", spread.median, Target::AtMost(5.0))));
    Ok(())
}

/// Every construct that is common in the ini files of the reference, over and over.
fn large_ini() -> String {
    let mut text = String::from("[uwsgi]\nsocket = 127.0.0.1:0\nworkers = 4\nbase = /srv/app\n");
    let kinds: [fn(usize) -> String; 7] = [
        |line| format!("env = NAME_{line}=%(base)/%n/{line}"),
        |line| format!("; comment {line}"),
        |line| format!("set-placeholder = made_{line}=%(base)"),
        |line| format!("touch-reload = %(made_{})/file", line - 1),
        |_| String::new(),
        |line| format!("max-requests = {line}"),
        |line| format!("pythonpath = %d/lib/{line}"),
    ];
    let used = text.lines().count();
    for line in used..LINES {
        text += &kinds[(line - used) % kinds.len()](line);
        text.push('\n');
    }
    text
}

fn surroundings() -> Surroundings {
    Surroundings {
        somaxconn: None,
        migrates_connections: None,
        process_limit: None,
        euid: 1_000,
        umask: None,
        inherited_sockets: Some(0),
        resolve: |name| name.parse::<IpAddr>().ok(),
        executes: |_| true,
        search_path: None,
        own_interpreter: None,
    }
}

/// The shared memory of an instance of 1,000 workers, with the seats for their successors.
fn scoreboard() -> Result<Check, Error> {
    let layout = Layout::new(Plan::seats_for(WORKERS), 1)
        .map_err(|error| io_error("scoreboard")(std::io::Error::other(error.to_string())))?;
    let what = format!("scoreboard of {WORKERS} workers, KiB");
    Ok(Check::new(what, layout.bytes() as f64 / 1024.0, Target::AtMost(1024.0)))
}

/// One call of the policies with 1,000 workers.
fn decisions(lab: &Lab, findings: &mut Findings) -> Result<(), Error> {
    let columns = ["policy", "us median", "us min", "us max"];
    let mut table = Table::new(format!("One scaling decision at {WORKERS} workers"), &columns);
    for policy in POLICIES {
        let scaling = Scaling { enabled: true, policy, minimum: 10, initial: 10, ..Scaling::default() };
        let settings = Settings::of(&Config { workers: WORKERS as usize, scaling, ..Config::default() });
        let mut times_us = Vec::new();
        for _ in 0..MEASUREMENTS {
            lab.check_stop()?;
            times_us.push(mean_decision_us(&settings));
        }
        let spread = Spread::of(&times_us);
        let name = policy.name();
        let mut cells = vec![Cell::text(name)];
        cells.extend(spread_cells(spread, 3));
        table.row(cells);
        let check = |spread: Spread| Check::new(format!("{name}, us"), spread.median, Target::AtMost(100.0));
        findings.checks.extend(spread.map(check));
    }
    findings.tables.push(table);
    Ok(())
}

/// The samples are made beforehand: the policies alone are timed.
fn mean_decision_us(settings: &Settings) -> f64 {
    let samples: Vec<Sample> = (0..DECISIONS).map(|index| sample(settings, index)).collect();
    let mut memory = Memory::default();
    let began = Instant::now();
    for sample in &samples {
        let (next, decided) = step(settings, memory, sample);
        black_box(decided);
        memory = next;
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(DECISIONS)
}

/// A load that swings between nothing and more than there is, one look every 100 ms.
fn sample(settings: &Settings, index: u32) -> Sample {
    let live = WORKERS / 2;
    let wanted = (index * 7) % (live * 2);
    let busy = wanted.min(live);
    let worker = |slot| WorkerTime { slot, running_us: u64::from(index) * 50_000, busy: slot < busy };
    Sample {
        now_us: u64::from(index) * 100_000,
        busy,
        idle: live - busy,
        serving: busy,
        queue: Some(wanted - busy),
        queue_max: 4_096,
        requests_total: u64::from(index) * 1_000,
        busy_time_us: u64::from(index) * 10_000_000,
        workers: if settings.needs_worker_times() { (0..live).map(worker).collect() } else { Vec::new() },
        boot_us: 20_000,
        worker_rss_bytes: 20 << 20,
        cpus: 2,
        ..Sample::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_large_ini_has_its_length_and_no_error() {
        let text = large_ini();
        assert_eq!(text.lines().count(), LINES);
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("large.ini");
        fs::write(&file, text).expect("room");
        let invocation = Invocation {
            program: "rhinod".into(),
            arguments: vec!["--ini".into(), file.into_os_string()],
            environment: Vec::new(),
            directory: dir.path().to_owned(),
            started: SystemTime::UNIX_EPOCH,
            reload: false,
        };
        let reading = load::read(&invocation, &Host::new(), &surroundings());
        assert!(reading.errors.0.is_empty(), "{}", reading.errors);
        assert!(reading.config.environment.len() > 100);
    }
}
