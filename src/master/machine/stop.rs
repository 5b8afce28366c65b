//! The way out: everyone is let go, zygotes last, and the master leaves within a bound whatever happens.
//!
//! Pure; used in the master.

use super::action::{Action, Announcement, Outcome};
use super::identity::Generation;
use super::note::{Farewell, Note};
use super::worker::{Incident, Manner, Phase};
use super::zygote;
use super::{Machine, Stage};

/// Exit code when no application could be loaded (uWSGI's manual, "Things to know").
pub(super) const NO_APPLICATION: i32 = 22;
/// Exit code of a start that failed without a code of its own (uWSGI's manual, "Things to know").
pub(super) const FAILURE: i32 = 1;

/// How long a stop waits for what was sent SIGKILL.
const KILL_PATIENCE_US: u64 = 10_000_000;

impl Machine {
    /// Begins to stop, or makes haste when that has begun. The first exit code stands.
    pub(super) fn begin_stop(&mut self, code: i32, manner: Manner) {
        let code = if let Stage::Stopping { code, .. } = self.stage { code } else { code };
        let mercy_us = if manner == Manner::Graceful { self.plan.mercy_us } else { 0 };
        let until = self.now.plus_us(mercy_us).plus_us(KILL_PATIENCE_US);
        self.note(if manner == Manner::Graceful { Note::Stopping } else { Note::StoppingNow });
        self.cancel_change(Outcome::Stopped);
        self.drop_queued(Outcome::Stopped);
        if !self.is_stopping() {
            self.announce(Announcement::Stopping);
        }
        self.stage = Stage::Stopping { code, manner, until };
        let everyone = self.seats_where(|_| true);
        self.befall_all(
            &everyone,
            &match manner {
                Manner::Graceful => Incident::Dismiss(Farewell::Stop),
                Manner::Brutal => Incident::Kill(Farewell::Stop),
            },
        );
    }

    /// One look at the way out: lets zygotes go that have nobody left, and leaves when nothing is there or it is time.
    pub(super) fn wind_down(&mut self) {
        let Stage::Stopping { code, manner, until } = self.stage else { return };
        self.forget_lost();
        for generation in self.zygotes_to_stop(manner) {
            let incident = if manner == Manner::Graceful { zygote::Incident::Dismiss } else { zygote::Incident::Kill };
            self.zygote(generation, incident);
        }
        self.forget_lost();
        let workers = self.seats.iter().flatten().count();
        let zygotes = self.zygotes.len();
        let left = workers + zygotes > 0;
        if left && self.looked < until {
            return;
        }
        if left {
            let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            self.note(Note::LeftBehind { workers: number(workers), zygotes: number(zygotes) });
        }
        self.note(Note::Goodbye);
        self.actions.push_back(Action::Exit { code });
        self.stage = Stage::Gone;
    }

    /// Something was sent SIGKILL: a stop gives it the time to die, however late it is.
    pub(super) fn await_killed(&mut self) {
        let dead_by = self.after_us(KILL_PATIENCE_US);
        if let Stage::Stopping { until, .. } = &mut self.stage {
            *until = dead_by.max(*until);
        }
    }

    /// At a stop at once all of them: the workers are being killed, and their deaths come to the master itself.
    fn zygotes_to_stop(&self, manner: Manner) -> Vec<Generation> {
        let all = self.zygotes.iter().map(|zygote| zygote.generation);
        all.filter(|generation| manner == Manner::Brutal || !self.has_workers(*generation)).collect()
    }

    /// Nobody waits for a worker that may never have been: if it is there, it notices that its master is gone.
    fn forget_lost(&mut self) {
        for place in &mut self.seats {
            if place.as_ref().is_some_and(|worker| matches!(worker.phase, Phase::Lost { .. })) {
                *place = None;
            }
        }
    }

    /// Whether a generation still has anyone in any seat.
    pub(super) fn has_workers(&self, generation: Generation) -> bool {
        self.seats.iter().flatten().any(|worker| worker.generation == generation)
    }
}
