//! Reloads: the generation switch, and the replacement of workers within a generation.
//!
//! A switch: read the configuration → execute a zygote beside the old → it loads → as many workers as serve now are
//! forked → all are ready for the time of probation → commit. Until the commit the old generation is untouched, so any
//! failure costs nothing. A worker of the new generation that already served when the switch is called off finishes
//! what it holds like any other. Pure; used in the master.

use super::Machine;
use super::action::{Action, Announcement, Outcome};
use super::change::{Change, Switch, Trial};
use super::child::{Child, Incident, Manner, Origin};
use super::event::Reload;
use super::farewell::Farewell;
use super::identity::{Generation, Post, RecipeId, Role, Time};
use super::note::Note;
use super::plan::Plan;
use super::zygote;
use std::collections::{BTreeMap, BTreeSet};

impl Machine {
    pub(super) fn read_configuration(&mut self, reload: Reload) {
        self.answers_due += 1;
        self.actions.push_back(Action::ReadConfiguration);
        self.change = Some(Change::Reading { reload });
    }

    /// Only the answer to the last question counts: those before it were asked for reloads that are superseded.
    pub(super) fn configuration_read(&mut self, answer: Result<Plan, String>) {
        if self.answers_due == 0 {
            self.impossible("a configuration that was not asked for".to_owned());
            return;
        }
        self.answers_due -= 1;
        let Some(Change::Reading { reload }) = self.change else { return };
        if self.answers_due > 0 {
            return;
        }
        match answer.and_then(|plan| plan.check().map(|()| plan)) {
            Ok(plan) if plan.seats < self.plan.seats => {
                self.fail_change("the new configuration brings fewer seats than there are".to_owned());
            }
            Ok(plan) => self.begin_switch(reload, plan),
            Err(reason) => self.fail_change(reason),
        }
    }

    fn begin_switch(&mut self, reload: Reload, plan: Plan) {
        self.shared_seats = self.shared_seats.max(plan.seats);
        self.seats.resize(self.seats.len().max(plan.seats as usize), None);
        self.posts.have_workers(plan.bounds.maximum());
        let generation = self.new_generation();
        let until = plan.load_timeout_us.map(|us| self.after_us(us));
        self.zygotes.push(zygote::Zygote { generation, phase: zygote::Phase::Loading { until }, root: None });
        self.actions.push_back(Action::StartZygote { generation, candidate: true });
        self.change = Some(Change::Switching(Box::new(Switch {
            reload,
            generation,
            trial: Trial::of(&plan),
            plan,
            proved: BTreeSet::new(),
            share: (0, 0),
        })));
    }

    /// The generation that is to become current, if one is on its way.
    pub(super) fn candidate(&self) -> Option<Generation> {
        match &self.change {
            Some(Change::Switching(switch)) => Some(switch.generation),
            Some(Change::Reading { .. } | Change::Rolling { .. }) | None => None,
        }
    }

    /// The posts that the new generation must fill before it may become current: as many as are wanted now, within
    /// the bounds of its own plan, the same numbers where it has them; on trial a part of them. None while the instance
    /// sleeps.
    fn candidate_posts(&self, switch: &Switch) -> Vec<Post> {
        let (plan, target) = (&switch.plan, self.target());
        let wanted = if target == 0 { 0 } else { target.clamp(plan.bounds.minimum(), plan.bounds.maximum()) };
        let wanted = Machine::on_trial(switch, wanted);
        let (active, free): (Vec<Post>, Vec<Post>) =
            (1..=plan.bounds.maximum()).map(Post::worker).partition(|post| self.posts.is_active(*post));
        let mut posts: Vec<Post> = active.into_iter().chain(free).take(wanted as usize).collect();
        posts.sort_unstable();
        posts
    }

    /// Forks what the new generation lacks, or makes it current when it lacks nothing. Whether it became current.
    pub(super) fn advance_switch(&mut self) -> bool {
        let Some(generation) = self.candidate().filter(|candidate| self.is_loaded(*candidate)) else { return false };
        self.divide_requests();
        let Some(Change::Switching(switch)) = &self.change else { return false };
        let posts = self.candidate_posts(switch);
        let on_duty = self.children_of(generation).filter(|child| child.stays());
        let taken: BTreeSet<Post> = on_duty.map(|child| child.post).collect();
        for post in posts.iter().filter(|post| !taken.contains(post)) {
            if !self.fork(generation, *post) {
                return false;
            }
        }
        if self.proved_at(&posts).is_none_or(|at| at > self.now) || !self.may_go_on(posts.len()) {
            return false;
        }
        self.commit(&posts);
        true
    }

    /// When the probation of the new generation's workers ends: `None` while one of these posts has no ready one. A
    /// post that a worker left by itself has passed: recycling must not hold up a reload for ever.
    fn proved_at(&self, posts: &[Post]) -> Option<Time> {
        let Some(Change::Switching(switch)) = &self.change else { return None };
        let workers = self.children_of(switch.generation);
        let ready_since: BTreeMap<Post, Time> =
            workers.filter_map(|worker| Some((worker.post, worker.ready_since()?))).collect();
        let mut at = Time::default();
        for post in posts {
            let ready = ready_since.get(post)?;
            if !switch.proved.contains(post) {
                at = at.max(ready.plus_us(switch.plan.probation_us));
            }
        }
        Some(at)
    }

    /// A worker left by itself: if the new generation's, it did serve.
    pub(super) fn prove(&mut self, worker: &Child) {
        if let Some(Change::Switching(switch)) = &mut self.change
            && worker.is_of(switch.generation)
            && worker.is_ready()
        {
            switch.proved.insert(worker.post);
        }
    }

