//! From the machine to its snapshot, and from the snapshot of the image before to a machine again. Pure; used in the
//! master, by both images.

use super::identity::Time;
use super::snapshot::Snapshot;
use super::{Machine, Stage};

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
