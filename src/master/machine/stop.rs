//! The way out: everyone is let go, zygotes last, and the master leaves within a bound whatever happens.
//!
//! Pure; used in the master.

use super::action::{Action, Announcement, Outcome};
use super::child::{Child, Incident, Manner, Phase};
use super::farewell::Farewell;
use super::identity::{Generation, Seat};
use super::note::Note;
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
        let everyone = self.seats_where(|child| manner == Manner::Brutal || child.rule().counts);
        self.part_with(&everyone, manner);
    }

    /// Lets these go for the end of the instance. One that goes on without it is left to itself however it ends.
    fn part_with(&mut self, seats: &[Seat], manner: Manner) {
        for seat in seats {
            let child = self.seats.get(seat.0 as usize).and_then(Option::as_ref);
            let outlives = child.and_then(Child::recipe).is_some_and(|recipe| recipe.outlives);
            let gently = manner == Manner::Graceful || outlives;
            let why = Farewell::Stop;
            self.befall(*seat, if gently { Incident::Dismiss(why) } else { Incident::Kill(why) });
        }
    }

    /// Those that are only there for the others go when the others are gone, all at once.
    fn part_with_companions(&mut self) {
        if self.seats.iter().flatten().any(|child| child.rule().counts) {
            return;
        }
        let companions = self.seats_where(Child::stays);
        let patience = self.seats.iter().flatten().map(|child| self.mercy_us(child)).max();
        if let (false, Some(mercy_us), Stage::Stopping { until, .. }) =
            (companions.is_empty(), patience, &mut self.stage)
        {
            *until = self.now.plus_us(mercy_us).plus_us(KILL_PATIENCE_US).max(*until);
        }
        self.part_with(&companions, Manner::Graceful);
    }

    /// One look at the way out: lets zygotes go that have nobody left, and leaves when nothing is there or it is time.
    pub(super) fn wind_down(&mut self) {
        let Stage::Stopping { code, manner, .. } = self.stage else { return };
        self.forget_lost();
        self.part_with_companions();
        for generation in self.zygotes_to_stop(manner) {
            let incident = if manner == Manner::Graceful { zygote::Incident::Dismiss } else { zygote::Incident::Kill };
            self.zygote(generation, incident);
        }
        self.forget_lost();
        let (workers, others): (Vec<&Child>, Vec<&Child>) =
            self.seats.iter().flatten().partition(|child| child.rule().counts);
        let left = [workers.len(), self.zygotes.len(), others.len()];
        let all_gone = left.iter().all(|count| *count == 0);
        let waits = matches!(self.stage, Stage::Stopping { until, .. } if self.looked < until);
        if !all_gone && waits {
            return;
        }
        if !all_gone {
            let [workers, zygotes, others] = left.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
            self.note(Note::LeftBehind { workers, zygotes, others });
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
        all.filter(|generation| manner == Manner::Brutal || !self.has_children(*generation)).collect()
    }

    /// Nobody waits for a worker that may never have been: if it is there, it notices that its master is gone.
    fn forget_lost(&mut self) {
        for place in &mut self.seats {
            if place.as_ref().is_some_and(|child| matches!(child.phase, Phase::Lost { .. })) {
                *place = None;
            }
        }
    }

    /// Whether a generation still has anyone in any seat.
    pub(super) fn has_children(&self, generation: Generation) -> bool {
        self.seats.iter().flatten().any(|child| child.is_of(generation))
    }
}
