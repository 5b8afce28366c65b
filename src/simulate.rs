//! `rhinod simulate`: tries the policies of a configuration out on recorded or generated load, and replays recorded
//! decisions. A thin driver: reads files, calls `scaling::simulator` and `scaling::decision_log`, prints. Runs in a
//! process of its own, never in a server.

use crate::config::model::Policy;
use crate::exit::Exit;
use crate::scaling::decision_log::{self, ReplayError};
use crate::scaling::simulator::compare::{Plane, measured, plane, settings};
use crate::scaling::simulator::load::Service;
use crate::scaling::simulator::traces::{self, Reading, Trace, TraceError};
use crate::scaling::simulator::{Load, Scaler, World, load, picture, report, run, warmed};
use crate::scaling::{Pace, Settings, step};
use crate::sys::clock::monotonic_us;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What the command takes, for `--help`.
pub const USAGE: &str = "\
rhinod simulate --ini FILE --trace LOG [options]   try the file's policy and others on recorded arrivals
rhinod simulate --ini FILE --shape NAME [options]  … on generated ones: steady, step, diurnal, flash, on/off, heavy,
                                                   cron, retry
rhinod simulate --replay LOG                       decide again on a decision log and compare, bit for bit
rhinod simulate --pictures DIR [--traces DIR]      the comparison and the pictures of docs/SCALING.md

LOG is an nginx access log (combined, or with $msec or $time_iso8601 and $request_time or $upstream_response_time), a
CSV of arrival,service[,computing] in seconds, or one of the public traces named in the manual.

  --svg FILE             picture of the workers over time
  --cores N              cores that requests compute on (2)
  --fork-ms MS           time of one fork (1)
  --worker-mb MB         memory of one worker, for cheaper-rss-limit-soft and -hard (40)
  --boot-ms MS           from the fork to ready (0.5; measure it, above all with lazy-apps)
  --late-ms MS           a request that waits longer is late (10)
  --service-ms MS        service time where the trace has none (50)
  --compute-percent P    share of the service time that is computing (2)
  --speed N              so many times faster than recorded (1)
  --seed N               for what is drawn (1)
";

/// Largest log that is read.
const FILE_MAX: u64 = 2 << 30;
const SEED: u64 = 7;

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The command line is at fault.
    #[error("{0}\n\n{USAGE}")]
    Usage(String),
    /// A file could not be read.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A picture could not be written.
    #[error("cannot write {path}: {source}")]
    Picture {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The configuration is at fault, or is not there.
    #[error("{text}")]
    Configuration {
        /// What is wrong, and where.
        text: String,
        /// The status to end with, as a start would.
        exit: Exit,
    },
    /// The trace is at fault.
    #[error("{path}: {source}")]
    Trace {
        /// Which.
        path: PathBuf,
        /// Why.
        source: TraceError,
    },
    /// The decision log is at fault.
    #[error("{path}: {source}")]
    Replay {
        /// Which.
        path: PathBuf,
        /// Why.
        source: ReplayError,
    },
    /// The decisions of a log were not reached again.
    #[error("{0} decisions differ")]
    Different(usize),
    /// The result could not be printed.
    #[error("cannot write the result: {0}")]
    Output(#[from] io::Error),
}

impl SimulateError {
    /// The status to end with.
    pub fn exit(&self) -> Exit {
        match self {
            SimulateError::Usage(_) => Exit::Usage,
            SimulateError::Configuration { exit, .. } => *exit,
            SimulateError::File { .. } | SimulateError::Trace { .. } | SimulateError::Replay { .. } => Exit::Input,
            SimulateError::Output(_) | SimulateError::Picture { .. } => Exit::Create,
            SimulateError::Different(_) => Exit::Fault,
        }
    }
}

/// The command line, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    /// What to do.
    pub task: Task,
    /// Where to draw the workers over time.
    pub svg: Option<PathBuf>,
    /// The machine.
    pub world: World,
    /// How to read the trace.
    pub reading: Reading,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Compare policies under a configuration's bounds.
    Compare {
        /// The configuration.
        ini: PathBuf,
        /// The load.
        source: Source,
    },
    /// Decide again.
    Replay(PathBuf),
    /// Draw the manual's pictures.
    Pictures {
        /// Where to.
        directory: PathBuf,
        /// Where the public traces are.
        traces: Option<PathBuf>,
    },
}

