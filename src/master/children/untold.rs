//! Workers that have ended without a word of their zygote, whose children they are: their pidfds tell the master, and a
//! zygote that says nothing, because it is stopped or stuck, does not keep the dead on duty. Master only.

use mio::Poll;

use super::super::machine::{Event, ExitStatus, ProcessId, Seat};
use super::super::wake::no_more;
use super::hearing::Said;
use super::registry::Children;
use crate::sys::clock::monotonic_us;
use crate::sys::wait::{Interest, wait_ready};

/// How long a zygote may take to tell of a worker's end, of which only it learns how that came about.
const TELLING_US: u64 = 2_000_000;

impl Children {
    /// The process in a seat has ended, as its pidfd says. One that is ours is buried; for any other one its zygote has some
    /// time to tell.
    pub(in crate::master) fn note_end(&mut self, seat: Seat) -> Option<Event> {
        let member = self.members.get_mut(&seat)?;
        let (_, pidfd) = member.process.as_ref()?;
        // What was meant may be who had the seat before.
        if !wait_ready(pidfd, Interest::Readable, 0).unwrap_or(false) {
            return None;
        }
        if member.orphan {
            return self.bury_orphan(seat);
        }
        member.ended_us.get_or_insert_with(monotonic_us);
        None
    }

    /// When the next zygote must have told of an end.
    pub(in crate::master) fn telling_due_us(&self) -> Option<u64> {
        let untold = self.members.values().filter(|member| !member.orphan);
        untold.filter_map(|member| member.ended_us).min().map(|ended_us| ended_us.saturating_add(TELLING_US))
    }

    /// Frees the seats of those whose zygotes have not told of their ends in time.
    pub(in crate::master) fn bury_untold(&mut self, now_us: u64, poll: &Poll) -> Vec<Said> {
        let mut said = Vec::new();
        if self.telling_due_us().is_none_or(|due_us| due_us > now_us) {
            return said;
        }
        let is_due = |ended_us: u64| ended_us.saturating_add(TELLING_US) <= now_us;
        let due: Vec<(Seat, ProcessId)> = self
            .members
            .iter()
            .filter(|(_, member)| !member.orphan && member.ended_us.is_some_and(is_due))
            .filter_map(|(seat, member)| Some((*seat, member.process.as_ref()?.0)))
            .collect();
        for (seat, pid) in due {
            // It may have said so just now, and somebody else be in the seat.
            if let Some(generation) = self.members.get(&seat).map(|member| member.generation) {
                said.extend(self.hear_zygote(generation, poll));
            }
            if self.pid(seat) == Some(pid) {
                said.extend(self.last_words(seat));
                said.extend(self.bury_one_untold(seat, pid, poll).map(Said::from));
            }
        }
        said
    }

    fn bury_one_untold(&mut self, seat: Seat, pid: ProcessId, poll: &Poll) -> Option<Event> {
        let member = self.members.get(&seat)?;
        // While its zygote holds the pidfd as well, closing ours would not do.
        if let Some((_, pidfd)) = &member.process {
            let _ = no_more(pidfd, poll);
        }
        let generation = member.generation;
        if let Some(zygote) = self.zygotes.get_mut(&generation) {
            if zygote.untold.is_empty() {
                log::error!(
                    "zygote of generation {generation} does not tell that worker process {pid} has ended: it is stopped or \
                     stuck"
                );
            }
            zygote.untold.insert(pid);
        }
        self.strike_off(seat);
        Some(Event::Exited { seat, pid, status: ExitStatus::Unknown })
    }
}
