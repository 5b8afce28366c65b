//! The command line of `rhinod simulate`: what it takes, read and checked. No file is opened here.

use super::error::SimulateError;
use crate::scaling::simulator::World;
use crate::scaling::simulator::traces::Reading;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The command line, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    /// What to do.
    pub task: Task,
    /// Where to draw the workers over time.
    pub svg: Option<PathBuf>,
    /// The machine.
    pub world: World,
    /// Whether `--cores` was given; else they are this machine's.
    pub has_cores: bool,
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
        Ok(Arguments { task, svg: given.svg, world: given.world, has_cores: given.has_cores, reading: given.reading })
    }
}

#[derive(Default)]
struct Given {
    ini: Option<PathBuf>,
    trace: Option<PathBuf>,
    shape: Option<String>,
    replay: Option<PathBuf>,
    svg: Option<PathBuf>,
    world: World,
    has_cores: bool,
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
            "--svg" => self.svg = Some(given.into()),
            "--cores" => {
                self.world.cores = whole(name, value, 1, 4096)? as u32;
                self.has_cores = true;
            }
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
        let source = match (self.trace.take(), self.shape.take()) {
            (Some(trace), None) => Source::Trace(trace),
            (None, Some(shape)) => Source::Shape(shape),
            _ => return Err(usage("one of --trace, --shape and --replay is needed".to_owned())),
        };
        let ini = self.ini.take().ok_or_else(|| usage("--ini FILE is needed".to_owned()))?;
        Ok(Task::Compare { ini, source })
    }
}

pub(super) fn usage(text: String) -> SimulateError {
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

#[cfg(test)]
mod tests {
    use super::{Arguments, Source, Task};
    use crate::simulate::SimulateError;
    use std::ffi::OsString;

    fn parsed(line: &str) -> Result<Arguments, SimulateError> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        Arguments::parse(&words)
    }

    #[test]
    fn options_are_read_and_checked() {
        let arguments = parsed("--ini a.ini --shape flash --boot-ms 2.5 --cores 8 --worker-mb 3").expect("fine");
        assert_eq!((arguments.world.boot_us, arguments.world.cores, arguments.has_cores), (2_500, 8, true));
        assert_eq!(arguments.world.worker_rss_bytes, 3_145_728);
        assert!(matches!(arguments.task, Task::Compare { source: Source::Shape(_), .. }));
        for wrong in
            ["--ini a.ini", "--shape x", "--ini", "--cores 0 --replay x", "--bogus 1", "--boot-ms -1 --replay x"]
        {
            assert!(matches!(parsed(wrong), Err(SimulateError::Usage(_))), "{wrong}");
        }
    }
}
