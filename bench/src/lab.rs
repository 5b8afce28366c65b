//! Where and how the measurements run: programs, sizes of the runs, the wish to stop.
//!
//! One value that every scenario gets. Runs in the measuring process; rivals are installed by a script of the tests, so
//! that tests and measurements use the same ones.

use std::env;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::pythons;
use loadgen::client::{Load, Report};
use loadgen::packet::PacketError;

/// Why a scenario has no result.
#[derive(Debug, Error)]
pub enum Error {
    /// Something of the machine failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// The cause.
        source: io::Error,
    },
    /// A signal asked for the end.
    #[error("interrupted")]
    Interrupted,
    /// A program is not there: the contender is left out.
    #[error("{0}")]
    Unavailable(String),
    /// A server did not do what it was started for.
    #[error("{server}: {reason}; the end of its log:\n{log}")]
    Server {
        /// Which one.
        server: String,
        /// What went wrong.
        reason: String,
        /// The last lines it wrote.
        log: String,
    },
    /// The request cannot be sent.
    #[error(transparent)]
    Packet(#[from] PacketError),
}

/// Says what was being done when an error of the machine came up.
pub fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let what = what.into();
    move |source| {
        if source.kind() == io::ErrorKind::Interrupted { Error::Interrupted } else { Error::Io { what, source } }
    }
}

/// Sizes of the runs.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// How often each contender is measured.
    pub rounds: usize,
    /// Requests of one measurement.
    pub requests: u64,
    /// Clients of the closed loops that measure CPU time.
    pub clients: usize,
    /// Longest time of a load that would go on for half a minute or more: to try a scenario out.
    pub time_max: Option<Duration>,
}

/// Everything a scenario needs to know about its surroundings.
#[derive(Debug, Clone)]
pub struct Lab {
    /// Directory of the built programs: `floor`, `rhinod`, `examples/hello`.
    pub programs: PathBuf,
    /// The project.
    pub root: PathBuf,
    /// Sizes of the runs.
    pub sizes: Sizes,
    /// Whether rivals take part.
    pub rivals: bool,
    /// The Python that rivals and frameworks are installed with, if it is not `python3`, and its version.
    pub python: Option<(PathBuf, String)>,
    /// Set when the run is to end.
    pub stop: Arc<AtomicBool>,
}

impl Lab {
    /// A program beside this one.
    pub(crate) fn program(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.programs.join(name);
        if path.is_file() { Ok(path) } else { Err(Error::Unavailable(format!("{} is not built", path.display()))) }
    }

    /// A rival's program, installed if need be by `tests/rivals/NAME.sh`, which prints its path.
    pub(crate) fn rival(&self, name: &str) -> Result<PathBuf, Error> {
        if !self.rivals {
            return Err(Error::Unavailable(format!("{name}: rivals are left out on request")));
        }
        let script = self.root.join("tests/rivals").join(format!("{name}.sh"));
        let mut command = Command::new(&script);
        if let Some((python, version)) = &self.python {
            // Beside those of another Python.
            let built = env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.root.join("target"), PathBuf::from);
            command.env("RHINOD_RIVAL_PYTHON", python);
            command.env("CARGO_TARGET_DIR", built.join(format!("python-{version}")));
        }
        let output = command.current_dir(&self.root).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
        let output = output.map_err(|error| Error::Unavailable(format!("{}: {error}", script.display())))?;
        let text = String::from_utf8_lossy(&output.stdout);
        match text.lines().last() {
            Some(path) if output.status.success() && Path::new(path).is_file() => Ok(PathBuf::from(path)),
            _ => Err(Error::Unavailable(format!("{name} could not be installed ({})", output.status))),
        }
    }

    /// The same with one of these minor versions of Python 3 where there is one, and which it is.
    pub(crate) fn in_python(&self, minors: RangeInclusive<u32>) -> (Self, String) {
        let Some(python) = pythons::one_of(minors) else { return (self.clone(), "Python".to_owned()) };
        let name = format!("Python {}", python.version);
        (Self { python: Some((python.path, python.version)), ..self.clone() }, name)
    }

    /// Fails when the run is to end.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub fn check_stop(&self) -> Result<(), Error> {
        if self.stop.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// The time of a long load, or what there is for it.
    pub(crate) fn at_most(&self, time: Duration) -> Duration {
        self.sizes.time_max.map_or(time, |most| time.min(most))
    }

    /// Waits, because time passing is what is measured.
    pub(crate) fn pause(&self, length: Duration) -> Result<(), Error> {
        let end = Instant::now() + length;
        loop {
            self.check_stop()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }

    /// Runs a load to its end.
    pub(crate) fn run(&self, load: &Load) -> Result<Report, Error> {
        let report = load.run(&self.stop).map_err(io_error(format!("load on {}", load.target)))?;
        self.check_stop()?;
        Ok(report)
    }
}
