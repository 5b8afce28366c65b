//! What is wanted against what is there: the one place where children are started and let go for the sake of numbers.
//!
//! For each wanted post: a fresh child (of the current generation or of the post's recipe, not marked for replacement)
//! must be on duty or on its way. Where successors come beside, everyone else in the post goes once it is ready; where
//! they come after, everyone else goes first. A post that is not wanted empties. That is the whole of respawn, scaling,
//! workers' reload, chain reload, the replacement after a zygote's death, the second half of a reload, and all that
//! becomes of daemons. What is peculiar to a role is asked of its rule. Pure; used in the master.

use super::action::{Action, Announcement};
use super::change::Change;
use super::child::{Child, Incident, Manner, Origin, Phase, Wear};
use super::event::Reload;
use super::farewell::Farewell;
use super::identity::{Generation, Post, Seat, Time};
use super::note::Note;
use super::{FORK_PATIENCE_US, Machine, Stage, zygote};
use crate::supervision::role::{Born, FreshBy, Rule, Successor};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A round begins or ends at most one change, and no event can begin more than a few.
const ROUNDS_MAX: u32 = 4;

/// Who is on duty in a post or on the way to it, each kind with the one to keep first.
struct Duty {
    post: Post,
    /// Such as is wanted, and not marked for replacement.
    fresh: Vec<Seat>,
    fresh_is_ready: bool,
    /// To be replaced.
    stale: Vec<Seat>,
    /// Whether somebody else is still there, on the way out.
    leaving: bool,
}

impl Duty {
    fn of_nobody(post: Post) -> Duty {
        Duty { post, fresh: Vec::new(), fresh_is_ready: false, stale: Vec::new(), leaving: false }
    }

    fn rule(&self) -> Rule {
        Rule::of(self.post.role)
    }

    /// Whether a child can begin here at once.
    fn is_vacant(&self) -> bool {
        let after = self.rule().successor == Successor::After;
        self.fresh.is_empty() && self.stale.is_empty() && !(after && self.leaving)
    }

    /// Whether a child is to begin here beside the one that it replaces.
    fn needs_successor(&self) -> bool {
        self.rule().successor == Successor::Beside && self.fresh.is_empty() && !self.stale.is_empty()
    }

    /// Whether a successor is on its way to being ready.
    fn is_being_replaced(&self) -> bool {
        !self.stale.is_empty() && !self.fresh.is_empty() && !self.fresh_is_ready
    }

    /// Of those to be replaced, how many stay for now. `possible`: whether a successor could begin.
    fn stale_kept(&self, possible: bool) -> usize {
        usize::from(match self.rule().successor {
            Successor::Beside => !self.fresh_is_ready,
            // Rather the old one than nobody.
            Successor::After => !possible,
        })
    }
}

