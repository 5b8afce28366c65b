//! Finds a daemon by its pid file, if one lives that the file means. Judged in `pid_file`; read here. Master only.

use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::Uid;
use worker_protocol::ids::ProcessId;

use super::command::Program;
use super::pid_file::{Doubt, Facts, Found};
use crate::config::model::Daemon;
use crate::sys::files::open_regular;
use crate::sys::process::PidFd;
use crate::sys::processes;

/// More than a number can be long.
const TEXT_BYTES_MAX: u64 = 64;

/// What a pid file says.
pub(crate) enum Sight {
    /// There is none, or it names nobody.
    Nobody,
    /// It names a process, but not ours, and why.
    Doubtful(String),
    /// The daemon.
    Lives(ProcessId, PidFd),
}

/// Looks for the process that the pid file of a daemon names.
pub(crate) fn look(daemon: &Daemon) -> Sight {
    let Some(path) = &daemon.pidfile else { return Sight::Nobody };
    let found = match read(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Sight::Nobody,
        Err(error) => return Sight::Doubtful(format!("{}: {error}", path.display())),
    };
    match find(&found, daemon) {
        Ok(Some((pid, pidfd))) => Sight::Lives(pid, pidfd),
        // What is about to be written is empty for a moment.
        Ok(None) | Err(Doubt::Dead(_) | Doubt::NoNumber) => Sight::Nobody,
        Err(doubt) => Sight::Doubtful(format!("{}: {doubt}", path.display())),
    }
}

/// The process is held before it is judged, so that it is the same one afterwards.
fn find(found: &Found, daemon: &Daemon) -> Result<Option<(ProcessId, PidFd)>, Doubt> {
    let pid = found.number()?;
    let Ok(pidfd) = PidFd::open(pid) else { return Ok(None) };
    let facts = processes::facts(pid.get()).map(|facts| {
        let processes::ProcessFacts { user, began_us, arguments } = facts;
        Facts { user, began_us, arguments }
    });
    let program = Program::of(&daemon.command);
    found.judge(pid, facts.as_ref(), Uid::effective().as_raw(), program.name())?;
    Ok(Some((pid, pidfd)))
}

fn read(path: &Path) -> io::Result<Found> {
    let file = open_regular(path)?;
    let about = file.metadata()?;
    let mut text = String::new();
    file.take(TEXT_BYTES_MAX).read_to_string(&mut text)?;
    let seconds = u64::try_from(about.mtime()).unwrap_or(0);
    let written_us = seconds * 1_000_000 + u64::try_from(about.mtime_nsec()).unwrap_or(0) / 1_000;
    Ok(Found { text, owner: about.uid(), written_us })
}