/// Where the load comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A recorded one.
    Trace(PathBuf),
    /// A generated one, by the beginning of its name.
    Shape(String),
}

impl Arguments {
    /// Reads what follows `simulate` on the command line.
    ///
    /// # Errors
    /// [`SimulateError::Usage`].
    pub fn parse(arguments: &[OsString]) -> Result<Self, SimulateError> {
        let mut given = Given::default();
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            let name = name.to_string_lossy();
            let value = rest.next().ok_or_else(|| usage(format!("{name} needs a value")))?;
            given.take(&name, value)?;
        }
        let task = given.task()?;
        Ok(Arguments { task, svg: given.svg, world: given.world, reading: given.reading })
    }
}

#[derive(Default)]
struct Given {
    ini: Option<PathBuf>,
    trace: Option<PathBuf>,
    shape: Option<String>,
    replay: Option<PathBuf>,
    pictures: Option<PathBuf>,
    traces: Option<PathBuf>,
    svg: Option<PathBuf>,
    world: World,
    reading: Reading,
}

impl Given {
    fn take(&mut self, name: &str, given: &OsStr) -> Result<(), SimulateError> {
        let text = given.to_string_lossy();
        let value = text.as_ref();
        match name {
            "--ini" => self.ini = Some(given.into()),
            "--trace" => self.trace = Some(given.into()),
            "--shape" => self.shape = Some(value.to_lowercase()),
            "--replay" => self.replay = Some(given.into()),
            "--pictures" => self.pictures = Some(given.into()),
            "--traces" => self.traces = Some(given.into()),
            "--svg" => self.svg = Some(given.into()),
            "--cores" => self.world.cores = whole(name, value, 1, 4096)? as u32,
            "--worker-mb" => self.world.worker_rss_bytes = whole(name, value, 1, 1 << 20)? << 20,
            "--fork-ms" => self.world.fork_us = millis(name, value)?,
            "--boot-ms" => self.world.boot_us = millis(name, value)?,
            "--late-ms" => self.world.late_us = millis(name, value)?,
            "--service-ms" => self.reading.service_us = millis(name, value)?.max(1),
            "--compute-percent" => self.reading.compute_permille = whole(name, value, 0, 100)? * 10,
            "--speed" => self.reading.speed = whole(name, value, 1, 1_000_000)?,
            "--seed" => self.reading.seed = whole(name, value, 0, u64::MAX)?,
            _ => return Err(usage(format!("unknown option {name}"))),
        }
        Ok(())
    }

    fn task(&mut self) -> Result<Task, SimulateError> {
        if let Some(log) = self.replay.take() {
            return Ok(Task::Replay(log));
        }
        if let Some(directory) = self.pictures.take() {
            return Ok(Task::Pictures { directory, traces: self.traces.take() });
        }
        let source = match (self.trace.take(), self.shape.take()) {
            (Some(trace), None) => Source::Trace(trace),
            (None, Some(shape)) => Source::Shape(shape),
            _ => return Err(usage("one of --trace, --shape, --replay and --pictures is needed".to_owned())),
        };
        let ini = self.ini.take().ok_or_else(|| usage("--ini FILE is needed".to_owned()))?;
        Ok(Task::Compare { ini, source })
    }
}

fn usage(text: String) -> SimulateError {
    SimulateError::Usage(text)
}

fn whole(name: &str, value: &str, least: u64, most: u64) -> Result<u64, SimulateError> {
    let number = value.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| usage(format!("{name} needs a whole number from {least} to {most}, not {value}")))
}

/// Milliseconds with or without a fraction, to microseconds; at most an hour.
fn millis(name: &str, value: &str) -> Result<u64, SimulateError> {
    let number = value.parse::<f64>().ok().filter(|ms| (0.0..=3_600_000.0).contains(ms));
    number
        .map(|ms| (ms * 1000.0).round() as u64)
        .ok_or_else(|| usage(format!("{name} needs milliseconds, not {value}")))
}

/// Runs the command. `settings_of` reads a configuration file.
///
/// # Errors
/// [`SimulateError`]; `Different` when a replay reaches other decisions.
pub fn simulate(
    arguments: &Arguments,
    settings_of: impl FnOnce(&Path) -> Result<Settings, SimulateError>,
    out: &mut dyn Write,
) -> Result<(), SimulateError> {
    match &arguments.task {
        Task::Replay(log) => replay(log, out),
        Task::Pictures { directory, traces } => pictures(directory, traces.as_deref(), out),
        Task::Compare { ini, source } => {
            let settings = settings_of(ini)?;
            compare(arguments, &settings, source, out)
        }
    }
}

