//! Mules and spooler processes: as statistics see them, and which are wanted. Pure; used in the master.

use super::identity::{Post, Role};
use super::{CompanionView, Condition, Machine, condition};

impl Machine {
    /// The mules and spooler processes there are, by seat.
    pub fn companions(&self) -> impl Iterator<Item = CompanionView> + '_ {
        self.seats_numbered().filter_map(|(seat, child)| {
            let child = child.as_ref().filter(|child| child.nth > 0 && !child.rule().counts)?;
            child.generation()?;
            let (post, nth) = (child.post, child.nth);
            Some(CompanionView { seat, post, nth, pid: child.pid(), condition: condition(child) })
        })
    }

    /// Whether somebody is wanted in a post.
    #[must_use]
    pub fn is_wanted(&self, post: Post) -> bool {
        self.posts.is_active(post)
    }

    /// How many of a role are wanted, and how many are up.
    #[must_use]
    pub fn companions_up(&self, role: Role) -> (usize, usize) {
        let wanted = self.posts.active().filter(|(post, _)| post.role == role).count();
        let up = self.companions().filter(|one| one.post.role == role && matches!(one.condition, Condition::Ready(_)));
        (wanted, up.count())
    }

    /// Has somebody in a post of the configuration's, or nobody.
    pub(super) fn want(&mut self, post: Post, wanted: bool) {
        if self.plan.companions.contains(&post)
            && let Some(state) = self.posts.get_mut(post)
        {
            state.active = wanted;
        }
    }
}
