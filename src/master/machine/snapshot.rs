//! The machine's picture as data, handed to the next image of the master when that replaces itself in place.
//!
//! Taken only when nothing is half done (see [`Action::Upgrade`](super::Action::Upgrade)), so there is no reload, no
//! load and no fork in it. Its moments are those of the system's monotonic clock, which an exec does not disturb. Pure;
//! used in the master, by both images.

use super::child::Child;
use super::identity::{Generation, Time};
use super::plan::Plan;
use super::posts::Posts;
use super::zygote::Zygote;
use super::{Machine, Stage};
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

impl Machine {
    /// The picture at this moment. Complete only while [`Action::Upgrade`](super::Action::Upgrade) is carried out.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            plan: self.plan.clone(),
            current: self.current,
            generations_made: self.generations_made,
            zygotes: self.zygotes.clone(),
            seats: self.seats.clone(),
            posts: self.posts.clone(),
            paused: self.paused,
        }
    }

    /// Goes on where the image before stopped, instead of [`Machine::start`].
    ///
    /// # Errors
    /// The sentence that says what in the snapshot does not fit together.
    pub fn adopt(now: Time, snapshot: Snapshot) -> Result<Machine, String> {
        let Snapshot { plan, seats, posts, .. } = &snapshot;
        plan.check()?;
        let enough = posts.workers().count() >= plan.bounds.maximum() as usize;
        let whole = seats.len() >= plan.seats as usize && enough;
        if !whole || snapshot.generations_made < snapshot.current.0 {
            return Err("the snapshot of the master before is not whole".to_owned());
        }
        Ok(Machine::with_picture(now, Stage::Serving, snapshot))
    }
}
