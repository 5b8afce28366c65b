//! The vassals' processes, lines and sockets, and the files that they are of: what the machine's names stand for. Emperor only.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use worker_protocol::ids::ProcessId;

use super::birth::{Birth, Reinforcement, VASSALS_DIR};
use super::monitors::Candidate;
use crate::config::model::{Config, HookPhase};
use crate::sys::line::Line;
use crate::sys::listeners::BoundSocket;
use crate::sys::process::{PidFd, WaitStatus, keep_signals};
use crate::sys::processes::began_ticks;
use crate::sys::spawn::signal_group;

/// What a vassal is made of.
pub(super) struct Seat {
    /// The number that its descriptors have in the event loop.
    pub(super) number: u32,
    pub(super) candidate: Candidate,
    /// Its process, or that of its stop hook.
    pub(super) pid: Option<ProcessId>,
    pub(super) line: Option<Line>,
    /// Where its first connection is waited for.
    pub(super) socket: Option<BoundSocket>,
    /// Whom it stands by, if it is a reinforcement.
    pub(super) stands_by: Option<Reinforcement>,
    /// It, if it is nobody's child here.
    pub(super) elsewhere: Option<PidFd>,
    /// When its process began, in ticks after the boot.
    pub(super) began: Option<u64>,
    /// Why it goes on with old code, if it has said that.
    pub(super) stale: Option<String>,
    /// How it has ended, while its stop hook is running.
    ended: Option<WaitStatus>,
}

/// All of them, by name.
pub(super) struct Court<'a> {
    config: &'a Config,
    program: PathBuf,
    seats: BTreeMap<String, Seat>,
    names: BTreeMap<u32, String>,
    next: u32,
}

impl<'a> Court<'a> {
    pub(super) fn new(config: &'a Config, program: &Path) -> Self {
        Self { config, program: program.to_owned(), seats: BTreeMap::new(), names: BTreeMap::new(), next: 0 }
    }

    pub(super) fn seats(&self) -> &BTreeMap<String, Seat> {
        &self.seats
    }

    /// This program.
    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Seat> {
        self.seats.get_mut(name)
    }

    /// Whose descriptors have a number.
    pub(super) fn name_of(&self, number: u32) -> Option<&String> {
        self.names.get(&number)
    }

    /// Whose process this is.
    pub(super) fn name_of_process(&self, pid: ProcessId) -> Option<&String> {
        self.seats.iter().find(|(_, seat)| seat.pid == Some(pid)).map(|(name, _)| name)
    }

    /// A file was found, or one more vassal of a file is wanted. `socket` is where its first connection is waited for.
    pub(super) fn admit(
        &mut self,
        name: &str,
        candidate: Candidate,
        socket: Option<BoundSocket>,
        stands_by: Option<Reinforcement>,
    ) {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.names.insert(number, name.to_owned());
        let seat = Seat {
            number,
            candidate,
            pid: None,
            line: None,
            socket,
            stands_by,
            elsewhere: None,
            began: None,
            stale: None,
            ended: None,
        };
        self.seats.insert(name.to_owned(), seat);
    }

    /// Forgets one, with its socket.
    pub(super) fn dismiss(&mut self, name: &str) {
        let Some(seat) = self.seats.remove(name) else { return };
        self.names.remove(&seat.number);
        if let Some(Err(error)) = seat.socket.map(|socket| socket.remove_file()) {
            log::warn!("[emperor] vassal {name}: {error}");
        }
    }

    /// Executes one.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn start(&mut self, name: &str) -> io::Result<()> {
        let Some(seat) = self.seats.get_mut(name) else { return Ok(()) };
        let birth = Birth {
            config: self.config,
            name,
            candidate: &seat.candidate,
            program: &self.program,
            socket: seat.socket.as_ref().map(AsFd::as_fd),
            stands_by: seat.stands_by.as_ref(),
        };
        let (pid, line) = birth.begin()?;
        (seat.pid, seat.line, seat.stale) = (Some(pid), Some(line), None);
        (seat.elsewhere, seat.began) = (None, began_ticks(pid.get()));
        let (user, group) = match self.config.emperor.tyrant {
            true => seat.candidate.owner,
            false => (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw()),
        };
        let variables = [
            ("UWSGI_VASSAL_CONFIG", name.to_owned()),
            ("UWSGI_VASSAL_PID", pid.get().to_string()),
            ("UWSGI_VASSAL_UID", user.to_string()),
            ("UWSGI_VASSAL_GID", group.to_string()),
        ];
        crate::hooks::run_aside(&self.config.hooks, HookPhase::AsEmperor, &variables);
        Ok(())
    }

    /// A process has ended that was one's. How the vassal has ended, if nothing of it is left: a stop hook comes first.
    pub(super) fn part(&mut self, name: &str, status: WaitStatus) -> Option<WaitStatus> {
        let hook = self.config.emperor.start.stop_hook.as_ref();
        let seat = self.seats.get_mut(name)?;
        (seat.pid, seat.line) = (None, None);
        let Some(hook) = hook.filter(|_| seat.ended.is_none()) else {
            return Some(seat.ended.take().unwrap_or(status));
        };
        let mut command = Command::new(hook);
        command.arg(name).env(VASSALS_DIR, seat.candidate.directory()).stdin(Stdio::null());
        // Killed like the vassal itself, if it does not end.
        match keep_signals(&mut command).process_group(0).spawn() {
            Ok(child) => {
                seat.pid = i32::try_from(child.id()).ok().and_then(ProcessId::new);
                seat.ended = Some(status);
                None
            }
            Err(error) => {
                log::warn!("[emperor] vassals-stop-hook {hook} {name}: {error}");
                Some(status)
            }
        }
    }

    /// Kills all processes of one.
    pub(super) fn kill(&self, name: &str) {
        let Some(pid) = self.seats.get(name).and_then(|seat| seat.pid) else { return };
        if let Some(process) = self.seats.get(name).and_then(|seat| seat.elsewhere.as_ref()) {
            if let Err(error) = process.signal(Signal::SIGKILL) {
                log::error!("[emperor] cannot kill vassal {name}: {error}");
            }
            return;
        }
        // It is not reaped, so that its group is its own.
        if let Err(error) = signal_group(pid, libc::SIGKILL) {
            log::error!("[emperor] cannot kill vassal {name}: {error}");
        }
    }
}