fn replay(log: &Path, out: &mut dyn Write) -> Result<(), SimulateError> {
    let text = read(log)?;
    let replayed =
        decision_log::replay(text.lines()).map_err(|source| SimulateError::Replay { path: log.to_owned(), source })?;
    for (line, recorded, now) in &replayed.different {
        writeln!(out, "line {line}: recorded {:?} ({})", recorded.decision, recorded.reason)?;
        writeln!(out, "line {line}: now      {:?} ({})", now.decision, now.reason)?;
    }
    writeln!(out, "{} decisions replayed, {} differ", replayed.records, replayed.different.len())?;
    if replayed.different.is_empty() { Ok(()) } else { Err(SimulateError::Different(replayed.different.len())) }
}

fn compare(arguments: &Arguments, own: &Settings, source: &Source, out: &mut dyn Write) -> Result<(), SimulateError> {
    let Trace { load, skipped } = load_of(source, arguments.reading)?;
    if skipped > 0 {
        writeln!(out, "{skipped} lines left out: no arrival can be read from them\n")?;
    }
    let world = World { threads: own.threads, ..arguments.world.clone() };
    let began_us = monotonic_us();
    let candidates = report::candidates(&world, &load, own);
    let seconds = (monotonic_us() - began_us) as f64 / 1e6;
    write!(out, "{}", report::text(&load, &candidates))?;
    let requests: u64 = candidates.iter().map(|one| one.point.outcome.arrived).sum();
    let rate = requests as f64 / seconds.max(1e-6) / 1e6;
    writeln!(out, "\n{requests} requests simulated in {seconds:.2} s, {rate:.2} million a second")?;
    if let Some(file) = &arguments.svg {
        let runs: Vec<_> = candidates.iter().take(3).map(|one| (one.point.name.clone(), &one.point.outcome)).collect();
        write_file(file, &picture::workers_svg(&load.name, &runs))?;
    }
    Ok(())
}

fn load_of(source: &Source, reading: Reading) -> Result<Trace, SimulateError> {
    match source {
        Source::Trace(path) => trace(path, reading),
        Source::Shape(shape) => {
            let known = load::catalogue(reading.seed);
            let names: Vec<String> = known.iter().map(|load| load.name.clone()).collect();
            let found = known.into_iter().find(|load| load.name.to_lowercase().starts_with(shape));
            let found = found.map(|load| Trace { load, skipped: 0 });
            found.ok_or_else(|| usage(format!("unknown shape {shape}; there are: {}", names.join(", "))))
        }
    }
}

fn trace(path: &Path, reading: Reading) -> Result<Trace, SimulateError> {
    let name = path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    traces::read(&name, &read(path)?, reading).map_err(|source| SimulateError::Trace { path: path.to_owned(), source })
}

fn read(path: &Path) -> Result<String, SimulateError> {
    let failed = |source| SimulateError::File { path: path.to_owned(), source };
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > FILE_MAX {
        return Err(failed(io::Error::other("larger than 2 GiB: cut the log")));
    }
    // logs hold whatever clients sent: bytes that are no text do no harm
    Ok(String::from_utf8_lossy(&fs::read(path).map_err(failed)?).into_owned())
}

fn write_file(path: &Path, text: &str) -> Result<(), SimulateError> {
    fs::write(path, text).map_err(|source| SimulateError::Picture { path: path.to_owned(), source })
}

