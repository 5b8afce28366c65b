//! What outlives an Emperor that is killed, or executed anew (`emperor-survive`): vassals go on, and come to a socket where the next
//! one says that it is there. Who comes is known by its process, which stands in the roll that the last one left; nobody else is let
//! in. Emperor only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use worker_protocol::ids::ProcessId;

use super::roll::{self, Living};
use crate::config::model::{Address, Listener};
use crate::sys::clock::monotonic_us;
use crate::sys::line::Line;
use crate::sys::listeners::{BindOptions, BoundSocket};
use crate::sys::process::PidFd;
use crate::sys::processes;

/// How long one of the roll may take to come before it is started anew.
pub(super) const AWAITED_US: u64 = 10_000_000;

/// How soon the roll is written anew: many may come and go at once.
const WRITE_AFTER_US: u64 = 50_000;

/// Most who have come and not said who they are.
pub(super) const CALLERS_MAX: usize = 64;

/// The ending of the roll's name, behind the socket's.
const ROLL: &str = ".roll";

/// What is left of the Emperor before, and what is there for the next one.
pub(super) struct Succession {
    pub(super) door: BoundSocket,
    pub(super) roll: PathBuf,
    /// When to write it anew, if that is due.
    pub(super) write_us: Option<u64>,
    pub(super) awaited: BTreeMap<String, Awaited>,
    pub(super) until_us: u64,
    pub(super) callers: BTreeMap<u32, Caller>,
    pub(super) next: u32,
    /// Lines of those that no file is of any more, and that were told to go.
    pub(super) dismissed: Vec<Line>,
}

/// A vassal of the Emperor before that lives.
pub(super) struct Awaited {
    pub(super) living: Living,
    pub(super) process: PidFd,
}

pub(super) struct Caller {
    pub(super) line: Line,
    pub(super) pid: i32,
}

impl Succession {
    /// Opens the door, and reads whom the Emperor before has left.
    ///
    /// # Errors
    /// What keeps the door shut, such as another Emperor behind it.
    pub(super) fn begin(path: &Path) -> Result<Self, String> {
        // Anybody may come: who it is says the kernel.
        let options = BindOptions { backlog: 128, mode: Some(0o666), ..BindOptions::default() };
        let listener = Listener { defer_accept: false, ..Listener::on(Address::Unix(path.to_owned())) };
        let door = BoundSocket::bind(&listener, &options).map_err(|error| error.to_string())?;
        let mut roll = path.as_os_str().to_owned();
        roll.push(ROLL);
        let roll = PathBuf::from(roll);
        let left = std::fs::read_to_string(&roll).map(|text| roll::read(&text)).unwrap_or_default();
        let awaited: BTreeMap<String, Awaited> =
            left.into_iter().filter_map(|(name, one)| Some((name, alive(one)?))).collect();
        if !awaited.is_empty() {
            log::info!("[emperor] {} vassals of the Emperor before live, and are waited for", awaited.len());
        }
        let until_us = monotonic_us().saturating_add(AWAITED_US);
        let (callers, dismissed) = (BTreeMap::new(), Vec::new());
        Ok(Self { door, roll, write_us: None, awaited, until_us, callers, next: 0, dismissed })
    }

    /// Whether one of this name lives and may come.
    pub(super) fn awaits(&self, name: &str) -> bool {
        self.awaited.contains_key(name)
    }

    /// When to give up those that have not come, or to write the roll.
    pub(super) fn due_us(&self) -> Option<u64> {
        let awaited_us = (!self.awaited.is_empty()).then_some(self.until_us);
        [awaited_us, self.write_us].into_iter().flatten().min()
    }

    /// Somebody else lives, or not any more.
    pub(super) fn has_changed(&mut self) {
        self.write_us.get_or_insert(monotonic_us().saturating_add(WRITE_AFTER_US));
    }

    /// Ends one that was waited for, before another one takes its place.
    pub(super) fn end_awaited(&mut self, name: &str) {
        let Some(awaited) = self.awaited.remove(name) else { return };
        log::warn!(
            "[emperor] vassal {name} of the Emperor before has not come (pid: {}): it is killed",
            awaited.living.pid
        );
        if let Err(error) = awaited.process.signal(Signal::SIGKILL) {
            log::error!("[emperor] cannot kill vassal {name}: {error}");
        }
    }

    /// Nobody is to be there any more of whom the next one would have to know.
    pub(super) fn end(&self) {
        for (name, awaited) in &self.awaited {
            log::info!("[emperor] vassal {name} of the Emperor before is told to go");
            if let Err(error) = awaited.process.signal(Signal::SIGINT) {
                log::error!("[emperor] cannot stop vassal {name}: {error}");
            }
        }
        // Best effort: there is nobody left to do better.
        let _ = self.door.remove_file();
        let _ = std::fs::remove_file(&self.roll);
    }
}

/// One of the roll, if it is still that process. Its number cannot become another's between the two looks.
fn alive(living: Living) -> Option<Awaited> {
    let process = PidFd::open(ProcessId::new(living.pid)?).ok()?;
    (processes::began_ticks(living.pid) == Some(living.began)).then_some(Awaited { living, process })
}
