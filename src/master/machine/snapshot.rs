//! The machine's picture as data, handed to the next image of the master when that replaces itself in place.
//!
//! Taken only when nothing is half done (see [`Action::Upgrade`](super::Action::Upgrade)), so there is no reload, no
//! load and no fork in it. Its moments are those of the system's monotonic clock, which an exec does not disturb. Pure;
//! used in the master, by both images.

use super::child::Child;
use super::identity::Generation;
use super::plan::Plan;
use super::posts::Posts;
use super::zygote::Zygote;
use serde::{Deserialize, Serialize};

/// Everything the next image of the master must know to go on as if nothing had happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub(super) plan: Plan,
    pub(super) current: Generation,
    pub(super) generations_made: u32,
    pub(super) zygotes: Vec<Zygote>,
    pub(super) seats: Vec<Option<Child>>,
    pub(super) posts: Posts,
    pub(super) paused: bool,
}
