//! One vassal as the machine knows it: what it is doing, what it was good for, and what its failures cost. Pure.

use super::table::Phase;
use crate::supervision::back_off::BackOff;
use crate::supervision::time::Time;

/// What becomes of one that goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::emperor) enum Then {
    /// It does not come again.
    Gone,
    /// It comes again at once.
    Again,
    /// It comes again like one that has ended by itself.
    ByItself,
    /// It sleeps.
    Asleep,
}

/// What it is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::emperor) enum State {
    Asleep,
    /// Since `since` it is to be started, or put to sleep, not before `not_before`.
    Waiting {
        since: Time,
        not_before: Time,
        sleeps_then: bool,
    },
    Starting {
        since: Time,
    },
    Running,
    Leaving {
        then: Then,
        kill_at: Time,
    },
}

/// Whether its file has changed since it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::emperor) enum Reloading {
    /// Not that we know.
    No,
    /// Since then it is to be told so, when there is room.
    Wanted(Time),
    /// It was told so then, and has not said since that it serves.
    Told(Time),
}

/// A vassal.
#[derive(Debug, Clone)]
pub(in crate::emperor) struct Vassal {
    pub(in crate::emperor) state: State,
    /// Of one that serves.
    pub(super) reloading: Reloading,
    /// Whether it is started by its first connection.
    pub(in crate::emperor) on_demand: bool,
    pub(in crate::emperor) back_off: BackOff,
    pub(in crate::emperor) failures: u32,
    /// Of its present life: since when it serves, whether it has answered.
    pub(in crate::emperor) ready: Option<Time>,
    pub(in crate::emperor) loyal: Option<Time>,
    pub(in crate::emperor) heartbeat: Option<Time>,
    /// When its first life and its present one began, and how many there were.
    pub(in crate::emperor) first_run: Option<Time>,
    pub(in crate::emperor) last_run: Option<Time>,
    pub(in crate::emperor) lives: u32,
    /// Whose reinforcement it is, and which of them: none of these has a file of its own.
    pub(in crate::emperor) stands_by: Option<(String, u32)>,
    /// What its own reinforcements have failed.
    pub(in crate::emperor) reinforcing: BackOff,
    /// How its last life ended, where that was no wish of ours.
    pub(in crate::emperor) last_end: Option<String>,
}

impl Vassal {
    /// One whose file was just found.
    pub(super) fn new(on_demand: bool, now: Time) -> Self {
        let state = match on_demand {
            true => State::Asleep,
            false => State::Waiting { since: now, not_before: now, sleeps_then: false },
        };
        Self {
            state,
            reloading: Reloading::No,
            on_demand,
            back_off: BackOff::default(),
            failures: 0,
            ready: None,
            loyal: None,
            heartbeat: None,
            first_run: None,
            last_run: None,
            lives: 0,
            stands_by: None,
            reinforcing: BackOff::default(),
            last_end: None,
        }
    }

    /// The column of the table.
    pub(in crate::emperor) fn phase(&self) -> Phase {
        match self.state {
            State::Asleep => Phase::Asleep,
            State::Waiting { .. } => Phase::Waiting,
            State::Starting { .. } => Phase::Starting,
            State::Running => Phase::Running,
            State::Leaving { .. } => Phase::Leaving,
        }
    }

    /// Whether it has a process.
    pub(in crate::emperor) fn lives(&self) -> bool {
        matches!(self.phase(), Phase::Starting | Phase::Running | Phase::Leaving)
    }

    /// Since when it is starting or reloading.
    pub(super) fn is_at_it_since(&self) -> Option<Time> {
        match (self.state, self.reloading) {
            (State::Starting { since }, _) | (State::Running, Reloading::Told(since)) => Some(since),
            _ => None,
        }
    }

    /// A life begins.
    pub(super) fn begin(&mut self, now: Time) {
        self.state = State::Starting { since: now };
        self.reloading = Reloading::No;
        (self.ready, self.loyal, self.heartbeat) = (None, None, None);
        self.first_run = self.first_run.or(Some(now));
        self.last_run = Some(now);
        self.lives = self.lives.saturating_add(1);
    }

    /// A reload that it was told of is over.
    pub(super) fn reloaded(&mut self) {
        if matches!(self.reloading, Reloading::Told(_)) {
            self.reloading = Reloading::No;
        }
    }

    /// It is well: what was is forgotten.
    pub(super) fn forgive(&mut self) {
        self.back_off.forgive();
        self.failures = 0;
    }
}
