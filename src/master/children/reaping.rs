//! The ends of children that are ours to reap: zygotes, those whose zygote is gone, and strangers that came to us.
//! Master only.

use mio::Poll;

use super::super::machine::{Event, ExitStatus, Generation, ProcessId, Seat};
use super::super::wake::Wake;
use super::hearing::{Said, exit_status};
use super::registry::{Children, Owner};
use crate::exit::Exit;
use crate::sys::process::{self, WaitStatus};

impl Children {
    /// Reaps every child that has ended.
    pub(in crate::master) fn reap(&mut self, poll: &Poll) -> Vec<Said> {
        let mut said = Vec::new();
        while let Some((pid, status)) = process::reap(None) {
            said.extend(self.ended(pid, status, poll));
        }
        said.extend(self.lose_molds(poll));
        said.extend(self.executed.settle().into_iter().map(Said::from));
        said
    }

    /// What the end of a process means. What it said before comes first.
    fn ended(&mut self, pid: ProcessId, status: WaitStatus, poll: &Poll) -> Vec<Said> {
        match self.owner(pid) {
            Owner::Zygote(generation) => {
                let mut said = self.take_in_zygote(generation, poll);
                said.extend(self.lose_zygote(generation, exit_status(status), poll).into_iter().map(Said::from));
                said
            }
            Owner::Member(seat) => {
                let mut said = self.last_words(seat);
                said.push(self.bury(seat, pid, status).into());
                said
            }
            Owner::Program(seat) => self.executed.ended(seat, pid, status, poll).into_iter().map(Said::from).collect(),
            Owner::Stranger => vec![Said::StrangerEnded(pid, exit_status(status))],
        }
    }

    /// The end of a zygote, and behind it the orders that it never got.
    pub(super) fn lose_zygote(&mut self, generation: Generation, status: ExitStatus, poll: &Poll) -> Vec<Event> {
        let zygote = self.zygotes.remove(&generation);
        let (unheard, orders) = zygote.map(|zygote| (zygote.unheard, zygote.orders)).unwrap_or_default();
        // What ends with the code for an application that cannot be loaded has said why.
        if let (Some(requirement), ExitStatus::Code(code)) = (unheard, status)
            && code != i32::from(Exit::Application.code())
        {
            log::error!(
                "{requirement}; it ended with status {code} before it said a word, unless the application ended it"
            );
        }
        self.take_in_orphans(generation, poll);
        let unsent = orders.into_waiting().map(|order| Event::ForkFailed { seat: order.seat, errno: libc::ESRCH });
        std::iter::once(Event::ZygoteExited { generation, status }).chain(unsent).collect()
    }

    /// From now on the children of a zygote that is gone are ours; their pidfds tell of their ends, also of those that
    /// the zygote had reaped without being able to say so.
    fn take_in_orphans(&mut self, generation: Generation, poll: &Poll) {
        for (seat, member) in self.members.iter_mut().filter(|(_, member)| member.generation == generation) {
            member.orphan = true;
            if let Some((pid, pidfd)) = &member.process
                && let Err(error) = Wake::Ended(*seat).again(pidfd, poll)
            {
                log::error!("cannot watch worker process {pid}: {error}");
            }
        }
    }

    /// The end of an orphan, told by its pidfd.
    pub(super) fn bury_orphan(&mut self, seat: Seat) -> Option<Event> {
        let pid = self.pid(seat)?;
        // Reaped by the zygote in its last moment: how it ended is not known any more.
        let status = process::reap(Some(pid)).map_or(WaitStatus(0), |(_, status)| status);
        Some(self.bury(seat, pid, status))
    }
}
