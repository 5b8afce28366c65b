//! The reload that is under way, as data; what becomes of it is in `switching`. Pure; used in the master.

use super::event::Reload;
use super::identity::{Generation, Post};
use super::plan::Plan;
use std::collections::BTreeSet;

/// The reload that is under way. There is never more than one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// The driver reads the configuration.
    Reading { reload: Reload },
    /// The new generation loads, or its workers get ready.
    Switching(Switch),
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
}

impl Change {
    pub(super) fn reload(&self) -> Reload {
        match self {
            Change::Reading { reload } | Change::Rolling { reload } => *reload,
            Change::Switching(switch) => switch.reload,
        }
    }
}