    /// When the switch is to be looked at again though nothing happens.
    pub(super) fn switch_deadline(&self) -> Option<Time> {
        let Some(Change::Switching(switch)) = &self.change else { return None };
        self.proved_at(&self.candidate_posts(switch))
    }

    fn commit(&mut self, posts: &[Post]) {
        let Some(Change::Switching(switch)) = self.change.take() else { return };
        let Switch { reload, generation, plan, .. } = *switch;
        self.current = generation;
        self.plan = plan;
        self.zygote_failures = 0;
        for (post, state) in self.posts.workers_mut() {
            state.active = posts.contains(&post);
            state.back_off.forgive();
        }
        self.posts.want_companions((&self.plan).into());
        self.take_up_recipes();
        self.actions.push_back(Action::Commit { generation });
        if reload == Reload::Brutal {
            self.mark(Manner::Brutal, |worker| !worker.is_of(generation));
        }
        // The old ones go first, so that who hears that the reload is done is not served by one of them.
        self.empty_unwanted_posts();
        self.let_replaced_go();
        self.note(Note::ReloadDone { reload, generation });
        self.announce(Announcement::ReloadDone { reload, outcome: Outcome::Done });
    }

    /// Calls off the reload that is under way because it cannot succeed.
    pub(super) fn fail_change(&mut self, reason: String) {
        if let Some(change) = &self.change {
            self.note(Note::ReloadFailed { reload: change.reload(), reason: reason.clone() });
        }
        self.cancel_change(Outcome::Failed(reason));
    }

    /// Calls off the reload that is under way, if one is, and answers it.
    pub(super) fn cancel_change(&mut self, outcome: Outcome) {
        let Some(change) = self.change.take() else { return };
        let reload = change.reload();
        match change {
            Change::Reading { .. } => {}
            Change::Switching(switch) => {
                let generation = switch.generation;
                let reason = match &outcome {
                    Outcome::Failed(reason) => reason.clone(),
                    Outcome::Superseded => "superseded by a newer order".to_owned(),
                    Outcome::Stopped | Outcome::Done => "the instance is stopping".to_owned(),
                };
                self.actions.push_back(Action::Abandon { generation, reason });
                let new = self.seats_where(|child| child.is_of(generation));
                self.befall_all(&new, &Incident::Dismiss(Farewell::CalledOff));
            }
            Change::Rolling { .. } => self.unmark_all(),
        }
        self.announce(Announcement::ReloadDone { reload, outcome });
    }

    pub(super) fn mark_for_replacement(&mut self, reload: Reload) {
        let manner = if reload == Reload::WorkersBrutal { Manner::Brutal } else { Manner::Graceful };
        self.mark(manner, |_| true);
        self.change = Some(Change::Rolling { reload });
    }

    fn mark(&mut self, manner: Manner, which: impl Fn(&Child) -> bool) {
        for worker in self.seats.iter_mut().flatten().filter(|child| child.is_rolled() && child.stays()) {
            if which(worker) {
                worker.replace = Some(manner);
            }
        }
    }

    fn unmark_all(&mut self) {
        for worker in self.seats.iter_mut().flatten().filter(|child| child.is_rolled()) {
            worker.replace = None;
        }
    }

    /// The recipes of the plan that is in force now get their posts.
    fn take_up_recipes(&mut self) {
        let occupied: BTreeSet<Post> = self.seats.iter().flatten().map(|child| child.post).collect();
        let renewed = self.posts.assign(&self.plan.executed, &occupied);
        for child in self.seats.iter_mut().flatten().filter(|child| child.stays()) {
            let Origin::Recipe(made_by) = &mut child.origin else { continue };
            let Some(recipe) = self.posts.recipe(child.post).filter(|recipe| recipe.id == made_by.id) else { continue };
            // The same thing, but perhaps with other patience.
            **made_by = recipe.clone();
            if renewed.contains(&child.post) {
                child.replace = Some(Manner::Graceful);
            }
        }
    }

    /// Has what a recipe makes made anew, at once also where the next one would have to wait.
    pub(super) fn renew(&mut self, recipe: RecipeId) {
        for (post, state) in self.posts.all_mut() {
            if state.recipe.as_ref().is_none_or(|own| own.id != recipe) {
                continue;
            }
            state.back_off.forgive();
            for child in self.seats.iter_mut().flatten().filter(|child| child.post == post && child.stays()) {
                child.replace = Some(Manner::Graceful);
            }
        }
    }

    /// Has all children of a role made anew, at once also where the next one would have to wait.
    pub(super) fn renew_all(&mut self, role: Role) {
        for (_, state) in self.posts.all_mut().filter(|(post, _)| post.role == role) {
            state.back_off.forgive();
        }
        for child in self.seats.iter_mut().flatten().filter(|child| child.post.role == role && child.stays()) {
            child.replace = Some(Manner::Graceful);
        }
    }

    /// Ends the replacement within the generation when no marked worker is on duty any more. Whether it ended.
    pub(super) fn finish_rolling(&mut self) -> bool {
        let Some(Change::Rolling { reload }) = self.change else { return false };
        let pending =
            self.seats.iter().flatten().any(|child| child.is_rolled() && child.stays() && child.replace.is_some());
        if pending {
            return false;
        }
        self.change = None;
        self.note(Note::ReloadDone { reload, generation: self.current });
        self.announce(Announcement::ReloadDone { reload, outcome: Outcome::Done });
        true
    }
}
