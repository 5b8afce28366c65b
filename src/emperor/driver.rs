//! The Emperor's loop: waits, turns what has happened into events of the machine, and carries out what that decides. Nothing
//! here waits for anybody but in one place. Emperor only.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use signal_hook::consts::signal::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGURG, SIGUSR1, SIGWINCH};
use signal_hook_mio::v1_0::Signals;
use worker_protocol::ids::ProcessId;

use super::court::Court;
use super::machine::{Action, Event, Machine, Order, Phase, Vassal};
use super::monitors::{Candidate, Monitors};
use super::report::{self, Now};
use crate::config::model::Config;
use crate::supervision::time::Time;
use crate::supervision::vassal::{FromVassal, ToVassal};
use crate::sys::clock::{epoch_us, monotonic_us};
use crate::sys::line::{Line, Said};
use crate::sys::listeners::BoundSocket;
use crate::sys::process::{WaitStatus, keep_signals, reap};
use crate::sys::stream::accept;

/// The signals that mean something.
pub(super) const HEARD: [i32; 8] = [SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGURG, SIGWINCH, SIGCHLD];

const SIGNALS: Token = Token(0);
const CHANGES: Token = Token(1);
const DOOR: Token = Token(2);
const OWN_EMPEROR: Token = Token(3);
/// Above it the kind, below it the number of the vassal.
const KIND: u32 = 32;
const LINE: usize = 1;
const SOCKET: usize = 2;

/// Most who are told of the vassals before anything else gets its turn.
const VISITORS_MAX: usize = 16;

/// All that an Emperor holds.
pub(super) struct Driver<'a> {
    pub(super) config: &'a Config,
    pub(super) poll: Poll,
    pub(super) signals: &'a mut Signals,
    pub(super) machine: Machine,
    pub(super) monitors: Monitors,
    pub(super) court: Court<'a>,
    pub(super) door: Option<BoundSocket>,
    /// The Emperor above this one.
    pub(super) own: Option<Line>,
}

