//! Replacing the master's own binary in place: same pid, and zygotes, workers, sockets and scoreboard go on. Master only.
//!
//! The old image writes down what it holds (a [`Handover`], in memory behind a descriptor), has the new binary say that
//! it understands it, and executes it. Descriptors pass through the exec by their numbers. All signals are blocked from
//! before the exec until the new image hears them, so that none is lost and none kills.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use mio::Poll;

use super::children::{Children, ChildrenHandover};
use super::decisions::{DecisionFile, DecisionFileHandover};
use super::descriptors::{DescriptorHandover, Descriptors};
use super::files::PidFiles;
use super::machine::{Announcement, Machine, Snapshot, Time};
use super::operator::Operators;
use super::passed::Passed;
use super::signals::Signals;
use super::{Driver, Parts, ReadConfig, startup};
use crate::config::model::{Config, Listener};
use crate::failure::StartFailure;
use crate::scaling::Memory;
use crate::sys::clock::monotonic_us;
use crate::sys::listeners::BoundSocket;
use crate::sys::process;
use crate::sys::shared_memory::memory_file;
use crate::sys::wait::Doorbell;

/// The argument that makes a binary the next image of a master; the number of the handover's descriptor follows, the
/// directory that the first image was started in, and the arguments of that.
pub(crate) const ADOPT_ARGUMENT: &str = "__adopt";

/// The argument that asks a binary whether it understands a handover.
pub(crate) const UNDERSTAND_ARGUMENT: &str = "__understand";

/// Everything that the next image must know.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Handover {
    pub(super) snapshot: Snapshot,
    pub(super) config: Config,
    pub(super) children: ChildrenHandover,
    pub(super) sockets: Vec<SocketHandover>,
    pub(super) bell: Passed,
    pub(super) descriptors: Vec<DescriptorHandover>,
    pub(super) operators: Passed,
    pub(super) fifo_slot: usize,
    pub(super) pid_files: Vec<PathBuf>,
    pub(super) decisions: Option<DecisionFileHandover>,
    pub(super) scaling: Memory,
    /// Whether the application's processes may not look into the master, which an exec would make them.
    #[serde(default)]
    pub(super) closed: bool,
}

/// A listening socket on its way to the next image.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SocketHandover {
    listener: Listener,
    file: Option<(PathBuf, u64, u64)>,
    activated: bool,
    descriptor: Passed,
}

impl SocketHandover {
    pub(super) fn of(socket: &BoundSocket) -> io::Result<Self> {
        Ok(Self {
            listener: socket.listener.clone(),
            file: socket.file.clone(),
            activated: socket.activated,
            descriptor: Passed::on(socket)?,
        })
    }

    pub(super) fn adopt(self) -> io::Result<BoundSocket> {
        let descriptor = self.descriptor.take()?;
        BoundSocket::adopt(self.listener, descriptor, self.file, self.activated)
    }
}

impl Handover {
    /// Executes the binary at `path` as the next image. Comes back only with the reason why not, and then nothing has
    /// changed.
    pub(super) fn execute(&self, path: &Path) -> io::Error {
        match self.prepare(path) {
            Ok((program, arguments, environment)) => {
                let blocked = process::block_signals();
                let error = process::exec(&program, &arguments, &environment);
                process::unblock_signals(blocked);
                error
            }
            Err(error) => error,
        }
    }

    #[allow(clippy::type_complexity)]
    fn prepare(&self, path: &Path) -> io::Result<(CString, Vec<CString>, Vec<CString>)> {
        let file = memory_file(&serde_json::to_vec(self)?)?;
        process::inherit(file.as_fd())?;
        let number = file.as_raw_fd().to_string();
        let understood = Command::new(path).args([UNDERSTAND_ARGUMENT, &number]).stdin(Stdio::null()).status()?;
        if !understood.success() {
            return Err(io::Error::other(format!("{} does not understand this master: {understood}", path.display())));
        }
        // The file is the next image's to read; from here on this one does not close it.
        let _kept: RawFd = file.into_raw_fd();
        let name = arguments().first().cloned().unwrap_or_else(|| OsString::from("rhinod"));
        let adopt = [name, OsString::from(ADOPT_ARGUMENT), OsString::from(number), start_directory()?.into_os_string()];
        let words = adopt.into_iter().chain(first_arguments());
        let words = words.map(|word| CString::new(word.into_vec())).collect::<Result<Vec<_>, _>>()?;
        let variables = std::env::vars_os().map(|(name, value)| {
            let mut pair = name.into_vec();
            pair.push(b'=');
            pair.extend_from_slice(value.as_bytes());
            CString::new(pair)
        });
        let environment = variables.collect::<Result<Vec<_>, _>>()?;
        Ok((CString::new(path.as_os_str().as_bytes())?, words, environment))
    }

    /// Reads what the image before has left behind a descriptor.
    pub(crate) fn read(number: RawFd) -> io::Result<Self> {
        let file = std::fs::File::from(process::adopt_descriptor(number)?);
        Self::parse(file)
    }

