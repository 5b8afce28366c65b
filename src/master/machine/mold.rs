//! Refork: a worker that has served for some time becomes the mold, a zygote that is not executed but grown. From then on
//! workers are forked from it, so that they share what it has loaded and filled since it was a worker.
//!
//! A mold is a zygote of a generation of its own, which comes from the one that was loaded: its *root*. So there is nothing to
//! be told apart in the tables: workers of the root are replaced as those of any earlier generation are, only one at a time.
//! The root stays as long as its mold serves; mules and spoolers go on being forked from it, and all workers again when the mold
//! dies, or when one that comes from it does not do. Pure; used in the master.

use super::action::Action;
use super::child::{Child, Phase, Wear};
use super::farewell::Farewell;
use super::identity::{Generation, Post, ProcessId, Seat, Time};
use super::note::Note;
use super::zygote::{Phase as ZygotePhase, Zygote};
use super::{Machine, Stage};
use crate::supervision::role::Rule;

/// So few are no gain, and one cannot be spared.
const WORKERS_MIN: u32 = 2;

/// How long after the mold, or a worker of it, the next one takes the place of one that serves: a fork, the end of the other, and
/// the first requests, with which a worker makes pages its own, cost some 30 ms of a processor, which clients are not to feel.
pub(super) const APART_US: u64 = 500_000;

impl Machine {
    /// The generation that was loaded from which the current one comes; itself, unless it has a mold.
    #[must_use]
    pub fn root(&self) -> Generation {
        let mold = self.zygotes.iter().find(|zygote| zygote.generation == self.current);
        mold.and_then(|zygote| zygote.root).unwrap_or(self.current)
    }

    /// Whether workers are forked from a mold.
    pub(super) fn has_mold(&self) -> bool {
        self.root() != self.current
    }

    /// Of which generation a child of this post is to be. Only workers come from molds.
    pub(super) fn generation_for(&self, post: Post) -> Generation {
        if Rule::of(post.role).counts { self.current } else { self.root() }
    }

    /// A worker has served long enough. It becomes the mold when its successor is ready, unless that is no time for it.
    pub(super) fn season(&mut self, seat: Seat) {
        if !self.may_refork() {
            return;
        }
        let generation = Generation(self.generations_made.saturating_add(1));
        let current = self.current;
        let Some(Some(child)) = self.seats.get_mut(seat.0 as usize) else { return };
        let Phase::Ready { pid, .. } = child.phase else { return };
        if !child.rule().counts || !child.is_of(current) || child.wear != Wear::None || child.replace.is_some() {
            return;
        }
        child.wear = Wear::Asked;
        child.mold = Some(generation);
        self.generations_made = generation.0;
        let post = child.post;
        self.note(Note::Seasoned { post, pid });
    }

    fn may_refork(&self) -> bool {
        let quiet = self.change.is_none() && self.queued.is_none() && !self.upgrade_due && !self.paused;
        let none_due = !self.seats.iter().flatten().any(|child| child.mold.is_some());
        let replaced = self.seats.iter().flatten().all(|child| !child.rule().counts || child.is_of(self.current));
        let serves =
            matches!(self.stage, Stage::Serving) && self.is_loaded(self.root()) && self.is_loaded(self.current);
        quiet && none_due && replaced && serves && self.target() >= WORKERS_MIN
    }

    /// What a child is told that is to go: to finish, and perhaps to go on as the mold.
    pub(super) fn parting_order(&self, seat: Seat, child: &Child, why: Farewell) -> Action {
        let wanted = self.change.is_none() && child.is_of(self.current) && why == Farewell::Replaced;
        match child.mold.filter(|_| wanted) {
            Some(generation) => Action::Mold { seat, post: child.post, generation },
            None => Action::Retire { seat, post: child.post, why },
        }
    }

    /// A worker that was told so has finished, holds nothing any more, and forks when told.
    pub(super) fn mold(&mut self, seat: Seat, child: &Child) {
        let Some(generation) = child.mold else { return };
        let Some(pid) = child.pid() else { return };
        self.actions.push_back(Action::TakeMold { seat, generation });
        let root = Some(self.root());
        let phase = ZygotePhase::Loaded { since: self.now };
        self.zygotes.push(Zygote { generation, phase, root });
        // It is not wanted any more where something else has begun meanwhile.
        if self.change.is_none() && child.is_of(self.current) && matches!(self.stage, Stage::Serving) {
            self.current = generation;
            self.rest_mold();
            self.tell_of_mold(child.post, pid, generation);
        }
    }

    /// The next worker of the mold takes the place of another one a while later.
    pub(super) fn rest_mold(&mut self) {
        self.next_of_mold = self.after_us(APART_US);
    }

    /// When the next one does, while there are workers that do not come from it.
    pub(super) fn mold_deadline(&self) -> Option<Time> {
        let old = |child: &Child| child.rule().counts && child.stays() && !child.is_of(self.current);
        (self.has_mold() && self.seats.iter().flatten().any(old)).then_some(self.next_of_mold)
    }

    fn tell_of_mold(&mut self, post: Post, pid: ProcessId, generation: Generation) {
        self.note(Note::Molded { post, pid, generation });
    }

    /// Workers are forked from what was loaded again. False: that is gone as well.
    pub(super) fn forsake_mold(&mut self, root: Generation, reason: &str) -> bool {
        if !self.is_loaded(root) {
            return false;
        }
        self.note(Note::Forsaken { generation: self.current, reason: reason.to_owned() });
        self.current = root;
        true
    }

    /// A worker could not do its part: if it came from a mold, that may be why.
    pub(super) fn doubt_mold(&mut self, child: &Child, reason: &str) {
        if child.rule().counts && child.is_of(self.current) && self.has_mold() {
            self.forsake_mold(self.root(), reason);
        }
    }
}
