//! When the master minds its attendants (`attendants`): in every round, when one asks something or has ended, and at the end.
//! Master only.

use super::driver::Driver;
use super::machine::{ExitStatus, ProcessId};
use crate::inquiry::Inquiry;
use crate::stats::{self, Figures};
use crate::sys::clock::epoch_us;

impl Driver<'_> {
    /// When an attendant is due.
    pub(super) fn attendants_due_us(&self) -> Option<u64> {
        self.attendants.due_us()
    }

    /// Has those there that the configuration in force wants.
    pub(super) fn mind_attendants(&mut self) {
        self.attendants.follow(&self.in_force, &self.children.mailboxes, &self.poll);
    }

    /// One of them asks something, or has room for more of an answer.
    pub(super) fn hear_attendant(&mut self, number: u32) {
        let Some(inquiry) = self.attendants.hear(number) else { return };
        self.weigh();
        let report = self.report();
        let answer = match inquiry {
            Inquiry::Metrics => stats::metrics_for_collectors(&report, epoch_us()),
            Inquiry::Figures => Figures::of(&report, self.in_force.config.telemetry.push_cores).line().into_bytes(),
        };
        self.attendants.tell(number, &answer);
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
