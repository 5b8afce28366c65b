//! `rhinod simulate`: tries the policies of a configuration out on recorded or generated load, and replays recorded
//! decisions. A thin driver: reads files, calls `scaling::simulator` and `scaling::decision_log`, prints. Runs in a
//! process of its own, never in a server. The study that docs/SCALING-STUDY.md shows is made by `bench/src/bin/study`.

mod arguments;
mod assumptions;
mod error;
mod usage;

pub use arguments::{Arguments, Source, Task};
pub use error::SimulateError;
pub use usage::USAGE;

use crate::config::model::Config;
use crate::failure::StartFailure;
use crate::scaling::Settings;
use crate::scaling::decision_log;
use crate::scaling::simulator::traces::{self, Gaps, Reading, Trace};
use crate::scaling::simulator::{World, load, picture, report};
use crate::sys::clock::monotonic_us;
use arguments::usage;
use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// Largest log that is read.
const FILE_MAX: u64 = 2 << 30;

/// Carries the word out as it was typed: `read` reads a configuration, the output is standard output.
pub(crate) fn carry_out(
    arguments: &[OsString],
    read: impl FnOnce(&Path) -> Result<Config, StartFailure>,
) -> Result<(), StartFailure> {
    if arguments.first().is_some_and(|first| first == "--help" || first == "-h") {
        // A reader that has gone (`| head`) is no error of ours.
        let _ = io::stdout().write_all(USAGE.as_bytes());
        return Ok(());
    }
    let settings_of = |ini: &Path| {
        let settings = read(ini).map(|config| Settings::of(&config));
        settings.map_err(|failure| SimulateError::Configuration { text: failure.message, exit: failure.exit })
    };
    let outcome =
        Arguments::parse(arguments).and_then(|arguments| simulate(&arguments, settings_of, &mut io::stdout().lock()));
    match outcome {
        Ok(()) => Ok(()),
        // As above.
        Err(SimulateError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(StartFailure::new(error.exit(), error.to_string())),
    }
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
    let Trace { load, gaps } = load_of(source, arguments.reading)?;
    let own_cores = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
    let cores = if arguments.has_cores { arguments.world.cores } else { own_cores };
    let world = World { threads: own.threads, cores, ..arguments.world.clone() };
    write!(out, "{}", assumptions::text(arguments, &world, gaps))?;
    let began_us = monotonic_us();
    let candidates = report::candidates(&world, &load, own);
    let seconds = (monotonic_us() - began_us) as f64 / 1e6;
    write!(out, "{}", report::text(&world, &load, &candidates))?;
    let requests: u64 = candidates.iter().map(|one| one.trial.outcome.arrived).sum();
    let rate = requests as f64 / seconds.max(1e-6) / 1e6;
    writeln!(out, "\n{requests} requests simulated in {seconds:.2} s, {rate:.2} million a second")?;
    if let Some(file) = &arguments.svg {
        let runs: Vec<_> = candidates.iter().take(3).map(|one| (one.trial.name.clone(), &one.trial.outcome)).collect();
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
            let found = found.map(|load| Trace { load, gaps: Gaps::default() });
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

#[cfg(test)]
mod tests {
    use super::{Arguments, SimulateError, simulate};
    use crate::config::model::Policy;
    use crate::exit::Exit;
    use crate::scaling::Pace;
    use crate::scaling::fixture::settings;
    use std::ffi::OsString;
    use std::fs;
    use std::path::Path;

    fn parsed(line: &str) -> Result<Arguments, SimulateError> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        Arguments::parse(&words)
    }

    #[test]
    fn a_trace_is_compared_and_drawn() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (log, svg) = (directory.path().join("log.csv"), directory.path().join("out.svg"));
        let rows: String = (0..500).map(|number| format!("{}.{:03},0.040\n", number / 50, number % 50 * 20)).collect();
        fs::write(&log, rows).expect("written");
        let line = format!("--ini x --trace {} --svg {}", log.display(), svg.display());
        let mut out = Vec::new();
        simulate(&parsed(&line).expect("fine"), |_| Ok(settings(Policy::Adaptive, Pace::Events, 2, 40)), &mut out)
            .expect("it runs");
        let text = String::from_utf8(out).expect("text");
        assert!(text.starts_with("assumed:\n") && text.contains("cores"), "{text}");
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