/// Draws every picture of docs/SCALING.md and prints its tables.
fn pictures(directory: &Path, traces: Option<&Path>, out: &mut dyn Write) -> Result<(), SimulateError> {
    fs::create_dir_all(directory).map_err(|source| SimulateError::Picture { path: directory.to_owned(), source })?;
    burst(directory, out)?;
    at_once(out)?;
    steadiness(out)?;
    cost(out)?;
    let mut loads = load::catalogue(SEED);
    if let Some(traces) = traces {
        let reading = Reading { seed: SEED, ..Reading::default() };
        loads.push(trace(&traces.join("azure-llm-code-2023.csv"), reading)?.load);
        let faster = Reading { speed: 200, ..reading };
        loads.push(trace(&traces.join("nab-elb-request-count.csv"), faster)?.load);
    }
    for (title, suffix, world) in worlds() {
        writeln!(out, "{title}\n")?;
        writeln!(out, "| load | default worker-s | late % | oracle worker-s | late % | rivals below and left |")?;
        writeln!(out, "|---|---|---|---|---|---|")?;
        for load in &loads {
            let plane = plane(&world, load, &settings(2, 40));
            writeln!(out, "{}", report::plane_row(&load.name, &plane))?;
            draw(directory, suffix, load, &plane)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn worlds() -> [(&'static str, &'static str, World); 2] {
    let quick = World::default();
    let slow = World { boot_us: 500_000, ..World::default() };
    [
        ("Quick starts: fork 1 ms, ready 0.5 ms later", "", quick),
        ("Slow starts (lazy-apps): ready 500 ms after the fork", "-slow-start", slow),
    ]
}

fn draw(directory: &Path, suffix: &str, load: &Load, plane: &Plane) -> Result<(), SimulateError> {
    let slug: String = load.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let file = format!("plane-{}{suffix}.svg", slug.to_lowercase());
    write_file(&directory.join(file), &picture::plane_svg(&load.name, &plane.families()))?;
    let Some(default) = plane.default_point().filter(|_| suffix.is_empty()) else { return Ok(()) };
    let mut runs = vec![(default.name.clone(), &default.outcome)];
    for (_, points) in plane.rivals.iter().take(3) {
        runs.extend(points.get(points.len() / 2).map(|point| (point.name.clone(), &point.outcome)));
    }
    let file = format!("workers-{}.svg", slug.to_lowercase());
    write_file(&directory.join(file), &picture::workers_svg(&load.name, &runs))
}

/// 16 clients of 50 ms each, from 2 workers up, for six seconds: picture and table.
fn burst(directory: &Path, out: &mut dyn Write) -> Result<(), SimulateError> {
    let job = load::Job { at_us: 0, compute_us: 500, wait_us: 49_500 };
    let load = Load::closed("16 clients of 50 ms at once", 16, job, 100, 0, 6_000_000);
    let ours = settings(2, 20);
    let spare = Settings { policy: Policy::Spare, step: 2, maximum: 10, ..ours.clone() };
    let letter = Settings { pace: Pace::Ticks, maximum: 20, ..spare.clone() };
    let mut scalers = [
        Scaler::policy(ours),
        Scaler::policy(spare),
        Scaler::policy(letter),
        Scaler::php_fpm(2, 1, 3, 20),
        Scaler::franken_php(2, 20),
        Scaler::Fixed(10),
        Scaler::Fixed(20),
    ];
    let world = World::default();
    let runs: Vec<_> = scalers
        .iter_mut()
        .map(|scaler| {
            let outcome = run(&world, scaler, &load, &mut |_, _| {});
            (scaler.name(), outcome)
        })
        .collect();
    writeln!(out, "The burst: 16 clients of 50 ms each for six seconds\n")?;
    writeln!(out, "| policy | most workers | requests served | p99 wait, ms |")?;
    writeln!(out, "|---|---|---|---|")?;
    for (name, run) in &runs {
        let p99_ms = run.waits.quantile_us(990) as f64 / 1e3;
        writeln!(out, "| {name} | {} | {} | {p99_ms:.1} |", run.workers_max(), run.finished)?;
    }
    writeln!(out)?;
    let named: Vec<_> = runs.iter().map(|(name, outcome)| (name.clone(), outcome)).collect();
    write_file(&directory.join("burst.svg"), &picture::workers_svg(&load.name, &named))
}

/// 16 requests of one second at once on one idle worker, for forks of 1, 2 and 3 ms.
fn at_once(out: &mut dyn Write) -> Result<(), SimulateError> {
    let jobs = vec![load::Job { at_us: 1_000_000, compute_us: 0, wait_us: 1_000_000 }; 16];
    let load = Load::open("16 at once", jobs);
    for fork_us in [1_000, 2_000, 3_000] {
        let world = World { fork_us, ..World::default() };
        let last_us = measured(&world, &load, Scaler::policy(settings(1, 20))).outcome.waits.quantile_us(1000);
        writeln!(
            out,
            "16 at once on 1 worker, fork {} ms: the last waits {:.1} ms",
            fork_us / 1000,
            last_us as f64 / 1e3
        )?;
    }
    Ok(())
}

/// Changes of direction under steady Poisson loads, ten minutes each.
fn steadiness(out: &mut dyn Write) -> Result<(), SimulateError> {
    const MINUTES: u64 = 10;
    let mut each = Vec::new();
    for rate in [20.0, 60.0, 160.0, 400.0] {
        for service in [Service::Exponential(50_000), Service::Exponential(5_000), Service::Fixed(50_000)] {
            for seed in 1..6 {
                let jobs = load::poisson(seed, 60 * MINUTES, rate, |_| rate, service, 20);
                let scaler = Scaler::policy(settings(2, 60));
                let outcome = measured(&World::default(), &Load::open("steady", jobs), scaler).outcome;
                each.push(outcome.reversals.len() as f64 / (6 * MINUTES) as f64);
            }
        }
    }
    let (mean, worst) = (each.iter().sum::<f64>() / each.len() as f64, each.iter().copied().fold(0.0, f64::max));
    writeln!(
        out,
        "changes of direction in 10 s, {} steady runs: {mean:.2} on average, {worst:.2} in the worst",
        each.len()
    )?;
    Ok(())
}

/// What one decision about 1,000 workers takes.
fn cost(out: &mut dyn Write) -> Result<(), SimulateError> {
    for policy in [Policy::Adaptive, Policy::Spare, Policy::Spare2, Policy::Backlog, Policy::Busyness] {
        let (settings, memory, sample) = warmed(policy, 1_000);
        let memories = vec![memory; 1_000];
        let began_us = monotonic_us();
        for memory in memories {
            std::hint::black_box(step(&settings, memory, &sample));
        }
        let each_us = monotonic_us().saturating_sub(began_us) as f64 / 1e3;
        writeln!(out, "{}: {each_us:.2} us a decision", policy.name())?;
    }
    writeln!(out)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Arguments, SimulateError, Source, Task, settings, simulate};
    use crate::exit::Exit;
    use std::ffi::OsString;
    use std::fs;
    use std::path::Path;

    fn parsed(line: &str) -> Result<Arguments, SimulateError> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        Arguments::parse(&words)
    }

    #[test]
    fn options_are_read_and_checked() {
        let arguments = parsed("--ini a.ini --shape flash --boot-ms 2.5 --cores 8 --worker-mb 3").expect("fine");
        assert_eq!((arguments.world.boot_us, arguments.world.cores), (2_500, 8));
        assert_eq!(arguments.world.worker_rss_bytes, 3_145_728);
        assert!(matches!(arguments.task, Task::Compare { source: Source::Shape(_), .. }));
        for wrong in
            ["--ini a.ini", "--shape x", "--ini", "--cores 0 --replay x", "--bogus 1", "--boot-ms -1 --replay x"]
        {
            assert!(matches!(parsed(wrong), Err(SimulateError::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn a_trace_is_compared_and_drawn() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (log, svg) = (directory.path().join("log.csv"), directory.path().join("out.svg"));
        let rows: String = (0..500).map(|number| format!("{}.{:03},0.040\n", number / 50, number % 50 * 20)).collect();
        fs::write(&log, rows).expect("written");
        let line = format!("--ini x --trace {} --svg {}", log.display(), svg.display());
        let mut out = Vec::new();
        simulate(&parsed(&line).expect("fine"), |_| Ok(settings(2, 40)), &mut out).expect("it runs");
        let text = String::from_utf8(out).expect("text");
        assert!(text.contains("500 requests") && text.contains("fixed 40") && text.contains("suggestion"), "{text}");
        assert!(fs::read_to_string(&svg).expect("drawn").starts_with("<svg"));
    }

    #[test]
    fn errors_name_the_file() {
        let refuse = |exit| move |_: &Path| Err(SimulateError::Configuration { text: "no".to_owned(), exit });
        let missing =
            simulate(&parsed("--replay /nonexistent/log").expect("fine"), refuse(Exit::Input), &mut Vec::new());
        assert!(missing.is_err_and(|error| error.to_string().contains("/nonexistent/log")));
        for exit in [Exit::Input, Exit::Configuration] {
            let wrong = simulate(&parsed("--ini x --shape y").expect("fine"), refuse(exit), &mut Vec::new());
            assert_eq!(wrong.map_err(|error| (error.to_string(), error.exit())), Err(("no".to_owned(), exit)));
        }
    }
}
