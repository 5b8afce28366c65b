//! Where a vassal is listened for that its first connection starts: at the address in a file beside its own, in a directory,
//! or at one that a command prints (uWSGI's manual, "On demand vassals"). Nobody waits for such a command. Emperor only.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use worker_protocol::ids::ProcessId;

use super::monitors::Candidate;
use crate::config::model::{Address, Listener, OnDemand};
use crate::sys::clock::monotonic_us;
use crate::sys::listeners::{BindOptions, BoundSocket};
use crate::sys::process::keep_signals;
use crate::sys::spawn::signal_group;

/// Length of the queue in which connections wait for a vassal that sleeps.
const BACKLOG: u32 = 128;

/// How many commands may be asked at once, how long each may take, and how much of what it prints is read.
const QUESTIONS_MAX: usize = 16;
const WITHIN_US: u64 = 10_000_000;
const BYTES_MAX: usize = 4096;

/// Where a vassal is to be waited for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere: it is started at once.
    Nowhere,
    /// There.
    At(Address),
    /// Where this command says.
    Asked(String),
}

/// The place of one: by the first of the ways that the configuration has.
pub(super) fn place_of(on_demand: &OnDemand, name: &str, path: &Path) -> Result<Place, String> {
    if let Some(extension) = &on_demand.extension {
        let mut file = path.as_os_str().to_owned();
        file.push(extension);
        let told = |reason: String| format!("{}: {reason}", Path::new(&file).display());
        return match std::fs::read_to_string(&file) {
            Ok(text) => read(&text).map_err(told),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Place::Nowhere),
            Err(error) => Err(told(error.to_string())),
        };
    }
    if let Some(directory) = &on_demand.directory {
        let stem = Path::new(name).file_stem().unwrap_or_default();
        return Ok(Place::At(Address::Unix(directory.join(format!("{}.socket", stem.to_string_lossy())))));
    }
    Ok(on_demand.command.clone().map_or(Place::Nowhere, Place::Asked))
}

/// The address at the beginning of a text.
fn read(text: &str) -> Result<Place, String> {
    let line = text.split(|c: char| c < ' ').next().unwrap_or_default();
    crate::config::options::parse_listening(line).map(Place::At).ok_or_else(|| format!("{line:?} is no address"))
}

/// Everybody may connect, as in uWSGI: who may reach the directory is its owner's to say.
pub(super) fn listen(address: Address) -> Result<BoundSocket, String> {
    let options = BindOptions { backlog: BACKLOG, mode: Some(0o666), ..BindOptions::default() };
    let listener = Listener { defer_accept: false, ..Listener::on(address) };
    BoundSocket::bind(&listener, &options).map_err(|error| error.to_string())
}

/// A command that was asked.
struct Question {
    name: String,
    candidate: Candidate,
    pid: ProcessId,
    pipe: File,
    text: Vec<u8>,
    until_us: u64,
}

/// All commands that have not answered yet, by numbers.
#[derive(Default)]
pub(super) struct Questions {
    asked: BTreeMap<u32, Question>,
    next: u32,
}

/// What a command has said of whom.
pub(super) struct Answer {
    pub(super) name: String,
    pub(super) candidate: Candidate,
    pub(super) place: Result<Place, String>,
}

impl Questions {
    /// Asks a command where a vassal is to be waited for. The number of the question; `None`: not now, but later.
    ///
    /// # Errors
    /// When it cannot be executed.
    pub(super) fn ask(&mut self, command: &str, name: &str, candidate: &Candidate) -> io::Result<Option<u32>> {
        if self.asked.len() >= QUESTIONS_MAX || self.asked.values().any(|question| question.name == name) {
            return Ok(None);
        }
        let mut shell = Command::new("/bin/sh");
        // The name is a word of its own, whatever stands in it.
        shell.args(["-c", &format!("{command} \"$1\""), "sh", name]).stdin(Stdio::null()).stdout(Stdio::piped());
        shell.current_dir(candidate.directory()).process_group(0);
        let mut child = keep_signals(&mut shell).spawn()?;
        let missing = || io::Error::other("no pipe");
        let pipe = File::from(OwnedFd::from(child.stdout.take().ok_or_else(missing)?));
        fcntl(pipe.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let pid = i32::try_from(child.id()).ok().and_then(ProcessId::new).ok_or_else(missing)?;
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let until_us = monotonic_us().saturating_add(WITHIN_US);
        let (name, candidate) = (name.to_owned(), candidate.clone());
        self.asked.insert(number, Question { name, candidate, pid, pipe, text: Vec::new(), until_us });
        Ok(Some(number))
    }

    /// What becomes readable when a command has answered.
    pub(super) fn source(&self, number: u32) -> Option<BorrowedFd<'_>> {
        self.asked.get(&number).map(|question| question.pipe.as_fd())
    }

    /// When a command has had time enough.
    pub(super) fn due_us(&self) -> Option<u64> {
        self.asked.values().map(|question| question.until_us).min()
    }

    /// What a command has printed by now; nothing while it may print more.
    pub(super) fn hear(&mut self, number: u32) -> Option<Answer> {
        let question = self.asked.get_mut(&number)?;
        let place = loop {
            let mut bytes = [0; 512];
            match question.pipe.read(&mut bytes) {
                Ok(0) if question.text.is_empty() => break Ok(Place::Nowhere),
                Ok(0) => break read(&String::from_utf8_lossy(&question.text)),
                Ok(count) if question.text.len() + count <= BYTES_MAX => question.text.extend(&bytes[..count]),
                Ok(_) => break Err(format!("emperor-on-demand-exec prints more than {BYTES_MAX} bytes")),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) => break Err(format!("emperor-on-demand-exec: {error}")),
            }
        };
        self.end(number, place)
    }

    /// Gives up on those that had time enough by then.
    pub(super) fn give_up(&mut self, now_us: u64) -> Vec<Answer> {
        let late = self.asked.iter().filter(|(_, question)| question.until_us <= now_us);
        let late: Vec<u32> = late.map(|(number, _)| *number).collect();
        let reason = || Err(format!("emperor-on-demand-exec has not answered within {} s", WITHIN_US / 1_000_000));
        late.into_iter().filter_map(|number| self.end(number, reason())).collect()
    }

    fn end(&mut self, number: u32, place: Result<Place, String>) -> Option<Answer> {
        let Question { name, candidate, pid, .. } = self.asked.remove(&number)?;
        if place.is_err()
            && let Err(error) = signal_group(pid, libc::SIGKILL)
        {
            log::error!("[emperor] cannot kill process {pid}: {error}");
        }
        Some(Answer { name, candidate, place })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_way_counts_that_the_configuration_has() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.ini");
        std::fs::write(dir.path().join("a.ini.at"), "127.0.0.1:3031\n").unwrap();
        std::fs::write(dir.path().join("b.ini.at"), "\n").unwrap();
        let all = OnDemand {
            extension: Some(".at".to_owned()),
            directory: Some("/run".into()),
            command: Some("where".to_owned()),
        };
        let place = |on_demand: &OnDemand, path: &Path| format!("{:?}", place_of(on_demand, "a.ini", path));
        assert!(place(&all, &path).contains("3031"));
        assert!(place(&all, &dir.path().join("b.ini")).contains("is no address"));
        assert_eq!(place(&all, &dir.path().join("c.ini")), "Ok(Nowhere)");
        let rest = OnDemand { extension: None, ..all };
        assert!(place(&rest, &path).contains("/run/a.socket"));
        assert_eq!(place(&OnDemand { directory: None, ..rest }, &path), "Ok(Asked(\"where\"))");
    }
}
