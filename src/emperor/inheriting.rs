//! How an Emperor comes to the vassals of the one before, notes its own for the next one, and is executed anew. Emperor only.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use mio::unix::SourceFd;
use mio::{Interest, Token};
use worker_protocol::ids::ProcessId;

use super::driver::{CALLER, Driver, ELSEWHERE, KIND, LINE, now};
use super::machine::Event;
use super::roll::{self, Living};
use super::succession::{Awaited, CALLERS_MAX, Caller};
use crate::supervision::record::{BEGINS, Kind, rest};
use crate::supervision::vassal::{EMPEROR_FD, ToVassal};
use crate::sys::clock::monotonic_us;
use crate::sys::files::replace_text;
use crate::sys::line::{Line, Said};
use crate::sys::process::inherit;
use crate::sys::{processes, spawn};

impl Driver<'_> {
    /// Somebody comes to the door.
    pub(super) fn welcome_callers(&mut self) {
        // Before the first look nobody would have a file.
        if self.monitors.due_us().is_some_and(|due_us| due_us <= monotonic_us()) {
            self.look_for_vassals();
        }
        loop {
            let Some(succession) = &mut self.succession else { return };
            let (line, pid) = match Line::accept(&succession.door) {
                Ok(Some(caller)) => caller,
                Ok(None) => return,
                Err(error) => return log::warn!("[emperor] emperor-survive: {error}"),
            };
            if succession.callers.len() >= CALLERS_MAX {
                succession.callers.pop_first();
            }
            let number = succession.next;
            succession.next = number.wrapping_add(1);
            let raw = line.as_fd().as_raw_fd();
            succession.callers.insert(number, Caller { line, pid });
            let token = Token(CALLER << KIND | number as usize);
            if let Err(error) = self.poll.registry().register(&mut SourceFd(&raw), token, Interest::READABLE) {
                log::warn!("[emperor] emperor-survive: {error}");
            }
            self.hear_caller(number);
        }
    }

    /// Somebody who has come says who it is, or goes.
    pub(super) fn hear_caller(&mut self, number: u32) {
        let Some(succession) = &mut self.succession else { return };
        let Some(caller) = succession.callers.get(&number) else { return };
        let said = caller.line.hear();
        if said == Said::Nothing {
            return;
        }
        let heard = if said == Said::Byte(BEGINS) { rest(|into| caller.line.hear_more(into)) } else { None };
        let name = heard.filter(|(kind, _)| *kind == Some(Kind::Returns));
        let name = name.map(|(_, content)| String::from_utf8_lossy(&content).into_owned());
        let Some(caller) = succession.callers.remove(&number) else { return };
        let raw = caller.line.as_fd().as_raw_fd();
        // It is registered anew as what it is.
        let _ = self.poll.registry().deregister(&mut SourceFd(&raw));
        let known = name.and_then(|name| {
            let awaited = succession.awaited.get(&name)?;
            (awaited.living.pid == caller.pid).then_some(name)
        });
        match known {
            Some(name) => self.adopt(&name, caller),
            None => log::warn!("[emperor] process {} comes for a vassal that it is not", caller.pid),
        }
    }

    /// A vassal of the Emperor before is ours.
    fn adopt(&mut self, name: &str, Caller { line, .. }: Caller) {
        let Some(succession) = &mut self.succession else { return };
        let Some(Awaited { living, process }) = succession.awaited.remove(name) else { return };
        let Some(seat) = self.court.get_mut(name) else {
            log::info!("[emperor] vassal {name} of the Emperor before has no file any more: it is told to go");
            line.say(ToVassal::Stop.byte());
            return succession.dismissed.push(line);
        };
        log::info!("[emperor] vassal {name} goes on (pid: {})", living.pid);
        let is_child = processes::parent(living.pid) == i32::try_from(std::process::id()).ok();
        let (line_raw, process_raw, number) =
            (line.as_fd().as_raw_fd(), process.as_fd().as_raw_fd(), seat.number as usize);
        (seat.pid, seat.line) = (ProcessId::new(living.pid), Some(line));
        (seat.elsewhere, seat.began) = ((!is_child).then_some(process), Some(living.began));
        succession.has_changed();
        let registry = self.poll.registry();
        let watched = registry.register(&mut SourceFd(&line_raw), Token(LINE << KIND | number), Interest::READABLE);
        let watched = watched.and_then(|()| match is_child {
            true => Ok(()),
            false => {
                registry.register(&mut SourceFd(&process_raw), Token(ELSEWHERE << KIND | number), Interest::READABLE)
            }
        });
        if let Err(error) = watched {
            log::error!("[emperor] vassal {name} is not heard: {error}");
        }
        self.machine.handle(now(), name, Event::Adopted);
        self.hear_vassal(name);
    }

    /// A vassal has ended that is nobody's child here.
    pub(super) fn hear_end_elsewhere(&mut self, name: &str) {
        if self.court.get_mut(name).and_then(|seat| seat.elsewhere.take()).is_some() {
            self.bury_one(name, None);
        }
    }

    /// Notes who lives, for the next Emperor; gives up whom nobody has heard of.
    pub(super) fn mind_succession(&mut self) {
        let Some(succession) = &mut self.succession else { return };
        let now_us = monotonic_us();
        if succession.until_us <= now_us && !succession.awaited.is_empty() {
            let names: Vec<String> = succession.awaited.keys().cloned().collect();
            names.iter().for_each(|name| succession.end_awaited(name));
        }
        succession.dismissed.retain(|line| line.hear() != Said::Gone);
        if succession.write_us.is_some_and(|write_us| write_us <= now_us) {
            self.write_roll();
        }
    }

    fn write_roll(&mut self) {
        let Some(succession) = &mut self.succession else { return };
        succession.write_us = None;
        let living = self.court.seats().iter().filter_map(|(name, seat)| {
            let surviving = seat.socket.is_none() && seat.stands_by.is_none();
            let living = Living { pid: seat.pid?.get(), began: seat.began? };
            surviving.then_some((name.as_str(), living))
        });
        let awaited = succession.awaited.iter().map(|(name, awaited)| (name.as_str(), awaited.living));
        if let Err(error) = replace_text(&succession.roll, &roll::text(living.chain(awaited)), 0o600) {
            log::error!("[emperor] cannot write {}: {error}", succession.roll.display());
        }
    }

    /// The binary that is there now takes this one's place. Returns only if that fails.
    pub(super) fn upgrade(&mut self) {
        if self.succession.is_none() {
            return log::warn!("[emperor] SIGUSR2: vassals would not outlive it without emperor-survive");
        }
        self.write_roll();
        log::info!("[emperor] the Emperor is executed anew");
        let own = self.own.as_ref().map(|own| inherit(own.as_fd()).map(|()| own.as_fd().as_raw_fd()));
        if let Err(error) = own.transpose().and_then(|own| execute_anew(self.court.program(), own)) {
            log::error!("[emperor] cannot execute {}: {error}", self.court.program().display());
        }
    }
}

/// `own`: the number of the line to the Emperor above, which is inherited.
fn execute_anew(program: &Path, own: Option<i32>) -> io::Result<()> {
    use std::ffi::{CString, OsString};
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let text = |word: OsString| CString::new(word.into_vec()).map_err(io::Error::other);
    let mut words: Vec<CString> = std::env::args_os().map(text).collect::<Result<_, _>>()?;
    match words.first_mut() {
        Some(first) => *first = text(program.as_os_str().to_owned())?,
        None => return Err(io::ErrorKind::InvalidInput.into()),
    }
    let variable = |(name, value): (OsString, OsString)| {
        text(OsString::from_vec([name.as_bytes(), b"=", value.as_bytes()].concat()))
    };
    let others = std::env::vars_os().filter(|(name, _)| name != EMPEROR_FD);
    let above = own.map(|number| (EMPEROR_FD.into(), number.to_string().into()));
    let environment: Vec<CString> = others.chain(above).map(variable).collect::<Result<_, _>>()?;
    Err(spawn::execute(&words, &environment))
}