impl Machine {
    /// Brings what is there closer to what is wanted, as far as that is possible at this moment.
    pub(super) fn reconcile(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let again = match self.stage {
                Stage::Loading | Stage::Gone => false,
                Stage::Starting | Stage::Serving => self.round(),
                Stage::Stopping { .. } => {
                    self.wind_down();
                    false
                }
            };
            if !again {
                break;
            }
        }
        self.tell_count();
    }

    /// Whether a change began or ended, so that another look is due.
    fn round(&mut self) -> bool {
        let became_ready = self.become_ready();
        let began = self.take_up_queued();
        self.empty_unwanted_posts();
        self.admit_worn();
        self.let_replaced_go();
        let duties = self.duties();
        self.fill_vacant_posts(&duties);
        let switched = self.advance_switch();
        if !switched {
            self.fork_successors(&duties);
        }
        let rolled = self.finish_rolling();
        self.let_old_zygotes_go();
        self.pass_pause_on();
        became_ready || began || switched || rolled
    }

    /// The instance is ready when a child is, and every other wanted one is too or has had its chance: one that
    /// crashes for ever must not keep the rest from being announced.
    fn become_ready(&mut self) -> bool {
        if !matches!(self.stage, Stage::Starting) {
            return false;
        }
        let ready: BTreeSet<Post> =
            self.seats.iter().flatten().filter(|child| child.is_ready()).map(|child| child.post).collect();
        let counting = || self.posts.active().filter(|(post, _)| Rule::of(post.role).counts);
        let settled = counting().all(|(post, state)| ready.contains(&post) || state.back_off.has_failed());
        let nobody = counting().next().is_none();
        if !settled || !(nobody || counting().any(|(post, _)| ready.contains(&post))) {
            return false;
        }
        self.stage = Stage::Serving;
        self.announce(Announcement::Ready);
        if nobody {
            self.note(Note::Cheap);
        }
        true
    }

    /// Lets everyone go whose post is not wanted.
    pub(super) fn empty_unwanted_posts(&mut self) {
        let unwanted = |child: &Child| child.stays() && !self.is_candidates(child) && !self.posts.is_active(child.post);
        let outdated =
            |child: &Child| child.generation().is_some_and(|generation| generation != self.generation_for(child.post));
        let surplus = self.seats_where(|child| unwanted(child) && !outdated(child));
        let old = self.seats_where(|child| unwanted(child) && outdated(child));
        self.befall_all(&surplus, &Incident::Dismiss(Farewell::Scaled));
        for seat in old {
            self.let_go(seat, Farewell::Replaced);
        }
    }

    /// Keeps one fresh child of each post and, where that one comes beside it and is not ready, one other. The rest goes.
    pub(super) fn let_replaced_go(&mut self) {
        for duty in self.duties() {
            let is_loaded = self.is_loaded(self.generation_for(duty.post));
            let kept = duty.stale_kept(duty.rule().born == Born::Executed || is_loaded);
            for seat in duty.fresh.into_iter().skip(1) {
                self.befall(seat, Incident::Dismiss(Farewell::CalledOff));
            }
            for seat in duty.stale.into_iter().skip(kept) {
                self.let_go(seat, Farewell::Replaced);
            }
        }
    }

    /// Who is on duty in each active post, by post. In one pass, because an instance may have a thousand workers.
    fn duties(&self) -> Vec<Duty> {
        let mut there: Vec<(Seat, &Child)> = self
            .seats_numbered()
            .filter_map(|(seat, child)| Some((seat, child.as_ref()?)))
            .filter(|(_, child)| !self.is_candidates(child))
            .collect();
        there.sort_by_key(|(_, child)| precedence(child));
        let mut duties: BTreeMap<Post, Duty> =
            self.posts.active().map(|(post, _)| (post, Duty::of_nobody(post))).collect();
        for (seat, child) in there {
            let Some(duty) = duties.get_mut(&child.post) else { continue };
            if !child.stays() {
                duty.leaving = true;
            } else if self.is_fresh(child) {
                duty.fresh_is_ready |= child.is_ready();
                duty.fresh.push(seat);
            } else {
                duty.stale.push(seat);
            }
        }
        duties.into_values().collect()
    }

    /// Lets a child go in the manner that it is marked with.
    fn let_go(&mut self, seat: Seat, why: Farewell) {
        let child = self.seats.get(seat.0 as usize).and_then(Option::as_ref);
        let brutal = child.is_some_and(|child| child.replace == Some(Manner::Brutal));
        self.befall(seat, if brutal { Incident::Kill(why) } else { Incident::Dismiss(why) });
    }

    /// Posts without anyone on duty come before posts that only wait for a successor.
    fn fill_vacant_posts(&mut self, duties: &[Duty]) {
        for duty in duties.iter().filter(|duty| duty.is_vacant()) {
            self.begin_in(duty.post);
        }
    }

    fn fork_successors(&mut self, duties: &[Duty]) {
        let chain = matches!(self.change, Some(Change::Rolling { reload: Reload::Chain }));
        let is_busy = |duty: &Duty| duty.rule().counts && duty.is_being_replaced();
        let is_paced = self.mold_deadline().is_some_and(|next| next > self.now);
        let waits = is_paced || self.has_mold() && duties.iter().any(is_busy);
        if chain && self.chain_is_busy() || waits {
            return;
        }
        for duty in duties.iter().filter(|duty| duty.needs_successor()) {
            if !self.begin_in(duty.post) {
                continue;
            }
            if chain {
                return self.note(Note::ChainNext { post: duty.post });
            }
            // From a mold they come one at a time as well, and not at once.
            if self.has_mold() && duty.rule().counts {
                return self.rest_mold();
            }
        }
    }

    /// A chain reload has a successor that is not ready yet.
    fn chain_is_busy(&self) -> bool {
        let successor = |child: &Child| self.is_successor_of_marked(child);
        self.seats.iter().flatten().any(|child| child.stays() && !child.is_ready() && successor(child))
    }

    /// Whether this child is to replace one that a reload within the generation has marked.
    pub(super) fn is_successor_of_marked(&self, child: &Child) -> bool {
        let marked = |other: &Child| other.post == child.post && other.stays() && other.replace.is_some();
        matches!(self.change, Some(Change::Rolling { .. }))
            && child.is_rolled()
            && self.is_fresh(child)
            && self.seats.iter().flatten().any(marked)
    }

    fn is_fresh(&self, child: &Child) -> bool {
        let such_as_is_wanted = match child.rule().fresh_by {
            FreshBy::Generation => child.is_of(self.generation_for(child.post)),
            FreshBy::Recipe => child.recipe().map(|recipe| recipe.id) == self.posts.recipe_id(child.post),
        };
        such_as_is_wanted && child.replace.is_none() && child.wear != Wear::Due
    }

    /// Orders a child into a post if that is possible at this moment. Whether it was.
    fn begin_in(&mut self, post: Post) -> bool {
        if self.posts.get(post).is_none_or(|state| state.back_off.not_before() > self.now) {
            return false;
        }
        match Rule::of(post.role).born {
            Born::Forked => {
                let generation = self.generation_for(post);
                self.is_loaded(generation) && self.fork(generation, post)
            }
            Born::Executed => self.execute(post),
        }
    }

    /// Orders a child from a zygote into the lowest free seat. Whether there was one.
    pub(super) fn fork(&mut self, generation: Generation, post: Post) -> bool {
        let shared = self.seats_numbered().take(self.shared_seats as usize);
        let vacant = shared.into_iter().find(|(_, child)| child.is_none()).map(|(seat, _)| seat);
        let Some(seat) = vacant else { return false };
        let Some(nth) = self.next_in(post) else { return false };
        self.actions.push_back(Action::Fork { generation, seat, post, nth });
        self.order_into(seat, post, Origin::Generation(generation), nth);
        true
    }

    /// Orders a program into the lowest free seat behind those of the scoreboard; there is always one more. Whether the
    /// post has a recipe.
    fn execute(&mut self, post: Post) -> bool {
        let Some(recipe) = self.posts.recipe(post).cloned() else { return false };
        let Some(nth) = self.next_in(post) else { return false };
        let own = self.seats_numbered().skip(self.shared_seats as usize);
        let vacant = own.into_iter().find(|(_, child)| child.is_none()).map(|(seat, _)| seat);
        let seat = vacant.unwrap_or(Seat(u32::try_from(self.seats.len()).unwrap_or(u32::MAX)));
        self.seats.resize(self.seats.len().max(seat.0 as usize + 1), None);
        self.actions.push_back(Action::Execute { seat, post, recipe: recipe.id, nth });
        self.order_into(seat, post, Origin::Recipe(Box::new(recipe)), nth);
        true
    }

    /// The how many-th the next child of a post is.
    fn next_in(&mut self, post: Post) -> Option<u32> {
        let state = self.posts.get_mut(post)?;
        state.made = state.made.saturating_add(1);
        Some(state.made)
    }

    fn order_into(&mut self, seat: Seat, post: Post, origin: Origin, nth: u32) {
        let phase = Phase::Forking { until: self.after_us(FORK_PATIENCE_US), ready: None };
        self.sit(seat, Child { post, origin, nth, replace: None, wear: Wear::None, mold: None, phase });
    }

    fn let_old_zygotes_go(&mut self) {
        let candidate = self.candidate();
        let ours = [self.current, self.root()];
        let wanted = |generation: Generation| ours.contains(&generation) || Some(generation) == candidate;
        let all = self.zygotes.iter().map(|zygote| zygote.generation);
        let old: Vec<Generation> = all.filter(|number| !wanted(*number) && !self.has_children(*number)).collect();
        for generation in old {
            self.zygote(generation, zygote::Incident::Dismiss);
        }
    }

    fn pass_pause_on(&mut self) {
        let wanted = self.paused;
        for (index, child) in self.seats.iter_mut().enumerate() {
            let Some(child) = child.as_mut().filter(|child| child.rule().counts) else { continue };
            let Phase::Ready { paused, .. } = &mut child.phase else { continue };
            if *paused == wanted {
                continue;
            }
            *paused = wanted;
            let seat = Seat(u32::try_from(index).unwrap_or(u32::MAX));
            self.actions.push_back(if wanted { Action::Pause { seat } } else { Action::Resume { seat } });
        }
    }

    /// Whether an order to fork, execute or load is not carried out yet, so that the driver holds more than this machine
    /// knows.
    pub(super) fn anything_half_done(&self) -> bool {
        let forking = |child: &Child| match child.phase {
            Phase::Forking { .. } | Phase::Doomed { .. } | Phase::Lost { .. } => true,
            Phase::Starting { .. } => child.rule().born == Born::Executed,
            Phase::Ready { .. } | Phase::Leaving { .. } | Phase::Retiring { .. } | Phase::Killed { .. } => false,
        };
        let loading = |zygote: &zygote::Zygote| !matches!(zygote.phase, zygote::Phase::Loaded { .. });
        self.answers_due > 0 || self.seats.iter().flatten().any(forking) || self.zygotes.iter().any(loading)
    }

    fn tell_count(&mut self) {
        let count = self.count();
        if count != self.told && !matches!(self.stage, Stage::Gone) {
            self.told = count;
            self.announce(Announcement::Status(count));
        }
    }
}

/// Which of several children in one post to keep, the first: the furthest on its way, of these the newest generation, of
/// these the one that served longest.
fn precedence(child: &Child) -> (u8, Reverse<Option<Generation>>, Time) {
    let (way_to_go, since) = match child.phase {
        Phase::Ready { since, .. } => (0, since),
        Phase::Starting { .. } => (1, Time::default()),
        _ => (2, Time::default()),
    };
    (way_to_go, Reverse(child.generation()), since)
}
