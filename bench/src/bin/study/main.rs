//! `study`: makes the pictures of docs/SCALING.md and docs/SCALING-STUDY.md and prints their tables. `make study` calls it.
//!
//! Only the command line and the order of things are here. The model that everything is tried in is the product's own
//! (`rhinod::scaling::simulator`), so are the decisions; what is here only compares. One seed, one result, but for the
//! time of a decision. Exit code 0: everything is written; 1: something could not be read or written.

mod cost;
mod drawing;
mod outer;
mod plane;
mod rivals;
mod sharing;
mod tables;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::prelude::*;
use rhinod::scaling::simulator::picture::workers_svg;
use rhinod::scaling::simulator::traces::{self, Reading};
use rhinod::scaling::simulator::{Load, World, load};

use crate::drawing::plane_svg;
use crate::plane::Plane;
use crate::rivals::settings;

const USAGE: &str = "\
usage: study [--traces DIR] [--many] DIRECTORY
  Writes the pictures of docs/SCALING.md and docs/SCALING-STUDY.md into DIRECTORY and prints their tables.
  --many            only those of several instances and several sites
  --traces DIR      adds the two public traces, azure-llm-code-2023.csv and nab-elb-request-count.csv";

const SEED: u64 = 7;

const AZURE: &str = "azure-llm-code-2023.csv";
const NAB: &str = "nab-elb-request-count.csv";

/// Bounds of the number of workers that everything on a plane has.
const MINIMUM: u32 = 2;
const MAXIMUM: u32 = 40;

struct Given {
    directory: PathBuf,
    traces: Option<PathBuf>,
    many_only: bool,
}

