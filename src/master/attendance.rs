//! When the master minds its attendants (`attendants`): in every round, when one has ended, and at the end. Master only.

use super::driver::Driver;
use super::machine::{ExitStatus, ProcessId};

impl Driver<'_> {
    /// When an attendant is due.
    pub(super) fn attendants_due_us(&self) -> Option<u64> {
        self.attendants.due_us()
    }

    /// Has those there that the configuration in force wants.
    pub(super) fn mind_attendants(&mut self) {
        self.attendants.follow(&self.in_force);
    }

    /// Takes the end of one; another one follows. False: a process that has ended is none.
    pub(super) fn take_attendant_end(&mut self, pid: ProcessId, status: ExitStatus) -> bool {
        let Some(task) = self.attendants.take_end_of(pid) else { return false };
        log::error!("the process for {task} (pid {pid}) {status}; another one follows");
        true
    }

    /// The instance ends.
    pub(super) fn finish_attendants(&mut self) {
        self.attendants.finish();
    }
}
