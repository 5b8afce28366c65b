//! The Emperor's loop: waits, turns what has happened into events of the machine, and carries out what that decides. Nothing
//! here waits for anybody but in one place. Emperor only.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use signal_hook::consts::signal::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGURG, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook_mio::v1_0::Signals;
use worker_protocol::ids::ProcessId;

use super::addresses::Questions;
use super::court::Court;
use super::machine::{Action, Event, Machine};
use super::monitors::Monitors;
use super::shares::Sharing;
use super::succession::Succession;
use crate::config::model::Config;
use crate::supervision::time::Time;
use crate::supervision::vassal::FromVassal;
use crate::sys::clock::monotonic_us;
use crate::sys::line::Line;
use crate::sys::listeners::BoundSocket;
use crate::sys::memory;
use crate::sys::visitors::Visitors;

/// The signals that mean something.
pub(super) const HEARD: [i32; 9] = [SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGURG, SIGWINCH, SIGCHLD];

const SIGNALS: Token = Token(0);
const CHANGES: Token = Token(1);
pub(super) const DOOR: Token = Token(2);
const OWN_EMPEROR: Token = Token(3);
const REUNION: Token = Token(4);
/// Above it the kind, below it the number of the vassal, question or visitor.
pub(super) const KIND: u32 = 32;
pub(super) const LINE: usize = 1;
const SOCKET: usize = 2;
pub(super) const QUESTION: usize = 3;
pub(super) const VISITOR: usize = 4;
pub(super) const CALLER: usize = 5;
pub(super) const ELSEWHERE: usize = 6;

/// All that an Emperor holds.
pub(super) struct Driver<'a> {
    pub(super) config: &'a Config,
    pub(super) poll: Poll,
    pub(super) signals: &'a mut Signals,
    pub(super) machine: Machine,
    pub(super) monitors: Monitors,
    pub(super) court: Court<'a>,
    pub(super) questions: Questions,
    pub(super) door: Option<BoundSocket>,
    pub(super) visitors: Visitors,
    /// Whether it holds memory that only the start of vassals needed.
    pub(super) is_lavish: bool,
    /// What outlives this Emperor, where something does.
    pub(super) succession: Option<Succession>,
    /// The memory that vassals share, where they do.
    pub(super) sharing: Option<Sharing>,
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
            (self.succession.as_ref().map(|succession| succession.door.as_fd()), REUNION),
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
            self.give_up_questions();
            self.visitors.drop_late(monotonic_us());
            self.mind_succession();
            self.machine.elapse(now());
            self.spare_memory();
        }
    }

    /// Gives back what only the start of vassals needed, once nobody is starting.
    fn spare_memory(&mut self) {
        if self.is_lavish && self.machine.starting(now()) == 0 {
            self.is_lavish = false;
            memory::forget_heap();
            memory::forget_code();
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let machine_us = self.machine.deadline(now()).map(|time| time.0);
        let succession_us = self.succession.as_ref().and_then(Succession::due_us);
        let others_us = [self.monitors.due_us(), self.questions.due_us(), self.visitors.due_us()];
        let due_us = [machine_us, succession_us].into_iter().chain(others_us);
        let due_us = due_us.flatten().min()?;
        Some(Duration::from_micros(due_us.saturating_sub(monotonic_us())))
    }

    fn wake_up(&mut self, token: Token) {
        match token {
            SIGNALS => self.hear_signals(),
            CHANGES => self.monitors.hear(),
            DOOR => self.tell_visitors(),
            OWN_EMPEROR => self.hear_own_emperor(),
            REUNION => self.welcome_callers(),
            Token(other) => {
                let number = (other & u32::MAX as usize) as u32;
                match other >> KIND {
                    QUESTION => return self.hear_answer(number),
                    VISITOR => return self.visitors.go_on(number),
                    CALLER => return self.hear_caller(number),
                    _ => {}
                }
                let Some(name) = self.court.name_of(number).cloned() else { return };
                match other >> KIND {
                    LINE => self.hear_vassal(&name),
                    ELSEWHERE => self.hear_end_elsewhere(&name),
                    SOCKET => {
                        self.watch_socket(&name, false);
                        self.machine.handle(now(), &name, Event::Wanted);
                    }
                    _ => {}
                }
            }
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
                Action::Enlist { name, of, number } => self.enlist(&name, of, number),
                Action::Remove(name) => {
                    self.share_without(&name);
                    self.court.dismiss(&name);
                    log::info!("[emperor] removed uwsgi instance {name}");
                }
            }
        }
        false
    }

    fn start(&mut self, name: &str) {
        self.is_lavish = true;
        if let Some(succession) = &mut self.succession {
            succession.end_awaited(name);
            succession.has_changed();
        }
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
}

pub(super) fn now() -> Time {
    Time(monotonic_us())
}
