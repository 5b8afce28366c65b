//! One child in one seat, whatever it does there: its states, and the table of what each stimulus means in each of them.
//!
//! The table decides; the machine carries out. Whether a successor is due is not decided here but by comparing what is
//! wanted with what is there (`reconcile`). Pure; used in the master.

use super::event::{ExitStatus, LeaveReason};
use super::farewell::Farewell;
use super::identity::{Generation, Post, ProcessId, Time};
use super::recipe::Recipe;
use crate::supervision::role::{FreshBy, Rule};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What sits in a seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Child {
    pub(super) post: Post,
    pub(super) origin: Origin,
    /// The how many-th in its post it is, from 1; 0 for a stranger.
    pub(super) nth: u32,
    /// Set by a reload: a successor is due though this one is fresh otherwise, and this is how it goes.
    pub(super) replace: Option<Manner>,
    /// Whether it has asked for a successor.
    #[serde(default)]
    pub(super) wear: Wear,
    /// The generation whose mold it is to be when it goes.
    #[serde(default)]
    pub(super) mold: Option<Generation>,
    pub(super) phase: Phase,
}

/// What a child was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Origin {
    /// The application as this generation's zygote has loaded it.
    Generation(Generation),
    /// This recipe.
    Recipe(Box<Recipe>),
}

/// How a child is let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Manner {
    Graceful,
    Brutal,
}

/// How far the replacement of a worker that is worn out has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Wear {
    /// It has not asked.
    #[default]
    None,
    /// It has asked, and serves on.
    Asked,
    /// A successor is due.
    Due,
}

/// How far a child's life has come. `until` is when patience ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// Ordered; `ready` when it said so before the zygote told its pid.
    Forking { until: Time, ready: Option<Time> },
    /// Ordered, but no longer wanted: taken back as soon as it has a pid.
    Doomed { until: Time, manner: Manner },
    /// The zygote died with the order in its hands; the fork may have happened.
    Lost { until: Time },
    /// It exists and gets ready.
    Starting { pid: ProcessId, until: Option<Time> },
    /// It accepts, or is paused.
    Ready { pid: ProcessId, since: Time, paused: bool },
    /// It stopped accepting by itself.
    Leaving { pid: ProcessId, since: Time, until: Time, why: Farewell },
    /// It was told to finish.
    Retiring { pid: ProcessId, since: Time, until: Time, why: Farewell },
    /// It was sent SIGKILL; with `until` only if it did not accept already, else told to finish by then.
    Killed { pid: ProcessId, since: Time, until: Option<Time>, why: Farewell },
}

impl Child {
    /// How its kind is kept.
    pub(super) fn rule(&self) -> Rule {
        Rule::of(self.post.role)
    }

    /// The generation that it is of, unless it is of none.
    pub(super) fn generation(&self) -> Option<Generation> {
        match self.origin {
            Origin::Generation(generation) => Some(generation),
            Origin::Recipe(_) => None,
        }
    }

    pub(super) fn is_of(&self, generation: Generation) -> bool {
        self.generation() == Some(generation)
    }

    /// What it was made by, if it was executed.
    pub(super) fn recipe(&self) -> Option<&Recipe> {
        match &self.origin {
            Origin::Generation(_) => None,
            Origin::Recipe(recipe) => Some(recipe),
        }
    }

    /// Whether a reload of the workers replaces it.
    pub(super) fn is_rolled(&self) -> bool {
        self.rule().fresh_by == FreshBy::Generation && self.rule().counts
    }

    /// On duty or on the way to it.
    pub(super) fn stays(&self) -> bool {
        matches!(self.phase, Phase::Forking { .. } | Phase::Starting { .. } | Phase::Ready { .. })
    }

    pub(super) fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready { .. })
    }

    pub(super) fn ready_since(&self) -> Option<Time> {
        if let Phase::Ready { since, .. } = self.phase { Some(since) } else { None }
    }

    pub(super) fn pid(&self) -> Option<ProcessId> {
        match self.phase {
            Phase::Forking { .. } | Phase::Doomed { .. } | Phase::Lost { .. } => None,
            Phase::Starting { pid, .. }
            | Phase::Ready { pid, .. }
            | Phase::Leaving { pid, .. }
            | Phase::Retiring { pid, .. }
            | Phase::Killed { pid, .. } => Some(pid),
        }
    }

    /// It goes on as this process: some programs leave to the background by themselves.
    pub(super) fn move_to(&mut self, process: ProcessId) {
        match &mut self.phase {
            Phase::Forking { .. } | Phase::Doomed { .. } | Phase::Lost { .. } => {}
            Phase::Starting { pid, .. }
            | Phase::Ready { pid, .. }
            | Phase::Leaving { pid, .. }
            | Phase::Retiring { pid, .. }
            | Phase::Killed { pid, .. } => *pid = process,
        }
    }

    /// When patience with it ends.
    pub(super) fn until(&self) -> Option<Time> {
        match self.phase {
            Phase::Forking { until, .. }
            | Phase::Doomed { until, .. }
            | Phase::Lost { until }
            | Phase::Leaving { until, .. }
            | Phase::Retiring { until, .. } => Some(until),
            Phase::Starting { until, .. } | Phase::Killed { until, .. } => until,
            Phase::Ready { .. } => None,
        }
    }
}

