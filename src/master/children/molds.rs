//! Workers that become the molds of others (`refork`): told to, taken from among the members to the zygotes, and their ends,
//! of which the zygotes tell whose children they are. Master only.

use std::os::fd::AsFd as _;

use mio::Poll;
use worker_protocol::control::{ToWorker, ToZygote};

use super::super::machine::{ExitStatus, Generation, ProcessId, Seat};
use super::super::wake::{Wake, no_more};
use super::hearing::{Said, exit_status};
use super::registry::{Calling, Children, Grown, Zygote};
use crate::sys::control::ControlSocket;
use crate::sys::process::{self, WaitStatus};
use crate::sys::wait::{Interest, wait_ready};

impl Children {
    /// Tells a worker to finish, and to become the mold of a generation.
    pub(in crate::master) fn tell_to_mold(&mut self, seat: Seat, generation: Generation) {
        if let Some(member) = self.members.get_mut(&seat) {
            // It learns of that before it leaves; one whose queue is full only leaves.
            if member.control.send_record(&ToWorker::Mold { generation }, &[]).is_ok() {
                member.calling = Calling::Told;
            }
        }
        self.retire(seat);
    }

    /// A worker says that it has become the mold that it was told to be. Whether it was.
    pub(super) fn follows_calling(&mut self, seat: Seat, control: ControlSocket) -> bool {
        match self.members.get_mut(&seat).map(|member| &mut member.calling) {
            Some(calling @ Calling::Told) => {
                *calling = Calling::Followed(control);
                true
            }
            _ => false,
        }
    }

    /// Who was the worker in a seat is a zygote from now on.
    pub(in crate::master) fn take_mold(&mut self, seat: Seat, generation: Generation, poll: &Poll) {
        let Some(member) = self.members.remove(&seat) else { return };
        self.recount();
        let (Some((pid, process)), Calling::Followed(control)) = (member.process, member.calling) else { return };
        // Its own zygote holds the pidfd as well, so that closing ours would not do.
        let _ = no_more(&process, poll);
        if let Err(error) = Wake::Zygote(generation).when_readable(&control, poll) {
            log::error!("refork: process {pid} is not heard: {error}");
        }
        if member.missed_log {
            // The master's own output is where the log is since then.
            let told = control.send_record(&ToZygote::LogTo, &[std::io::stderr().as_fd()]);
            if let Err(error) = told {
                log::error!("refork: process {pid} goes on writing to the old log: {error}");
            }
        }
        let grown = Some(Grown { root: member.generation, process });
        self.zygotes.insert(generation, Zygote { grown, ..Zygote::new(pid, control, None, self.layout.seats()) });
    }

    /// The end of a mold, as the zygote tells whose child it is; `None`: it is none.
    pub(super) fn mold_ended(&mut self, pid: ProcessId, status: WaitStatus, poll: &Poll) -> Option<Vec<Said>> {
        let is_it = |(_, zygote): &(&Generation, &Zygote)| zygote.grown.is_some() && zygote.pid == pid;
        let generation = *self.zygotes.iter().find(is_it)?.0;
        Some(self.end_mold(generation, exit_status(status), poll))
    }

    fn end_mold(&mut self, generation: Generation, status: ExitStatus, poll: &Poll) -> Vec<Said> {
        let mut said = self.take_in_zygote(generation, poll);
        said.extend(self.lose_zygote(generation, status, poll).into_iter().map(Said::from));
        said
    }

    /// Molds that have ended and whose zygotes have ended as well before they could tell.
    pub(super) fn lose_molds(&mut self, poll: &Poll) -> Vec<Said> {
        let ended = |zygote: &Zygote| {
            let Some(grown) = &zygote.grown else { return false };
            !self.zygotes.contains_key(&grown.root)
                && wait_ready(&grown.process, Interest::Readable, 0).unwrap_or(false)
        };
        let lost: Vec<(Generation, ProcessId)> = self
            .zygotes
            .iter()
            .filter(|(_, zygote)| ended(zygote))
            .map(|(generation, zygote)| (*generation, zygote.pid))
            .collect();
        let mut said = Vec::new();
        for (generation, pid) in lost {
            // Reaped by its zygote in its last moment: how it ended is not known any more.
            let status = process::reap(Some(pid)).map_or(ExitStatus::Unknown, |(_, status)| exit_status(status));
            said.extend(self.end_mold(generation, status, poll));
        }
        said
    }
}
