//! Whose connections are while a new generation is on trial (`reload-canary`): which ones a thread takes, which ones it
//! leaves to the other generation, and for how long. The scoreboard counts and divides. Worker only.

use worker_protocol::ids::Generation;
use worker_protocol::scoreboard::{Trial, Turn};

use crate::sys::clock::monotonic_us;

/// How long one who leaves a connection to the generation on trial waits for it to come: waking up takes some tens of
/// microseconds, on a busy machine more.
const LEFT_US: u64 = 500;

/// How long nobody waits for it again after it did not come: it is busy, or gone.
const REST_US: u64 = 20_000;

/// Most that a thread on trial sleeps: the end of the trial is told by a word in memory.
pub(super) const PATIENCE_US: u64 = 100_000;

/// Who may accept the connection that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// This thread.
    Ours,
    /// This thread, after a moment that it has left it to the others.
    OursAfterAll,
    /// The others.
    Theirs,
}

/// One thread's part in dividing the connections.
#[derive(Debug)]
pub(super) struct Share<'z> {
    trial: Trial<'z>,
    own: Generation,
    on_trial: bool,
    rests_until_us: u64,
}

impl<'z> Share<'z> {
    /// Of a worker of generation `own`.
    pub(super) fn new(trial: Trial<'z>, own: Generation) -> Self {
        Self { trial, own, on_trial: trial.is_of(own), rests_until_us: 0 }
    }

    /// Whether this thread's generation is on trial: it hears of every connection, and takes those that are due to it.
    pub(super) fn is_on_trial(&self) -> bool {
        self.on_trial
    }

    /// Whether the trial of this thread's generation is over since the last look: from now on it does as all do.
    pub(super) fn has_passed(&mut self) -> bool {
        self.on_trial && !self.trial.is_of(self.own) && std::mem::replace(&mut self.on_trial, false)
    }

    /// Whether a connection that waits, or will, is due to this thread's generation, which is on trial.
    pub(super) fn is_owed(&self) -> bool {
        self.on_trial && self.trial.turn(self.own) == Turn::Ours
    }

    /// Whose the connection is that waits. Where it belongs to the generation on trial, that one has a moment to come for
    /// it.
    pub(super) fn decide(&mut self) -> Whose {
        match self.trial.turn(self.own) {
            Turn::Anyone | Turn::Ours => Whose::Ours,
            Turn::Theirs if self.on_trial => Whose::Theirs,
            Turn::Theirs => {
                self.leave_for_a_moment();
                Whose::OursAfterAll
            }
        }
    }

    /// One was accepted.
    pub(super) fn took(&self) {
        self.trial.count(self.own);
    }

    /// Until the other side has taken its connection, or did not come for it.
    #[cold]
    fn leave_for_a_moment(&mut self) {
        let now_us = monotonic_us();
        if now_us < self.rests_until_us {
            return;
        }
        while monotonic_us() < now_us + LEFT_US {
            std::thread::yield_now();
            if self.trial.turn(self.own) != Turn::Theirs {
                return;
            }
        }
        self.rests_until_us = monotonic_us() + REST_US;
    }
}