    /// Whether this image could go on with what was left: asked in a process of its own, while the image before can
    /// still go on itself.
    ///
    /// # Errors
    /// What it could not use.
    pub(crate) fn judge(self) -> io::Result<()> {
        self.children.judge()
    }

    fn parse(mut file: std::fs::File) -> io::Result<Self> {
        use std::io::Seek;
        // The image before and the check have both been at its end.
        file.rewind()?;
        serde_json::from_reader(io::BufReader::new(file)).map_err(io::Error::other)
    }
}

/// Goes on as the next image of a master that has replaced its own binary.
///
/// # Errors
/// When what was handed over cannot be used: the old image has asked before, so that this is a fault of the system.
pub(crate) fn resume(handover: Handover, read: ReadConfig<'_>) -> Result<i32, StartFailure> {
    if handover.closed {
        process::forbid_steering().map_err(|error| StartFailure::system("keep the application out", &error))?;
    }
    let signals = Signals::install().map_err(|error| StartFailure::system("install signal handlers", &error))?;
    process::unblock_signals(nix::sys::signal::SigSet::empty());
    crate::logging::stamp_lines(&handover.config.logging);
    startup::title_master(&handover.config);
    let adopted = || -> io::Result<(Parts, Option<DecisionFile>)> {
        let poll = Poll::new()?;
        let children = Children::adopt(handover.children, &poll)?;
        let sockets = handover.sockets.into_iter().map(SocketHandover::adopt).collect::<io::Result<_>>()?;
        let bell = Doorbell::from_owned(handover.bell.take()?);
        let operators = Operators::adopt(handover.operators.take()?, &poll)?;
        let descriptors = Descriptors::adopt(handover.descriptors)?;
        let machine = Machine::adopt(Time(monotonic_us()), handover.snapshot).map_err(io::Error::other)?;
        let decisions = handover.decisions.map(DecisionFile::adopt).transpose()?;
        let fifo_slot = handover.fifo_slot;
        let parts = Parts { poll, machine, children, bell, operators, descriptors, sockets, fifo_slot };
        Ok((parts, decisions))
    };
    let (parts, decisions) =
        adopted().map_err(|error| StartFailure::system("take over from the image before", &error))?;
    let pid_files = PidFiles::adopt(handover.pid_files);
    let mut driver = Driver::new(handover.config, read, signals, parts, pid_files)?;
    driver.has_served = true;
    driver.scaler.record_to(decisions);
    driver.scaler.remember(handover.scaling);
    log::info!("the master (pid {}) runs version {} now", std::process::id(), env!("CARGO_PKG_VERSION"));
    driver.notifier.announce(&Announcement::Ready);
    // Children that ended while nobody listened.
    driver.reap();
    driver.look_due = true;
    driver.scale();
    driver.run()
}

impl Driver<'_> {
    /// Executes the binary that is now where ours was. When that cannot be done, nothing has changed.
    pub(super) fn upgrade(&mut self) {
        let mut hand_over = || -> io::Result<Handover> {
            Ok(Handover {
                snapshot: self.machine.snapshot(),
                config: self.config.clone(),
                children: self.children.hand_over()?,
                sockets: self.sockets.iter().map(SocketHandover::of).collect::<io::Result<_>>()?,
                bell: Passed::on(&self.bell)?,
                descriptors: self.descriptors.hand_over()?,
                operators: Passed::on(self.operators.listener())?,
                fifo_slot: self.fifos.slot(),
                pid_files: self.pid_files.paths().to_vec(),
                decisions: self.scaler.recording().map(|file| file.hand_over()).transpose()?,
                scaling: self.scaler.memory().clone(),
                closed: !process::may_be_steered(),
            })
        };
        let path = self.children.own_path();
        log::info!("re-executing the master from {}", path.display());
        let error = match hand_over() {
            Ok(handover) => handover.execute(path),
            Err(error) => error,
        };
        log::error!("the master was not replaced and goes on: {error}");
        // Zygotes that are executed from here on must not inherit what was meant to pass.
        process::close_strangers_on_exec();
    }
}

/// The arguments that the very first image was called with.
pub(crate) fn first_arguments() -> impl Iterator<Item = OsString> {
    let own = arguments().iter().skip(1);
    own.skip(if is_next_image() { 3 } else { 0 }).cloned()
}

/// The directory that the very first image was started in. The first call comes before `chdir`.
pub(crate) fn start_directory() -> io::Result<PathBuf> {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    if let Some(known) = DIRECTORY.get() {
        return Ok(known.clone());
    }
    let handed = arguments().get(3).filter(|_| is_next_image());
    let directory = handed.map_or_else(std::env::current_dir, |directory| Ok(directory.into()))?;
    Ok(DIRECTORY.get_or_init(|| directory).clone())
}

fn is_next_image() -> bool {
    arguments().get(1).is_some_and(|first| first == ADOPT_ARGUMENT)
}

/// What this image was called with. The first call comes before a title takes the place of the arguments.
fn arguments() -> &'static [OsString] {
    static ARGUMENTS: OnceLock<Vec<OsString>> = OnceLock::new();
    ARGUMENTS.get_or_init(|| std::env::args_os().collect())
}
