//! How many workers are wanted: the active posts of workers, and which of them are given up first.
//!
//! Who decides on the number is elsewhere (`scaling`, orders). Pure; used in the master.

use super::Machine;
use super::identity::{Post, Seat};
use super::note::Note;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

impl Machine {
    /// Sets how many workers are wanted. When some must go, `volunteers` are the first, and those in `idle` the next.
    pub(super) fn set_target(&mut self, workers: u32, idle: &[Seat], volunteers: &[Seat]) {
        let from = self.target();
        let to = workers.min(self.plan.bounds.maximum());
        if from == to || self.is_stopping() {
            return;
        }
        for _ in from..to {
            if let Some((_, post)) = self.posts.workers_mut().find(|(_, post)| !post.active) {
                post.active = true;
            }
        }
        let surplus = from.saturating_sub(to) as usize;
        for post in self.dispensable(idle, volunteers).into_iter().take(surplus) {
            if let Some(post) = self.posts.get_mut(post) {
                post.active = false;
            }
        }
        if to == 0 {
            self.note(Note::Cheap);
        }
    }

    /// To no worker at all on an operator's word, which no policy has written into the log.
    pub(super) fn go_cheap(&mut self) {
        let from = self.target();
        self.set_target(0, &[], &[]);
        if from != self.target() {
            self.note(Note::Target { from, to: self.target(), order: "cheap mode" });
        }
    }

    /// The active posts of workers, those that are missed least first: whose worker asked to go, then without a worker
    /// that serves, then with an idle one, then the rest; of equals the highest number, because the lowest take work
    /// first.
    fn dispensable(&self, idle: &[Seat], volunteers: &[Seat]) -> Vec<Post> {
        let idle: BTreeSet<Seat> = idle.iter().copied().collect();
        let active = self.posts.workers().filter(|(_, post)| post.active);
        let mut missed: BTreeMap<Post, Missed> = active.map(|(post, _)| (post, Missed::NotAtAll)).collect();
        for (seat, child) in self.seats_numbered() {
            let Some(child) = child else { continue };
            if !child.is_ready() || self.is_candidates(child) {
                continue;
            }
            if let Some(rank) = missed.get_mut(&child.post) {
                *rank = match *rank {
                    Missed::Leaves => Missed::Leaves,
                    _ if volunteers.contains(&seat) => Missed::Leaves,
                    rank => rank.max(if idle.contains(&seat) { Missed::Idle } else { Missed::Busy }),
                };
            }
        }
        let mut posts: Vec<(Missed, Reverse<Post>)> =
            missed.into_iter().map(|(post, rank)| (rank, Reverse(post))).collect();
        posts.sort_unstable();
        posts.into_iter().map(|(_, Reverse(post))| post).collect()
    }
}

/// How much a post's worker would be missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Missed {
    /// It has asked to go.
    Leaves,
    NotAtAll,
    Idle,
    Busy,
}