/// A seat's state without its data: the table's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Vacant,
    Forking,
    Doomed,
    Lost,
    Starting,
    Ready,
    Leaving,
    Retiring,
    Killed,
}

impl State {
    #[cfg(test)]
    pub(super) const ALL: [State; 9] = [
        State::Vacant,
        State::Forking,
        State::Doomed,
        State::Lost,
        State::Starting,
        State::Ready,
        State::Leaving,
        State::Retiring,
        State::Killed,
    ];

    pub(super) fn of(child: Option<&Child>) -> State {
        match child.map(|child| child.phase) {
            None => State::Vacant,
            Some(Phase::Forking { .. }) => State::Forking,
            Some(Phase::Doomed { .. }) => State::Doomed,
            Some(Phase::Lost { .. }) => State::Lost,
            Some(Phase::Starting { .. }) => State::Starting,
            Some(Phase::Ready { .. }) => State::Ready,
            Some(Phase::Leaving { .. }) => State::Leaving,
            Some(Phase::Retiring { .. }) => State::Retiring,
            Some(Phase::Killed { .. }) => State::Killed,
        }
    }
}

/// What can befall a seat: the table's columns. The first seven come from outside, the rest from the master itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stimulus {
    Forked,
    ForkFailed,
    Ready,
    NotReady,
    Leaving,
    /// It has become the mold.
    Molded,
    Exited,
    /// It is no longer wanted.
    Dismiss,
    /// It is no longer wanted, and there is no time.
    Kill,
    /// Its patience has ended.
    Expire,
    /// Its zygote is gone.
    Orphan,
}

impl Stimulus {
    #[cfg(test)]
    pub(super) const ALL: [Stimulus; 11] = [
        Stimulus::Forked,
        Stimulus::ForkFailed,
        Stimulus::Ready,
        Stimulus::NotReady,
        Stimulus::Leaving,
        Stimulus::Molded,
        Stimulus::Exited,
        Stimulus::Dismiss,
        Stimulus::Kill,
        Stimulus::Expire,
        Stimulus::Orphan,
    ];
}

/// What is to be done with a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Cannot be; say so and go on.
    Impossible,
    /// As before.
    Stay,
    /// A process where none was ordered: kill it, keep the seat until it is gone.
    Evict,
    /// It has a pid: it starts, or serves when it said so already.
    Begin,
    /// Note that it is ready, wait for its pid.
    Remember,
    /// It serves.
    Serve,
    /// The seat is free, nobody is to blame.
    Vacate,
    /// The seat is free, and whoever may be in it is on his own.
    Release,
    /// The seat is free, and the child is to blame.
    Fail,
    /// It goes on as a zygote: the seat is free.
    Mold,
    /// Reaped as expected: the seat is free.
    Bury,
    /// Reaped out of the blue: the seat is free; blame it if it died young and by itself.
    Judge,
    /// It stopped accepting: mercy starts.
    Leave,
    /// It cannot serve: blame it, mercy starts.
    Reject,
    /// Tell it to finish: mercy starts.
    Retire,
    /// SIGKILL, wait for its death.
    Kill,
    /// Take it back because it did not get ready, blame it, wait for its death.
    GiveUp,
    /// Call it off, and take it back as soon as it has a pid.
    Doom,
    /// Take it back: SIGKILL, or finish if it accepts already although that was not heard yet; wait for its death.
    Withdraw,
    /// It cannot serve: blame it, kill it as soon as it has a pid.
    DoomUnfit,
    /// Keep the seat for a while, it may be taken.
    Quarantine,
    /// The zygote does not answer: kill that.
    BlameZygote,
}