impl Driver<'_> {
    /// Has everything that is there wake the loop.
    pub(super) fn watch(&mut self) -> io::Result<()> {
        self.poll.registry().register(self.signals, SIGNALS, Interest::READABLE)?;
        let watched = [
            (self.monitors.source(), CHANGES),
            (self.door.as_ref().map(AsFd::as_fd), DOOR),
            (self.own.as_ref().map(AsFd::as_fd), OWN_EMPEROR),
        ];
        for (descriptor, token) in watched {
            if let Some(descriptor) = descriptor {
                let raw = descriptor.as_raw_fd();
                self.poll.registry().register(&mut SourceFd(&raw), token, Interest::READABLE)?;
            }
        }
        Ok(())
    }

    /// Runs until all vassals are gone that were to go.
    pub(super) fn run(&mut self) -> io::Result<i32> {
        log::info!("*** starting uWSGI Emperor ***");
        for message in [FromVassal::Ready, FromVassal::Accepting, FromVassal::Loyal] {
            self.own.iter().for_each(|own| own.say(message.byte()));
        }
        let mut events = Events::with_capacity(256);
        loop {
            if self.act() {
                log::info!("The Emperor is buried.");
                return Ok(0);
            }
            match self.poll.poll(&mut events, self.timeout()) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            for event in &events {
                self.wake_up(event.token());
            }
            if self.monitors.due_us().is_some_and(|due_us| due_us <= monotonic_us()) {
                self.look_for_vassals();
            }
            self.machine.elapse(now());
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let due_us = self.machine.deadline(now()).map(|time| time.0).into_iter().chain(self.monitors.due_us()).min()?;
        Some(Duration::from_micros(due_us.saturating_sub(monotonic_us())))
    }

    fn wake_up(&mut self, token: Token) {
        match token {
            SIGNALS => self.hear_signals(),
            CHANGES => self.monitors.hear(),
            DOOR => self.tell_visitors(),
            OWN_EMPEROR => self.hear_own_emperor(),
            Token(other) => {
                let number = (other & u32::MAX as usize) as u32;
                let Some(name) = self.court.name_of(number).cloned() else { return };
                match other >> KIND {
                    LINE => self.hear_vassal(&name),
                    SOCKET => {
                        self.watch_socket(&name, false);
                        self.machine.handle(now(), &name, Event::Wanted);
                    }
                    _ => {}
                }
            }
        }
    }

    fn hear_signals(&mut self) {
        let heard: Vec<i32> = self.signals.pending().collect();
        for signal in heard {
            match signal {
                SIGINT | SIGTERM | SIGQUIT => self.stop(),
                SIGHUP => self.machine.obey(now(), Order::Reload),
                SIGURG => self.machine.obey(now(), Order::Forgive),
                SIGWINCH => self.monitors.look_within(0),
                SIGUSR1 => self.list(),
                _ => self.bury(),
            }
        }
    }

    fn stop(&mut self) {
        if !self.machine.is_stopping() {
            log::info!("[emperor] *** RAGNAROK EVOKED ***");
        }
        self.machine.obey(now(), Order::Stop);
    }

    fn hear_own_emperor(&mut self) {
        while let Some(said) = self.own.as_ref().map(Line::hear) {
            match said {
                Said::Byte(byte) => match ToVassal::of(byte) {
                    Some(ToVassal::Reload) => self.machine.obey(now(), Order::Reload),
                    Some(ToVassal::Stop | ToVassal::StopNow) => self.stop(),
                    None => log::warn!("the Emperor above says {byte}, which means nothing here"),
                },
                Said::Nothing => return,
                Said::Gone => {
                    log::warn!("lost connection with my emperor !!!");
                    self.own = None;
                    self.stop();
                }
            }
        }
    }

    fn list(&self) {
        for (name, vassal) in self.machine.vassals() {
            log::info!(
                "vassal instance {name} {:?} ready {} loyal {} failures {}",
                vassal.phase(),
                u8::from(vassal.ready.is_some()),
                u8::from(vassal.loyal.is_some()),
                vassal.failures
            );
        }
    }

    fn hear_vassal(&mut self, name: &str) {
        loop {
            let Some(said) = self.court.get_mut(name).and_then(|seat| seat.line.as_ref()).map(Line::hear) else {
                return;
            };
            match said {
                Said::Byte(byte) => match FromVassal::of(byte) {
                    Some(message) => {
                        tell_log(name, message);
                        self.machine.handle(now(), name, Event::Said(message));
                    }
                    None => log::warn!("[emperor] vassal {name} says {byte}, which means nothing here"),
                },
                Said::Nothing => return,
                Said::Gone => {
                    if let Some(seat) = self.court.get_mut(name) {
                        seat.line = None;
                    }
                    return self.machine.handle(now(), name, Event::HungUp);
                }
            }
        }
    }

    fn bury(&mut self) {
        while let Some((pid, status)) = reap(None) {
            let Some(name) = self.court.name_of_process(pid).cloned() else { continue };
            // What it said last.
            self.hear_vassal(&name);
            if let Some(seat) = self.court.get_mut(&name) {
                (seat.pid, seat.line) = (None, None);
            }
            let event = Event::Ended { how: how(status), clean: status.0 == 0 };
            self.machine.handle(now(), &name, event);
        }
    }

    /// Compares the files that there are with those that are known.
    fn look_for_vassals(&mut self) {
        if self.machine.is_stopping() {
            return;
        }
        let look = self.monitors.look();
        for (place, error) in &look.unread {
            log::warn!("[emperor] {place} cannot be read: {error}; its vassals stay as they are");
        }
        let unread = |candidate: &Candidate| look.unread.iter().any(|(place, _)| *place == candidate.monitor);
        let vanished: Vec<String> = self
            .court
            .seats()
            .iter()
            .filter(|(name, seat)| !look.found.contains_key(*name) && !unread(&seat.candidate))
            .map(|(name, _)| name.clone())
            .collect();
        for name in vanished {
            if self.machine.vassals().get(&name).is_some_and(Vassal::lives) {
                log::info!("[emperor] stop the uwsgi instance {name}");
            }
            self.machine.handle(now(), &name, Event::Vanished);
        }
        for (name, candidate) in look.found {
            self.take_up(&name, candidate);
        }
    }

    fn take_up(&mut self, name: &str, candidate: Candidate) {
        if self.config.emperor.tyrant && (candidate.owner.0 == 0 || candidate.owner.1 == 0) {
            if self.court.seats().get(name).is_none_or(|seat| seat.candidate != candidate) {
                log::warn!("[emperor-tyrant] invalid permissions for vassal {name}: it is root's");
            }
            return;
        }
        let Some(seat) = self.court.get_mut(name) else {
            return match self.court.admit(name, candidate) {
                Ok(on_demand) => {
                    log::info!("[emperor] vassal {name} has been found");
                    self.machine.handle(now(), name, Event::Found { on_demand });
                }
                Err(reason) => {
                    log::warn!("[emperor] vassal {name}: {reason}");
                    self.monitors.look_within(3_000_000);
                }
            };
        };
        let before = std::mem::replace(&mut seat.candidate, candidate.clone());
        let event = if self.config.emperor.tyrant && before.owner != candidate.owner {
            log::warn!("[emperor] the owner of {name} has changed: it is started anew");
            Event::Replaced
        } else if before.stamp != candidate.stamp {
            log::info!("[emperor] reload the uwsgi instance {name}");
            Event::Changed
        } else {
            // One that goes may be one whose file was away for a moment.
            Event::Found { on_demand: false }
        };
        let is_leaving = self.machine.vassals().get(name).is_some_and(|vassal| vassal.phase() == Phase::Leaving);
        if is_leaving || !matches!(event, Event::Found { .. }) {
            self.machine.handle(now(), name, event);
        }
    }

    /// Carries out all that is decided. Whether that is the end.
    fn act(&mut self) -> bool {
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Exit => return true,
                Action::Note { warns: true, text } => log::warn!("[emperor] {text}"),
                Action::Note { text, .. } => log::info!("[emperor] {text}"),
                Action::Start(name) => self.start(&name),
                Action::Tell(name, what) => {
                    if let Some(line) = self.court.get_mut(&name).and_then(|seat| seat.line.as_ref()) {
                        line.say(what.byte());
                    }
                }
                Action::Kill(name) => self.court.kill(&name),
                Action::Watch(name) => {
                    log::info!("[emperor] vassal {name} sleeps until somebody connects");
                    self.watch_socket(&name, true);
                }
                Action::Remove(name, lived) => self.remove(&name, lived),
            }
        }
        false
    }

    fn start(&mut self, name: &str) {
        let started = self.court.start(name).and_then(|()| {
            let Some(seat) = self.court.get_mut(name) else { return Ok(()) };
            let Some(line) = &seat.line else { return Ok(()) };
            let (raw, token) = (line.as_fd().as_raw_fd(), Token(LINE << KIND | seat.number as usize));
            log::info!("[emperor] vassal {name} has been spawned (pid: {})", seat.pid.map_or(0, ProcessId::get));
            self.poll.registry().register(&mut SourceFd(&raw), token, Interest::READABLE)
        });
        if let Err(error) = started {
            let how = format!("it cannot be started: {error}");
            self.machine.handle(now(), name, Event::Ended { how, clean: false });
        }
    }

    /// Begins or ends waiting for the first connection to one.
    fn watch_socket(&mut self, name: &str, wanted: bool) {
        let Some(seat) = self.court.get_mut(name) else { return };
        let Some(socket) = &seat.socket else { return };
        let (raw, token) = (socket.as_fd().as_raw_fd(), Token(SOCKET << KIND | seat.number as usize));
        let registry = self.poll.registry();
        let done = match wanted {
            true => registry.register(&mut SourceFd(&raw), token, Interest::READABLE),
            false => registry.deregister(&mut SourceFd(&raw)),
        };
        if let Err(error) = done {
            log::error!("[emperor] the socket of vassal {name}: {error}");
        }
    }

    fn remove(&mut self, name: &str, lived: bool) {
        self.court.dismiss(name);
        log::info!("[emperor] removed uwsgi instance {name}");
        let Some(hook) = self.config.emperor.start.stop_hook.as_ref().filter(|_| lived) else { return };
        // Not waited for: its end is reaped like that of any stranger.
        let mut command = std::process::Command::new(hook);
        if let Err(error) = keep_signals(command.arg(name)).spawn() {
            log::warn!("[emperor] vassals-stop-hook {hook} {name}: {error}");
        }
    }

    /// Tells whoever has connected, as far as he takes it at once.
    fn tell_visitors(&mut self) {
        let Some(door) = &self.door else { return };
        for _ in 0..VISITORS_MAX {
            let Ok(Some(visitor)) = accept(door) else { return };
            let document = self.document();
            let mut rest = document.as_bytes();
            while let Ok(count) = visitor.write(rest)
                && count > 0
                && count < rest.len()
            {
                rest = &rest[count..];
            }
        }
        let raw = door.as_fd().as_raw_fd();
        let _ = self.poll.registry().reregister(&mut SourceFd(&raw), DOOR, Interest::READABLE);
    }

    fn document(&self) -> String {
        let emperor = report::Emperor {
            pid: std::process::id(),
            uid: nix::unistd::Uid::effective().as_raw(),
            gid: nix::unistd::Gid::effective().as_raw(),
            cwd: std::env::current_dir().map_or_else(|_| String::new(), |path| path.to_string_lossy().into_owned()),
            monitors: &self.config.emperor.monitors,
            tyrant: self.config.emperor.tyrant,
        };
        let seats = self.court.seats();
        let vassals = self.machine.vassals().iter().map(|(name, vassal)| {
            let seat = seats.get(name).map(|seat| (&seat.candidate, seat.pid.map(ProcessId::get)));
            (name, vassal, seat)
        });
        let now_us = monotonic_us();
        report::document(&emperor, vassals, Now { now: Time(now_us), ahead_us: epoch_us().saturating_sub(now_us) })
    }
}

fn now() -> Time {
    Time(monotonic_us())
}

fn tell_log(name: &str, message: FromVassal) {
    match message {
        FromVassal::Ready => log::info!("[emperor] vassal {name} has been spawned and is ready"),
        FromVassal::Accepting => log::info!("[emperor] vassal {name} is ready to accept requests"),
        FromVassal::Loyal => log::info!("[emperor] vassal {name} is now loyal"),
        FromVassal::Idle => log::info!("[emperor] vassal {name} has nothing to do"),
        FromVassal::Heartbeat => {}
        FromVassal::Sos => log::warn!("[emperor] vassal {name} asks for reinforcements; there are none"),
    }
}

/// How a process has ended.
fn how(WaitStatus(status): WaitStatus) -> String {
    if libc::WIFSIGNALED(status) {
        format!("killed by signal {}", libc::WTERMSIG(status))
    } else {
        format!("exit code {}", libc::WEXITSTATUS(status))
    }
}
