//! What the Emperor hears: signals, the Emperor above it, what its vassals say, and that they have ended. Emperor only.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use mio::unix::SourceFd;
use mio::{Interest, Token};
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGURG, SIGUSR1, SIGUSR2, SIGWINCH};

use super::driver::{Driver, KIND, LINE, now};
use super::machine::{Event, Order};
use super::succession::Succession;
use crate::supervision::record::BEGINS;
use crate::supervision::vassal::{FromVassal, ToVassal};
use crate::sys::line::{Line, Said};
use crate::sys::process::{WaitStatus, reap};

/// Most that is heard of one vassal before others have their turn.
const AT_ONCE_MAX: usize = 256;

impl Driver<'_> {
    pub(super) fn hear_signals(&mut self) {
        let heard: Vec<i32> = self.signals.pending().collect();
        for signal in heard {
            match signal {
                SIGINT | SIGTERM | SIGQUIT => self.stop(),
                SIGHUP => self.machine.obey(now(), Order::Reload),
                SIGURG => self.machine.obey(now(), Order::Forgive),
                SIGWINCH => self.monitors.look_within(0),
                SIGUSR1 => self.list(),
                SIGUSR2 => self.upgrade(),
                _ => self.bury(),
            }
        }
    }

    fn stop(&mut self) {
        if !self.machine.is_stopping() {
            log::info!("[emperor] *** RAGNAROK EVOKED ***");
            self.questions.give_up(u64::MAX);
        }
        self.machine.obey(now(), Order::Stop);
    }

    pub(super) fn hear_own_emperor(&mut self) {
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

    pub(super) fn hear_vassal(&mut self, name: &str) {
        for _ in 0..AT_ONCE_MAX {
            let Some(said) = self.court.get_mut(name).and_then(|seat| seat.line.as_ref()).map(Line::hear) else {
                return;
            };
            match said {
                Said::Byte(BEGINS) => self.hear_record(name),
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
                    self.share_without(name);
                    return self.machine.handle(now(), name, Event::HungUp);
                }
            }
        }
        // It says more than others could wait for: it has another turn.
        if let Err(error) = self.hear_again(name) {
            log::error!("[emperor] vassal {name} is not heard any more: {error}");
        }
    }

    fn hear_again(&self, name: &str) -> io::Result<()> {
        let Some(seat) = self.court.seats().get(name) else { return Ok(()) };
        let Some(line) = &seat.line else { return Ok(()) };
        let (raw, token) = (line.as_fd().as_raw_fd(), Token(LINE << KIND | seat.number as usize));
        self.poll.registry().reregister(&mut SourceFd(&raw), token, Interest::READABLE)
    }

    fn bury(&mut self) {
        while let Some((pid, status)) = reap(None) {
            let Some(name) = self.court.name_of_process(pid).cloned() else { continue };
            self.bury_one(&name, Some(status));
        }
    }

    /// A vassal has ended; who is nobody's child here ends nobody knows how.
    pub(super) fn bury_one(&mut self, name: &str, status: Option<WaitStatus>) {
        // What it said last. Then it is going, whoever else may hold its line.
        self.hear_vassal(name);
        self.share_without(name);
        self.machine.handle(now(), name, Event::HungUp);
        self.succession.iter_mut().for_each(Succession::has_changed);
        let parted = self.court.part(name, status.unwrap_or(WaitStatus(0)));
        if let Some(parted) = parted {
            let clean = status.is_some() && parted.0 == 0;
            let how = status.map_or_else(|| "it was the child of an Emperor before".to_owned(), |_| how(parted));
            self.machine.handle(now(), name, Event::Ended { how, clean });
        }
    }
}

fn tell_log(name: &str, message: FromVassal) {
    match message {
        FromVassal::Ready => log::info!("[emperor] vassal {name} has been spawned and is ready"),
        FromVassal::Accepting => log::info!("[emperor] vassal {name} is ready to accept requests"),
        FromVassal::Loyal => log::info!("[emperor] vassal {name} is now loyal"),
        FromVassal::Idle => log::info!("[emperor] vassal {name} has nothing to do"),
        FromVassal::Heartbeat => {}
        FromVassal::Sos => log::info!("[emperor] vassal {name} asks for reinforcements"),
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
