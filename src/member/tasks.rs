//! What a process tells of what it does beside requests, in its seat: signals of the application, tasks of a mule or a spooler.
//! Every process below a zygote.

use std::path::Path;

use worker_protocol::post::Role;

use super::{Instance, Member};
use crate::config::model::mailboxes;
use crate::sys::clock::monotonic_us;

impl Instance<'_> {
    /// Has the master look if tasks of a spool directory wait, all of its processes are busy, and there may be more of them
    /// (`spooler-cheaper`).
    pub fn call_for_spoolers(&self, directory: &Path) {
        let spoolers = &self.config().spoolers;
        if spoolers.fewest_each.is_none() {
            return;
        }
        let own: Vec<u32> =
            (1..).zip(spoolers.processes()).filter(|(_, own)| *own == directory).map(|(number, _)| number).collect();
        let is_one = |role: Role, number: u32| role == Role::Spooler && own.contains(&number);
        let there: Vec<_> = self
            .seats()
            .filter(|(_, seat)| seat.figures().post.is_some_and(|post| is_one(post.role, post.number)))
            .map(|(_, seat)| seat.tasks())
            .collect();
        let unseen = || self.mailbox(&mailboxes::spooler(directory)).is_some_and(|mailbox| mailbox.waiting_bytes() > 0);
        let all_busy = there.iter().all(|tasks| tasks.since_us.is_some());
        if all_busy && there.len() < own.len() && (there.iter().any(|tasks| tasks.waiting > 0) || unseen()) {
            self.ring_master();
        }
    }
}

impl Member<'_> {
    /// The application's function for a signal begins.
    pub fn begin_signal(&self, number: u8) {
        self.seat().begin_signal(number);
    }

    /// It has ended.
    pub fn end_signal(&self) {
        self.seat().end_signal();
    }

    /// A task begins, a message of a mule's being one.
    pub fn begin_task(&self) {
        self.seat().begin_task(monotonic_us());
    }

    /// The one under way, if one is, has ended.
    pub fn end_task(&self, failed: bool) {
        self.seat().end_task(failed);
        self.note_memory(monotonic_us());
    }

    /// So many tasks wait that somebody may begin now.
    pub fn set_tasks_waiting(&self, count: u64) {
        self.seat().set_tasks_waiting(count);
    }
}
