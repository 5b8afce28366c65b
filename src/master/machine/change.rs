//! The reload that is under way, as data; what becomes of it is in `switching`. Pure; used in the master.

use super::event::Reload;
use super::identity::{Generation, Post, Time};
use super::plan::Plan;
use std::collections::BTreeSet;

/// The reload that is under way. There is never more than one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// The driver reads the configuration.
    Reading { reload: Reload },
    /// The new generation loads, or its workers get ready.
    Switching(Box<Switch>),
    /// Marked workers wait for their successors.
    Rolling { reload: Reload },
}

/// A new generation on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Switch {
    pub(super) reload: Reload,
    pub(super) generation: Generation,
    pub(super) plan: Plan,
    /// Posts whose worker served and left by itself.
    pub(super) proved: BTreeSet<Post>,
    /// Whether it has to prove itself on a part of the requests.
    pub(super) trial: Trial,
    /// The part of the requests that it has on trial: so many of so many.
    pub(super) share: (u32, u32),
}

/// How far the trial of a generation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trial {
    /// None of its workers was ordered yet.
    Due,
    /// They get ready.
    Gathering,
    /// They serve since then, and are watched.
    UnderWay(Time),
    /// It has passed, or none was asked for: the rest of the workers may follow.
    Passed,
}

impl Trial {
    /// Of a generation that is to have this plan.
    pub(super) fn of(plan: &Plan) -> Trial {
        if plan.canary.is_some() { Trial::Due } else { Trial::Passed }
    }
}

impl Change {
    pub(super) fn reload(&self) -> Reload {
        match self {
            Change::Reading { reload } | Change::Rolling { reload } => *reload,
            Change::Switching(switch) => switch.reload,
        }
    }
}
