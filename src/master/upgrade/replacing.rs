//! Replacing the master by the binary that is now where ours was. The old image's side: it asks the binary first, and when
//! it cannot be done nothing has changed.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::super::driver::Driver;
use super::super::machine::{Event, ExitStatus, Order, ProcessId};
use super::super::passed::Passed;
use super::super::vassal::Vassal;
use super::asking::{Binary, Question, Upgrade};
use super::handover::{Handover, SocketHandover};
use super::images::{ADOPT_ARGUMENT, call};
use crate::sys::clock::monotonic_us;
use crate::sys::process;

impl Driver<'_> {
    /// Nothing is half done: asks the binary, or executes it if it has said already that it could go on.
    pub(in crate::master) fn replace(&mut self) {
        match std::mem::replace(&mut self.upgrade, Upgrade::None) {
            Upgrade::Understood(binary) if Binary::at(&binary.path).is_ok_and(|found| found == binary) => {
                log::info!("re-executing the master from {}", binary.path.display());
                let error = self.execute_next(&binary.path);
                self.stay(&error.to_string());
            }
            Upgrade::None | Upgrade::Understood(_) => match self.ask() {
                Ok(question) => self.upgrade = Upgrade::Asked(question),
                Err(error) => self.stay(&error.to_string()),
            },
            asked @ Upgrade::Asked(_) => self.upgrade = asked,
        }
    }

    fn ask(&self) -> io::Result<Question> {
        let path = self.children.own_path();
        let question = Binary::at(path).and_then(|binary| {
            let handover = self.hand_over()?.write()?;
            process::inherit(handover.as_fd())?;
            Question::ask(binary, handover)
        });
        // Whoever else is executed from here on must not inherit what was meant to pass.
        process::close_strangers_on_exec();
        question.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }

    /// A process has ended of which nobody else knows: perhaps the one that was asked.
    pub(in crate::master) fn take_answer(&mut self, pid: ProcessId, status: ExitStatus) {
        match std::mem::replace(&mut self.upgrade, Upgrade::None) {
            Upgrade::Asked(question) if question.is_of(pid) => match question.answer(status) {
                Ok(binary) => {
                    self.upgrade = Upgrade::Understood(binary);
                    // Something may have begun meanwhile: the machine says when nothing is half done.
                    self.handle(Event::Order(Order::Upgrade));
                }
                Err(reason) => self.stay(&reason),
            },
            other => {
                self.upgrade = other;
                log::debug!("subprocess {pid} {status}");
            }
        }
    }

    /// Gives up a binary that takes too long to answer.
    pub(in crate::master) fn mind_upgrade(&mut self) {
        if self.upgrade.due_us().is_some_and(|due| due <= monotonic_us()) {
            self.give_up_upgrade();
        }
    }

    /// Gives up a binary that has not answered.
    pub(in crate::master) fn give_up_upgrade(&mut self) {
        if let Upgrade::Asked(question) = std::mem::replace(&mut self.upgrade, Upgrade::None) {
            let reason = question.give_up();
            self.stay(&reason);
        }
    }

    fn stay(&self, reason: &str) {
        log::error!("the master was not replaced and goes on: {reason}");
    }

    /// Executes a binary as the next image. Comes back only with the reason why not.
    fn execute_next(&self, path: &Path) -> io::Error {
        let attempt = || -> io::Result<io::Error> {
            let handover = self.hand_over()?.write()?;
            process::inherit(handover.as_fd())?;
            let program = CString::new(path.as_os_str().as_bytes())?;
            let words = call(ADOPT_ARGUMENT, handover.as_fd().as_raw_fd())?.into_iter().map(OsString::into_vec);
            let variables = std::env::vars_os().map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat());
            let words = words.map(CString::new).collect::<Result<Vec<_>, _>>()?;
            let environment = variables.map(CString::new).collect::<Result<Vec<_>, _>>()?;
            // Until the next image hears them, so that none is lost and none kills.
            let blocked = process::block_signals();
            let error = process::exec(&program, &words, &environment);
            process::unblock_signals(blocked);
            Ok(error)
        };
        let error = attempt().unwrap_or_else(|error| error);
        process::close_strangers_on_exec();
        error
    }

    /// Everything that the next image must know, with the descriptors let pass.
    fn hand_over(&self) -> io::Result<Handover> {
        let in_force = &self.in_force;
        Ok(Handover {
            snapshot: self.machine.snapshot(),
            config: in_force.config.clone(),
            children: self.children.hand_over()?,
            sockets: in_force.sockets.iter().map(SocketHandover::of).collect::<io::Result<_>>()?,
            bell: Passed::on(&self.bell)?,
            operators: Passed::on(self.operators.listener())?,
            closed: !process::may_be_steered(),
            descriptors: self.descriptors.hand_over()?,
            fifo: in_force.fifos.hand_over()?,
            watches: in_force.watches.hand_over(),
            pid_files: self.pid_files.paths().to_vec(),
            decisions: in_force.decisions.as_ref().map(|file| file.hand_over()).transpose()?,
            scaling: self.scaler.memory().clone(),
            pools: in_force
                .pools
                .iter()
                .map(|pool| pool.iter().map(SocketHandover::of).collect())
                .collect::<io::Result<_>>()?,
            journal: in_force.doors.journal().map(Passed::on).transpose()?,
            doors: in_force.doors.sockets().map(SocketHandover::of).collect::<io::Result<_>>()?,
            memories: in_force.memories.hand_over()?,
            ledger: Some(self.ledger.clone()),
            timetable: self.timetable.clone(),
            errands: self.errands.clone(),
            vassal: self.vassal.as_ref().map(Vassal::hand_over).transpose()?,
            stops_at_us: self.stops_at_us,
            log_beneath: in_force.collecting.as_ref().map(|log| Passed::on(log.beneath())).transpose()?,
        })
    }
}