/// What could not be done, and with which file.
#[derive(Debug, thiserror::Error)]
enum StudyError {
    #[error("{0}")]
    Usage(String),
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read {path}: {text}")]
    Trace { path: PathBuf, text: String },
    #[error("cannot write the tables: {0}")]
    Output(#[from] io::Error),
}

fn main() -> ExitCode {
    let outcome = parse(lexopt::Parser::from_env()).and_then(|given| match given {
        Some(given) => study(&given, &mut io::stdout().lock()),
        None => Ok(writeln!(io::stdout(), "{USAGE}")?),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("study: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `None`: only the usage is asked for.
fn parse(mut arguments: lexopt::Parser) -> Result<Option<Given>, StudyError> {
    let (mut directory, mut traces, mut many_only) = (None, None, false);
    let mut read = || -> Result<bool, lexopt::Error> {
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("traces") => traces = Some(arguments.value()?.into()),
                Long("many") => many_only = true,
                Long("help") => return Ok(true),
                Value(value) if directory.is_none() => directory = Some(value.into()),
                other => return Err(other.unexpected()),
            }
        }
        Ok(false)
    };
    if read().map_err(|error| StudyError::Usage(format!("{error}\n{USAGE}")))? {
        return Ok(None);
    }
    let directory = directory.ok_or_else(|| StudyError::Usage(USAGE.to_owned()))?;
    Ok(Some(Given { directory, traces, many_only }))
}

fn study(given: &Given, out: &mut dyn Write) -> Result<(), StudyError> {
    let directory = &given.directory;
    fs::create_dir_all(directory).map_err(|source| StudyError::Write { path: directory.clone(), source })?;
    many(given, out)?;
    if given.many_only {
        return Ok(());
    }
    let mut loads = load::catalogue(SEED);
    if let Some(traces) = &given.traces {
        loads.extend(recorded(traces)?);
    }
    write_file(&directory.join("burst.svg"), &tables::burst(out)?)?;
    tables::at_once(out)?;
    tables::steadiness(out)?;
    cost::cost(out)?;
    planes(directory, &loads, out)
}

/// The two public traces.
fn recorded(traces: &Path) -> Result<[Load; 2], StudyError> {
    let reading = Reading { seed: SEED, ..Reading::default() };
    Ok([trace(&traces.join(AZURE), reading)?, trace(&traces.join(NAB), Reading { speed: 200, ..reading })?])
}

/// Several instances, and several sites.
fn many(given: &Given, out: &mut dyn Write) -> Result<(), StudyError> {
    let mut loads = outer::loads(SEED);
    let mut mixed: Vec<Load> = load::catalogue(SEED).into_iter().skip(2).take(2).collect();
    if let Some(traces) = &given.traces {
        let reading = Reading { seed: SEED, ..Reading::default() };
        loads.push(outer::longer(trace(&traces.join(AZURE), reading)?));
        loads.push(trace(&traces.join(NAB), Reading { speed: 20, service_us: 500_000, ..reading })?);
        mixed = recorded(traces)?.into();
    }
    for (name, picture) in outer::outer(&loads, out)? {
        write_file(&given.directory.join(format!("instances-{}.svg", slug(&name))), &picture)?;
    }
    write_file(&given.directory.join("sharing.svg"), &sharing::sharing(&mixed, out)?)
}

fn trace(path: &Path, reading: Reading) -> Result<Load, StudyError> {
    let failed = |text: String| StudyError::Trace { path: path.to_owned(), text };
    let name = path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    traces::read(&name, &text, reading).map(|trace| trace.load).map_err(|error| failed(error.to_string()))
}

/// Every load under quick and under slow starts: a picture and a row each.
fn planes(directory: &Path, loads: &[Load], out: &mut dyn Write) -> Result<(), StudyError> {
    for (title, suffix, world) in worlds() {
        writeln!(out, "{title}\n")?;
        writeln!(out, "| load | default worker-s | late % | oracle worker-s | late % | rivals below and left |")?;
        writeln!(out, "|---|---|---|---|---|---|")?;
        for load in loads {
            let plane = Plane::of(&world, load, &settings(MINIMUM, MAXIMUM));
            writeln!(out, "{}", plane.row(&load.name))?;
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

/// The plane, and under quick starts the workers over time of the default and of some rivals.
fn draw(directory: &Path, suffix: &str, load: &Load, plane: &Plane) -> Result<(), StudyError> {
    let slug = slug(&load.name);
    write_file(&directory.join(format!("plane-{slug}{suffix}.svg")), &plane_svg(&load.name, plane))?;
    let Some(default) = plane.default_point().filter(|_| suffix.is_empty()) else { return Ok(()) };
    let mut runs = vec![(default.name.clone(), &default.outcome)];
    for (_, trials) in plane.rivals.iter().take(3) {
        runs.extend(trials.get(trials.len() / 2).map(|trial| (trial.name.clone(), &trial.outcome)));
    }
    write_file(&directory.join(format!("workers-{slug}.svg")), &workers_svg(&load.name, &runs))
}

fn slug(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

fn write_file(path: &Path, text: &str) -> Result<(), StudyError> {
    fs::write(path, text).map_err(|source| StudyError::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::{parse, planes};
    use rhinod::scaling::simulator::{Job, Load};
    use std::fs;

    #[test]
    fn a_load_is_drawn_under_quick_and_under_slow_starts() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let jobs = (0..200).map(|number| Job { at_us: number * 20_000, compute_us: 0, wait_us: 50_000 }).collect();
        let mut out = Vec::new();
        planes(directory.path(), &[Load::open("Two words", jobs)], &mut out).expect("it is written");
        for name in ["plane-two-words.svg", "plane-two-words-slow-start.svg", "workers-two-words.svg"] {
            let picture = fs::read_to_string(directory.path().join(name)).expect(name);
            assert!(picture.starts_with("<svg") && picture.contains("Two words"), "{name}");
        }
        let text = String::from_utf8(out).expect("text");
        assert_eq!(text.matches("| Two words |").count(), 2, "{text}");
    }

    #[test]
    fn a_directory_is_needed_and_one_only() {
        let parsed = |words: &[&str]| parse(lexopt::Parser::from_args(words)).is_ok_and(|given| given.is_some());
        assert!(parsed(&["out"]) && parsed(&["out", "--traces", "t"]));
        assert!(!parsed(&[]) && !parsed(&["one", "two"]) && !parsed(&["--traces"]));
    }
}
