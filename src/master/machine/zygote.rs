//! One generation's zygote: its states, and the table of what each stimulus means in each of them.
//!
//! Pure; used in the master.

use super::event::ExitStatus;
use super::identity::{Generation, Time};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A zygote that exists or is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Zygote {
    pub(super) generation: Generation,
    pub(super) phase: Phase,
    /// Of a mold: the generation that was loaded from which it comes.
    #[serde(default)]
    pub(super) root: Option<Generation>,
}

/// How far a zygote's life has come. `until` is when patience ends; one that is gone has no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// Its start waits for the back-off.
    Waiting { until: Time },
    /// It loads the application.
    Loading { until: Option<Time> },
    /// It takes orders.
    Loaded { since: Time },
    /// It was told to end, or said that it cannot load.
    Stopping { until: Time },
    /// It was sent SIGKILL.
    Killed,
}

impl Zygote {
    pub(super) fn until(&self) -> Option<Time> {
        match self.phase {
            Phase::Waiting { until } | Phase::Stopping { until } => Some(until),
            Phase::Loading { until } => until,
            Phase::Loaded { .. } | Phase::Killed => None,
        }
    }
}

/// The table's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    Loading,
    Loaded,
    Stopping,
    Killed,
}

impl State {
    #[cfg(test)]
    pub(super) const ALL: [State; 5] = [State::Waiting, State::Loading, State::Loaded, State::Stopping, State::Killed];

    pub(super) fn of(phase: Phase) -> State {
        match phase {
            Phase::Waiting { .. } => State::Waiting,
            Phase::Loading { .. } => State::Loading,
            Phase::Loaded { .. } => State::Loaded,
            Phase::Stopping { .. } => State::Stopping,
            Phase::Killed => State::Killed,
        }
    }
}

/// The table's columns. The first three come from outside, the rest from the master itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stimulus {
    Loaded,
    LoadFailed,
    Exited,
    /// It is no longer wanted and has no workers.
    Dismiss,
    /// It is no longer wanted, and there is no time.
    Kill,
    /// Its patience has ended.
    Expire,
    /// It did not answer an order to fork.
    Mute,
}

impl Stimulus {
    #[cfg(test)]
    pub(super) const ALL: [Stimulus; 7] = [
        Stimulus::Loaded,
        Stimulus::LoadFailed,
        Stimulus::Exited,
        Stimulus::Dismiss,
        Stimulus::Kill,
        Stimulus::Expire,
        Stimulus::Mute,
    ];
}

/// What is to be done with a zygote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Cannot be; say so and go on.
    Impossible,
    /// As before.
    Stay,
    /// Execute it.
    Start,
    /// It takes orders.
    Serve,
    /// It cannot load: blame the generation, wait for its end.
    Reject,
    /// It is gone as expected.
    Bury,
    /// It is gone out of the blue: blame the generation.
    Judge,
    /// It never was: forget it.
    Forget,
    /// Tell it to end.
    Stop,
    /// SIGKILL.
    Kill,
    /// SIGKILL, blame the generation.
    GiveUp,
}

/// What a stimulus means in a state.
pub(super) fn step(state: State, stimulus: Stimulus) -> Step {
    use State as S;
    use Stimulus as E;
    match (state, stimulus) {
        (S::Waiting, E::Expire) => Step::Start,
        (S::Waiting, E::Dismiss | E::Kill) => Step::Forget,
        (S::Waiting, E::Loaded | E::LoadFailed | E::Exited | E::Mute) => Step::Impossible,

        (S::Loading, E::Loaded) => Step::Serve,
        (S::Loading, E::LoadFailed) => Step::Reject,
        (S::Loading | S::Loaded, E::Exited) => Step::Judge,
        (S::Loading, E::Dismiss | E::Kill) => Step::Kill,
        (S::Loading, E::Expire) => Step::GiveUp,
        (S::Loading, E::Mute) => Step::Impossible,

        (S::Loaded, E::Dismiss) => Step::Stop,
        (S::Loaded, E::Kill) => Step::Kill,
        (S::Loaded, E::Mute) => Step::GiveUp,
        (S::Loaded, E::Expire) => Step::Stay,
        (S::Loaded, E::Loaded | E::LoadFailed) => Step::Impossible,

        (S::Stopping | S::Killed, E::Exited) => Step::Bury,
        (S::Stopping, E::Kill | E::Expire | E::Mute) => Step::Kill,
        (S::Stopping | S::Killed, E::Loaded | E::LoadFailed | E::Dismiss) => Step::Stay,
        (S::Killed, E::Kill | E::Expire | E::Mute) => Step::Stay,
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Impossible => "impossible",
            Step::Stay => "·",
            Step::Start => "start → Loading",
            Step::Serve => "→ Loaded",
            Step::Reject => "blame → Stopping",
            Step::Bury | Step::Forget => "→ gone",
            Step::Judge => "blame → gone",
            Step::Stop => "stop → Stopping",
            Step::Kill => "kill → Killed",
            Step::GiveUp => "blame, kill → Killed",
        })
    }
}

/// A stimulus with what it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Incident {
    Loaded { boot_us: u64 },
    LoadFailed { exit_code: i32, reason: String },
    Exited(ExitStatus),
    Dismiss,
    Kill,
    Expire,
    Mute,
}

impl Incident {
    pub(super) fn stimulus(&self) -> Stimulus {
        match self {
            Incident::Loaded { .. } => Stimulus::Loaded,
            Incident::LoadFailed { .. } => Stimulus::LoadFailed,
            Incident::Exited(_) => Stimulus::Exited,
            Incident::Dismiss => Stimulus::Dismiss,
            Incident::Kill => Stimulus::Kill,
            Incident::Expire => Stimulus::Expire,
            Incident::Mute => Stimulus::Mute,
        }
    }
}
