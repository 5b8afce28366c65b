//! What an order means at the moment it comes: the table, and its execution.
//!
//! Severity: a stop wins over everything; a reload over a lesser reload; the newest of two equals. None is dropped
//! without an answer. Pure; used in the master.

use super::action::{Action, Announcement, Outcome};
use super::change::Change;
use super::child::Manner;
use super::event::{Order, Reload};
use super::note::Note;
use super::{Machine, Stage};
use std::fmt;

/// What the instance is busy with: the table's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Situation {
    /// The first generation loads.
    Loading,
    /// Workers serve, or get ready for the first time.
    Serving,
    /// A new generation is on its way.
    Switching,
    /// Workers are being replaced within the generation.
    Rolling,
    /// On the way out, gracefully.
    Stopping,
    /// On the way out, at once.
    StoppingNow,
}

impl Situation {
    #[cfg(test)]
    pub(super) const ALL: [Situation; 6] = [
        Situation::Loading,
        Situation::Serving,
        Situation::Switching,
        Situation::Rolling,
        Situation::Stopping,
        Situation::StoppingNow,
    ];
}

/// What becomes of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposition {
    /// Follow it at once.
    Obey,
    /// Call off what is under way, then follow it.
    Supersede,
    /// After what is under way; takes the place of one that waits already.
    Queue,
    /// Answer that it cannot be followed.
    Refuse,
    /// It is already being followed.
    Ignore,
}

/// What an order means in a situation.
pub(super) fn dispose(situation: Situation, order: Order) -> Disposition {
    use Situation as S;
    match (situation, order) {
        (S::Stopping | S::StoppingNow, Order::Stop) | (S::StoppingNow, Order::StopNow) => Disposition::Ignore,
        (S::Stopping | S::StoppingNow, Order::Reload(_)) => Disposition::Refuse,
        (S::Switching | S::Rolling, Order::Stop | Order::StopNow) => Disposition::Supersede,
        (S::Loading | S::Serving, Order::Stop | Order::StopNow) | (S::Stopping, Order::StopNow) => Disposition::Obey,
        (S::Loading, Order::Reload(_)) => Disposition::Queue,
        (S::Serving, Order::Reload(_)) => Disposition::Obey,
        (S::Switching, Order::Reload(reload)) if !reload.is_switch() => Disposition::Queue,
        (S::Switching | S::Rolling, Order::Reload(_)) => Disposition::Supersede,
        (
            S::Stopping | S::StoppingNow,
            Order::Pause | Order::Resume | Order::TogglePause | Order::Cheap | Order::Upgrade,
        ) => Disposition::Ignore,
        (S::Loading | S::Switching | S::Rolling, Order::Upgrade) => Disposition::Queue,
        (S::Serving, Order::Upgrade) => Disposition::Obey,
        (
            S::Loading | S::Serving | S::Switching | S::Rolling,
            Order::Pause | Order::Resume | Order::TogglePause | Order::Cheap,
        ) => Disposition::Obey,
    }
}

impl fmt::Display for Disposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Disposition::Obey => "obey",
            Disposition::Supersede => "call off, obey",
            Disposition::Queue => "after this",
            Disposition::Refuse => "refuse",
            Disposition::Ignore => "·",
        })
    }
}

impl Machine {
    pub(super) fn order(&mut self, order: Order) {
        match dispose(self.situation(), order) {
            Disposition::Obey | Disposition::Supersede => self.obey(order),
            Disposition::Queue => self.queue(order),
            Disposition::Refuse => self.refuse(order),
            Disposition::Ignore => {}
        }
    }

    fn situation(&self) -> Situation {
        match (&self.stage, &self.change) {
            (Stage::Loading, _) => Situation::Loading,
            (Stage::Starting | Stage::Serving, None) => Situation::Serving,
            (Stage::Starting | Stage::Serving, Some(Change::Reading { .. } | Change::Switching(_))) => {
                Situation::Switching
            }
            (Stage::Starting | Stage::Serving, Some(Change::Rolling { .. })) => Situation::Rolling,
            (Stage::Stopping { manner: Manner::Graceful, .. }, _) => Situation::Stopping,
            (Stage::Stopping { manner: Manner::Brutal, .. } | Stage::Gone, _) => Situation::StoppingNow,
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Stop => self.begin_stop(0, Manner::Graceful),
            Order::StopNow => self.begin_stop(0, Manner::Brutal),
            Order::Reload(reload) => {
                self.cancel_change(Outcome::Superseded);
                self.drop_queued(Outcome::Superseded);
                self.begin_reload(reload);
            }
            Order::Pause => self.set_paused(true),
            Order::Resume => self.set_paused(false),
            Order::TogglePause => self.set_paused(!self.paused),
            Order::Cheap => self.go_cheap(),
            Order::Upgrade => self.upgrade_due = true,
        }
    }

    fn queue(&mut self, order: Order) {
        match order {
            Order::Reload(reload) => {
                self.drop_queued(Outcome::Superseded);
                self.queued = Some(reload);
            }
            Order::Upgrade => self.upgrade_due = true,
            Order::Stop | Order::StopNow | Order::Pause | Order::Resume | Order::TogglePause | Order::Cheap => {
                self.obey(order)
            }
        }
    }

    fn refuse(&mut self, order: Order) {
        if let Order::Reload(reload) = order {
            self.note(Note::Refused { what: reload.to_string(), why: "the instance is stopping" });
            self.announce(Announcement::ReloadDone { reload, outcome: Outcome::Stopped });
        }
    }

    /// Answers the reload that waits, if one does.
    pub(super) fn drop_queued(&mut self, outcome: Outcome) {
        if let Some(reload) = self.queued.take() {
            self.announce(Announcement::ReloadDone { reload, outcome });
        }
    }

    fn set_paused(&mut self, paused: bool) {
        if self.paused != paused {
            self.paused = paused;
            self.note(if paused { Note::Paused } else { Note::Resumed });
        }
    }

    /// Begins what waits, once nothing else is under way. Whether anything began.
    pub(super) fn take_up_queued(&mut self) -> bool {
        if !matches!(self.stage, Stage::Starting | Stage::Serving) || self.change.is_some() {
            return false;
        }
        let Some(reload) = self.queued.take() else { return false };
        self.begin_reload(reload);
        true
    }

    /// Re-executes the master when that was ordered and no order to fork, load or change is half done.
    pub(super) fn upgrade_if_quiet(&mut self) -> Option<Action> {
        let quiet = matches!(self.stage, Stage::Serving) && self.change.is_none() && !self.anything_half_done();
        let now = self.upgrade_due && quiet;
        self.upgrade_due &= !now;
        now.then_some(Action::Upgrade)
    }

    /// Announces that a reload of this kind is under way.
    pub(super) fn begin_reload(&mut self, reload: Reload) {
        self.note(Note::ReloadBegins { reload });
        self.announce(Announcement::Reloading(reload));
        match reload {
            Reload::Graceful | Reload::Brutal => self.read_configuration(reload),
            Reload::Workers | Reload::WorkersBrutal | Reload::Chain => self.mark_for_replacement(reload),
        }
    }
}
