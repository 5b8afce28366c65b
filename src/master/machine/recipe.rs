//! What the master's decisions need to know of a child that it executes, and the numbers that such children get.
//!
//! Not how it is executed: programs, signals and files are the driver's. Pure; used in the master.

use super::identity::{RecipeId, Role};
use serde::{Deserialize, Serialize};

/// An executed child that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// What it does.
    pub role: Role,
    /// How it is made. Two children that are alike in all have the same.
    pub id: RecipeId,
    /// What the log calls it.
    pub title: String,
    /// What only one process can have: a new recipe with the same takes the place of the old one.
    pub holds: Option<String>,
    /// What becomes of it when a reload brings the same recipe again.
    pub at_reload: AtReload,
    /// Whether it goes on when the instance ends or does not want it any more.
    pub outlives: bool,
    /// Whether its end is the instance's.
    pub vital: bool,
    /// How long it may take to be up.
    pub ready_within_us: u64,
    /// How long it may take to leave.
    pub mercy_us: u64,
    /// The longest step of the back-off between deaths at once.
    pub respawn_delay_max_us: u64,
}

/// What a reload does to a child whose recipe it does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AtReload {
    /// Nothing.
    Keep,
    /// The next one takes its place, so that it runs the new code.
    Renew,
}
