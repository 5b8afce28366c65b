//! Whether the binary that is now where ours was could go on for this master: asked of the binary itself, in a process of
//! its own, for which nobody waits. The old image's side.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal;

use super::super::machine::{ExitStatus, ProcessId};
use super::images::{UNDERSTAND_ARGUMENT, UNDERSTOOD, call};
use crate::sys::clock::monotonic_us;
use crate::sys::process::PidFd;

/// How long it may take to answer: it is executed, reads a few kilobytes and looks at some descriptors.
const PATIENCE_US: u64 = 5_000_000;

/// Most that is read of what it says.
const WORDS_BYTES_MAX: u64 = 2_000;

/// How far the replacement of the master has come.
pub(in crate::master) enum Upgrade {
    /// Nobody wants it.
    None,
    /// The binary has not answered yet.
    Asked(Question),
    /// It has answered that it could go on, and is to be executed as soon as nothing is half done.
    Understood(Binary),
}

/// Which file is meant: another one in its place has not been asked.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::master) struct Binary {
    pub(super) path: PathBuf,
    /// Device, inode, size, seconds and nanoseconds of the last change.
    identity: [i64; 5],
}

/// A question that waits for its answer.
pub(in crate::master) struct Question {
    binary: Binary,
    pid: ProcessId,
    process: PidFd,
    deadline_us: u64,
    said: File,
    complained: File,
    /// Until it has been read.
    _handover: OwnedFd,
}

impl Upgrade {
    /// When the answer is due.
    pub(in crate::master) fn due_us(&self) -> Option<u64> {
        match self {
            Self::Asked(question) => Some(question.deadline_us),
            Self::None | Self::Understood(_) => None,
        }
    }
}

impl Binary {
    /// The file that is there now.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let found = fs::metadata(path)?;
        let identity = [
            found.dev().cast_signed(),
            found.ino().cast_signed(),
            found.size().cast_signed(),
            found.mtime(),
            found.mtime_nsec(),
        ];
        Ok(Self { path: path.to_owned(), identity })
    }
}

impl Question {
    /// Asks a binary. The descriptors that the handover names are to pass through an exec at this moment.
    pub(super) fn ask(binary: Binary, handover: OwnedFd) -> io::Result<Self> {
        let words = call(UNDERSTAND_ARGUMENT, handover.as_fd().as_raw_fd())?;
        let mut command = Command::new(&binary.path);
        command.args(words.iter().skip(1));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(ProcessId::new);
        let pid = pid.ok_or_else(|| io::Error::other("the system gave an impossible process id"))?;
        let missing = || io::Error::other("there is no pipe to hear it by");
        let said: OwnedFd = child.stdout.take().ok_or_else(missing)?.into();
        let complained: OwnedFd = child.stderr.take().ok_or_else(missing)?.into();
        for pipe in [&said, &complained] {
            fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        Ok(Self {
            binary,
            pid,
            process: PidFd::open(pid)?,
            deadline_us: monotonic_us().saturating_add(PATIENCE_US),
            said: said.into(),
            complained: complained.into(),
            _handover: handover,
        })
    }

    /// Whether a process that has ended is the one that was asked.
    pub(super) fn is_of(&self, pid: ProcessId) -> bool {
        self.pid == pid
    }

    /// The binary, if it said that it could go on before it ended; else why not.
    pub(super) fn answer(mut self, status: ExitStatus) -> Result<Binary, String> {
        let understood = words(&mut self.said).lines().any(|line| line == UNDERSTOOD.trim_end());
        if understood && status == ExitStatus::Code(0) {
            return Ok(self.binary);
        }
        let complaint = one_line(&words(&mut self.complained));
        let path = self.binary.path.display();
        Err(if complaint.is_empty() {
            format!("{path} does not say that it understands this master: it {status}")
        } else {
            format!("{path} does not understand this master: {complaint}")
        })
    }

    /// Ends the process that was asked, which has not answered; why there is no upgrade then.
    pub(super) fn give_up(mut self) -> String {
        if let Err(error) = self.process.signal(Signal::SIGKILL) {
            log::error!("cannot kill process {}: {error}", self.pid);
        }
        let complaint = one_line(&words(&mut self.complained));
        let path = self.binary.path.display();
        let said = if complaint.is_empty() { String::new() } else { format!("; it said: {complaint}") };
        format!("{path} did not say within {} s that it understands this master{said}", PATIENCE_US / 1_000_000)
    }
}

/// What is in a pipe, as far as it is of interest.
fn words(pipe: &mut File) -> String {
    let mut bytes = Vec::new();
    // It ends with what there is: nobody waits for more.
    let _ = pipe.take(WORDS_BYTES_MAX).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// As one line that cannot be taken for another one, without the name that our complaints begin with.
fn one_line(text: &str) -> String {
    let lines = text.lines().map(|line| line.strip_prefix("rhinod: ").unwrap_or(line).escape_debug().to_string());
    lines.collect::<Vec<_>>().join("; ")
}
