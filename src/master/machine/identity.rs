//! The names of things in the master's decisions: generation, seat, post, recipe, process, moment.
//!
//! Newtypes only; nothing here decides. Pure; used in the master.

pub use crate::supervision::role::{Post, Role};
pub use crate::supervision::time::Time;
use serde::{Deserialize, Serialize};
use std::fmt;
pub use worker_protocol::ids::{Generation, ProcessId, Seat};

/// What an executed child is made by, as a number: of the same number is the same recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecipeId(pub u64);

impl fmt::Display for RecipeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