/// What a stimulus means in a state.
pub(super) fn step(state: State, stimulus: Stimulus) -> Step {
    use State as S;
    use Stimulus as E;
    match (state, stimulus) {
        (S::Vacant, E::Forked) => Step::Evict,
        (S::Vacant, E::Dismiss | E::Kill | E::Expire | E::Orphan) => Step::Stay,
        (S::Vacant, E::ForkFailed | E::Ready | E::NotReady | E::Leaving | E::Exited) => Step::Impossible,

        (S::Forking, E::Forked) => Step::Begin,
        (S::Forking, E::ForkFailed) => Step::Fail,
        (S::Forking, E::Ready) => Step::Remember,
        (S::Forking, E::NotReady) => Step::DoomUnfit,
        (S::Forking, E::Leaving | E::Dismiss | E::Kill) => Step::Doom,
        (S::Forking, E::Exited) => Step::Impossible,
        (S::Forking | S::Doomed, E::Expire) => Step::BlameZygote,
        (S::Forking | S::Doomed, E::Orphan) => Step::Quarantine,

        (S::Doomed | S::Lost, E::Forked) => Step::Withdraw,
        (S::Doomed, E::Kill) => Step::Doom,
        (S::Doomed | S::Lost, E::ForkFailed) => Step::Vacate,
        (S::Doomed | S::Lost, E::Ready | E::NotReady | E::Leaving | E::Dismiss) | (S::Lost, E::Kill) => Step::Stay,
        (S::Doomed, E::Exited) => Step::Impossible,
        (S::Lost, E::Exited) => Step::Vacate,
        (S::Lost, E::Expire) => Step::Release,
        (S::Lost, E::Orphan) => Step::Stay,

        (S::Starting, E::Ready) => Step::Serve,
        (S::Starting, E::NotReady) => Step::Reject,
        (S::Starting | S::Ready, E::Leaving) => Step::Leave,
        (S::Starting | S::Ready, E::Exited) => Step::Judge,
        (S::Starting, E::Dismiss) => Step::Withdraw,
        (S::Starting, E::Kill) => Step::Kill,
        (S::Starting, E::Expire) => Step::GiveUp,

        (S::Ready, E::Dismiss) => Step::Retire,
        (S::Ready, E::Kill) => Step::Kill,
        (S::Ready, E::Expire) => Step::Stay,
        (S::Ready, E::Ready | E::NotReady) => Step::Impossible,

        (S::Retiring, E::Molded) => Step::Mold,
        (S::Killed, E::Molded) => Step::Stay,
        (_, E::Molded) => Step::Impossible,

        (S::Leaving | S::Retiring | S::Killed, E::Exited) => Step::Bury,
        (S::Leaving | S::Retiring, E::Kill | E::Expire) => Step::Kill,
        (S::Leaving | S::Retiring | S::Killed, E::Ready | E::NotReady | E::Leaving | E::Dismiss) => Step::Stay,
        (S::Killed, E::Kill | E::Expire) => Step::Kill,

        (S::Starting | S::Ready | S::Leaving | S::Retiring | S::Killed, E::Orphan) => Step::Stay,
        (S::Starting | S::Ready | S::Leaving | S::Retiring | S::Killed, E::Forked | E::ForkFailed) => Step::Impossible,
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Impossible => "impossible",
            Step::Stay => "·",
            Step::Evict => "kill → Killed",
            Step::Begin => "→ Starting, or Ready if it said so",
            Step::Remember => "note it",
            Step::Serve => "→ Ready",
            Step::Vacate => "→ Vacant",
            Step::Release => "release → Vacant",
            Step::Fail => "blame → Vacant",
            Step::Mold => "→ Vacant, and a zygote",
            Step::Bury => "→ Vacant",
            Step::Judge => "blame if young, unless killed by others → Vacant",
            Step::Leave => "mercy → Leaving",
            Step::Reject => "blame, mercy → Leaving",
            Step::Retire => "retire, mercy → Retiring",
            Step::Kill => "kill → Killed",
            Step::GiveUp => "blame, withdraw → Killed",
            Step::Doom => "call off → Doomed",
            Step::Withdraw => "withdraw → Killed",
            Step::DoomUnfit => "blame → Doomed",
            Step::Quarantine => "→ Lost",
            Step::BlameZygote => "kill the zygote",
        })
    }
}

/// A stimulus with what it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Incident {
    Forked(ProcessId),
    ForkFailed { errno: i32 },
    Ready { boot_us: u64 },
    NotReady { exit_code: i32, reason: String },
    Leaving(LeaveReason),
    Molded,
    Exited { pid: ProcessId, status: ExitStatus },
    Dismiss(Farewell),
    Kill(Farewell),
    Expire,
    Orphan,
}

impl Incident {
    pub(super) fn stimulus(&self) -> Stimulus {
        match self {
            Incident::Forked(_) => Stimulus::Forked,
            Incident::ForkFailed { .. } => Stimulus::ForkFailed,
            Incident::Ready { .. } => Stimulus::Ready,
            Incident::NotReady { .. } => Stimulus::NotReady,
            Incident::Leaving(_) => Stimulus::Leaving,
            Incident::Molded => Stimulus::Molded,
            Incident::Exited { .. } => Stimulus::Exited,
            Incident::Dismiss(_) => Stimulus::Dismiss,
            Incident::Kill(_) => Stimulus::Kill,
            Incident::Expire => Stimulus::Expire,
            Incident::Orphan => Stimulus::Orphan,
        }
    }
}
