//! The master's decisions: events in, actions out.
//!
//! The machine keeps a picture of the zygotes and of the children in their seats, corrects it with each [`Event`], and then compares what is
//! wanted with what is there (`reconcile`); the difference becomes [`Action`]s. It forks nothing, reads no clock, logs
//! nothing and holds no descriptor: the driver does, and reports what came of it as further events. So the same code
//! runs in the master and, by the thousand, in a simulation.
//!
//! Calling order: [`Machine::start`], then [`Machine::poll_action`] until it is empty; after that, for ever: wait for
//! something or for [`Machine::deadline`], [`Machine::handle`], [`Machine::poll_action`] until it is empty. After
//! [`Action::Exit`] nothing more comes.
//!
//! Runs in the master only.

mod action;
mod adopting;
mod change;
mod child;
mod companions;
mod event;
mod farewell;
mod fate;
mod identity;
mod line;
mod lineage;
mod mold;
mod note;
mod order;
mod plan;
mod posts;
mod recipe;
mod reconcile;
mod snapshot;
mod stop;
mod switching;
mod target;
mod trial;
mod word;
mod worn;
mod zygote;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;

pub use action::{Action, Announcement, Count, Outcome};
pub use event::{Event, ExitStatus, LeaveReason, Order, Reload};
pub use farewell::Farewell;
pub use identity::{Generation, Post, ProcessId, RecipeId, Role, Seat, Time};
pub use note::Note;
pub use plan::{PROBATION_US, Plan};
pub use recipe::{AtReload, Recipe};
pub use snapshot::Snapshot;
pub use word::Word;

use crate::supervision::allowance::Allowance;
use change::Change;
use child::{Child, Incident, Manner, Phase};
use posts::Posts;
use std::collections::VecDeque;
use zygote::Zygote;

/// How long a zygote may take to answer an order to fork before it counts as hung.
const FORK_PATIENCE_US: u64 = 5_000_000;

/// The master's state machine. See the module for the calling order.
#[derive(Debug)]
pub struct Machine {
    /// The latest moment heard of; never runs backwards.
    now: Time,
    /// The time of the last [`Event::Elapsed`]: every patience that ended by then was acted on.
    looked: Time,
    stage: Stage,
    /// The numbers in force.
    plan: Plan,
    /// The generation whose workers are wanted.
    current: Generation,
    generations_made: u32,
    zygotes: Vec<Zygote>,
    /// Zygotes of the current configuration that died at once, one after the other.
    zygote_failures: u32,
    /// The first of them are those of the scoreboard, for children that are forked; behind them sit executed ones.
    seats: Vec<Option<Child>>,
    /// How many seats the scoreboard has.
    shared_seats: u32,
    posts: Posts,
    /// No worker of a mold takes the place of one that serves before this moment.
    next_of_mold: Time,
    /// For those who died young because others have killed them.
    killed: Allowance,
    paused: bool,
    change: Option<Change>,
    /// The reload to begin when the one under way is over.
    queued: Option<Reload>,
    upgrade_due: bool,
    /// Configurations that were asked for and not yet answered.
    answers_due: u32,
    told: Count,
    impossible: u64,
    actions: VecDeque<Action>,
}

/// How far the instance's life has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The first generation loads.
    Loading,
    /// It is loaded; nobody was told that the instance is ready.
    Starting,
    /// It is ready.
    Serving,
    /// Everything leaves; at `until` the master does, whatever is left.
    Stopping { code: i32, manner: Manner, until: Time },
    /// The last action is given out.
    Gone,
}

/// A worker as statistics and limits see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerView {
    /// Its place in the shared memory.
    pub seat: Seat,
    /// Its number.
    pub post: Post,
    /// The version of the application that it runs.
    pub generation: Generation,
    /// `None` while it is being forked.
    pub pid: Option<ProcessId>,
    /// What it is doing.
    pub condition: Condition,
    /// Workers with this number so far, this one included.
    pub nth: u32,
}

/// A process beside the workers that a zygote forked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompanionView {
    /// Its place in the shared memory.
    pub seat: Seat,
    /// What it is, and its number.
    pub post: Post,
    /// The how many-th in its post.
    pub nth: u32,
    /// `None` while it is being forked.
    pub pid: Option<ProcessId>,
    /// What it is doing.
    pub condition: Condition,
}

/// What a worker is doing, as far as the master knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Not ready yet.
    Starting,
    /// Accepting since then.
    Ready(Time),
    /// Told not to accept; ready since then.
    Paused(Time),
    /// On its way out.
    Leaving,
}

impl Machine {
    /// A new instance. The first actions are queued: poll them.
    ///
    /// # Errors
    /// The sentence that says which numbers of the plan do not fit together.
    pub fn start(now: Time, plan: Plan) -> Result<Machine, String> {
        plan.check()?;
        let zygote = Zygote { generation: Generation(1), phase: zygote::Phase::Waiting { until: now }, root: None };
        let picture = Snapshot {
            current: Generation(1),
            generations_made: 1,
            zygotes: vec![zygote],
            seats: vec![None; plan.seats as usize],
            posts: Posts::new(plan.bounds.maximum(), plan.at_start(), (&plan).into(), &plan.executed),
            paused: false,
            plan,
        };
        Ok(Machine::with_picture(now, Stage::Loading, picture))
    }

    /// A machine with this picture of what is there and nothing under way.
    fn with_picture(now: Time, stage: Stage, picture: Snapshot) -> Machine {
        let Snapshot { plan, current, generations_made, zygotes, seats, posts, paused } = picture;
        let shared_seats = plan.seats;
        let mut machine = Machine {
            now,
            looked: now,
            stage,
            plan,
            current,
            generations_made,
            zygotes,
            zygote_failures: 0,
            seats,
            shared_seats,
            posts,
            next_of_mold: Time::default(),
            killed: Allowance::default(),
            paused,
            change: None,
            queued: None,
            upgrade_due: false,
            answers_due: 0,
            told: Count::default(),
            impossible: 0,
            actions: VecDeque::new(),
        };
        machine.expire();
        machine.reconcile();
        machine
    }

    /// Takes in what happened. `now` that runs backwards is taken for the latest moment heard of.
    pub fn handle(&mut self, now: Time, event: Event) {
        self.handle_together(now, [event]);
    }

    /// Takes in all that happened at one moment before anything is concluded from it.
    pub fn handle_together(&mut self, now: Time, events: impl IntoIterator<Item = Event>) {
        self.now = self.now.max(now);
        if matches!(self.stage, Stage::Gone) {
            return;
        }
        for event in events {
            self.take_in(event);
        }
        self.reconcile();
    }

    fn take_in(&mut self, event: Event) {
        match event {
            Event::ZygoteLoaded { generation, boot_us } => {
                self.zygote(generation, zygote::Incident::Loaded { boot_us });
            }
            Event::ZygoteLoadFailed { generation, exit_code, reason } => {
                self.zygote(generation, zygote::Incident::LoadFailed { exit_code, reason });
            }
            Event::ZygoteExited { generation, status } => self.zygote(generation, zygote::Incident::Exited(status)),
            Event::Forked { seat, pid } => self.befall(seat, Incident::Forked(pid)),
            Event::ForkFailed { seat, errno } => self.befall(seat, Incident::ForkFailed { errno }),
            Event::Ready { seat, boot_us, pid } => {
                self.follow(seat, pid);
                self.befall(seat, Incident::Ready { boot_us });
            }
            Event::NotReady { seat, exit_code, reason } => {
                self.befall(seat, Incident::NotReady { exit_code, reason });
            }
            Event::Leaving { seat, reason } => self.befall(seat, Incident::Leaving(reason)),
            Event::Exited { seat, pid, status } => self.befall(seat, Incident::Exited { pid, status }),
            Event::Order(order) => self.order(order),
            Event::ConfigurationRead(answer) => self.configuration_read(answer),
            Event::Target { workers, idle, volunteers } => self.set_target(workers, &idle, &volunteers),
            Event::GenerationUnfit { generation, exit_code, reason } => {
                self.refuse_generation(generation, exit_code, reason);
            }
            Event::Worn { seat, reason } => self.wear_out(seat, reason),
            Event::Seasoned { seat } => self.season(seat),
            Event::Molded { seat } => self.befall(seat, Incident::Molded),
            Event::Overgrown { seat } => self.befall(seat, Incident::Kill(Farewell::Overgrown)),
            Event::Stuck { seat } => self.befall(seat, Incident::Kill(Farewell::Harakiri)),
            Event::TrialEnds { generation, verdict } => self.conclude_trial(generation, verdict),
            Event::Renew { recipe } => self.renew(recipe),
            Event::RenewAll { role } => self.renew_all(role),
            Event::Want { post, wanted } => self.want(post, wanted),
            Event::Elapsed => self.expire(),
        }
    }

    /// The next thing to do, in order. [`Action::Upgrade`] comes only when there is nothing else: what waits behind it
    /// would not be done by the next image, for which it counts as done.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front().or_else(|| self.upgrade_if_quiet())
    }

    /// When [`Event::Elapsed`] is due though nothing happens. May have passed already: then it is due as soon as
    /// nothing else waits. Patience ends only with that event, so that after a stall of the master what was said in
    /// time counts as in time.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let stop = match self.stage {
            Stage::Gone => return None,
            Stage::Stopping { until, .. } => Some(until),
            Stage::Loading | Stage::Starting | Stage::Serving => None,
        };
        let children = self.seats.iter().flatten().filter_map(Child::until);
        let zygotes = self.zygotes.iter().filter_map(Zygote::until);
        let posts = self.posts.active().map(|(_, post)| post.back_off.not_before());
        let all =
            children.chain(zygotes).chain(posts).chain(stop).chain(self.switch_deadline()).chain(self.mold_deadline());
        all.filter(|at| *at > self.looked).min()
    }

    /// The workers there are, by seat. Every one has a number from 1 on: strangers that are being killed are left out.
    pub fn workers(&self) -> impl Iterator<Item = WorkerView> + '_ {
        let ours = |child: &&Child| child.nth > 0;
        self.seats_numbered().filter_map(move |(seat, child)| view(seat, child.as_ref().filter(ours)?))
    }

    /// Whether a worker sits in a seat.
    #[must_use]
    pub fn is_worker(&self, seat: Seat) -> bool {
        let child = self.seats.get(seat.0 as usize).and_then(Option::as_ref);
        child.is_some_and(|child| child.rule().counts)
    }

    /// How many workers there are.
    #[must_use]
    pub fn count(&self) -> Count {
        let mut count = Count { target: self.target(), ..Count::default() };
        for child in self.seats.iter().flatten().filter(|child| child.rule().counts) {
            match child.phase {
                Phase::Forking { .. } | Phase::Starting { .. } => count.starting += 1,
                Phase::Ready { .. } => count.ready += 1,
                Phase::Leaving { .. } | Phase::Retiring { .. } | Phase::Killed { .. } => count.leaving += 1,
                Phase::Doomed { .. } | Phase::Lost { .. } => {}
            }
        }
        count
    }

    /// The generation whose workers are wanted.
    #[must_use]
    pub fn current(&self) -> Generation {
        self.current
    }

    /// The numbers in force.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Workers that should run.
    #[must_use]
    pub fn target(&self) -> u32 {
        u32::try_from(self.posts.workers().filter(|(_, post)| post.active).count()).unwrap_or(u32::MAX)
    }

    /// Whether workers are told not to accept.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether a reload of the application is under way.
    #[must_use]
    pub fn is_switching(&self) -> bool {
        matches!(self.change, Some(Change::Switching(_)))
    }

    /// Whether the instance is on its way out.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        matches!(self.stage, Stage::Stopping { .. } | Stage::Gone)
    }

    /// Events so far that could not be. Above zero is a fault of this program.
    #[must_use]
    pub fn impossible_count(&self) -> u64 {
        self.impossible
    }

    /// The moment so much later, and never this one: a deadline is always ahead of the look that finds it.
    fn after_us(&self, us: u64) -> Time {
        self.now.plus_us(us.max(1))
    }

    /// Acts on every patience that has ended.
    fn expire(&mut self) {
        let now = self.now;
        self.looked = now;
        let children = self.seats_where(|child| child.until().is_some_and(|until| until <= now));
        self.befall_all(&children, &Incident::Expire);
        let due = |zygote: &&Zygote| zygote.until().is_some_and(|until| until <= now);
        let zygotes: Vec<Generation> = self.zygotes.iter().filter(due).map(|zygote| zygote.generation).collect();
        for generation in zygotes {
            self.zygote(generation, zygote::Incident::Expire);
        }
    }

    /// The child in a seat has gone on as another process.
    fn follow(&mut self, seat: Seat, pid: Option<ProcessId>) {
        if let (Some(Some(child)), Some(pid)) = (self.seats.get_mut(seat.0 as usize), pid) {
            child.move_to(pid);
        }
    }

    fn sit(&mut self, seat: Seat, child: Child) {
        if let Some(place) = self.seats.get_mut(seat.0 as usize) {
            *place = Some(child);
        }
    }

    fn is_loaded(&self, generation: Generation) -> bool {
        let loaded = |zygote: &Zygote| matches!(zygote.phase, zygote::Phase::Loaded { .. });
        self.zygotes.iter().any(|zygote| zygote.generation == generation && loaded(zygote))
    }

    fn children_of(&self, generation: Generation) -> impl Iterator<Item = &Child> {
        self.seats.iter().flatten().filter(move |child| child.is_of(generation))
    }

    fn seats_numbered(&self) -> impl Iterator<Item = (Seat, &Option<Child>)> {
        (0..).map(Seat).zip(&self.seats)
    }

    fn seats_where(&self, wanted: impl Fn(&Child) -> bool) -> Vec<Seat> {
        let matching = self.seats_numbered().filter(|(_, child)| child.as_ref().is_some_and(&wanted));
        matching.map(|(seat, _)| seat).collect()
    }

    fn note(&mut self, note: Note) {
        self.actions.push_back(Action::Note(note));
    }

    fn announce(&mut self, announcement: Announcement) {
        self.actions.push_back(Action::Announce(announcement));
    }

    fn impossible(&mut self, what: String) {
        self.impossible = self.impossible.saturating_add(1);
        self.note(Note::Impossible { what });
    }
}

/// A worker as others see it; `None` for who is none.
fn view(seat: Seat, child: &Child) -> Option<WorkerView> {
    let generation = child.generation().filter(|_| child.rule().counts)?;
    Some(WorkerView {
        seat,
        post: child.post,
        generation,
        pid: child.pid(),
        condition: condition(child),
        nth: child.nth,
    })
}

fn condition(child: &Child) -> Condition {
    match child.phase {
        Phase::Forking { .. } | Phase::Starting { .. } => Condition::Starting,
        Phase::Ready { since, paused: false, .. } => Condition::Ready(since),
        Phase::Ready { since, paused: true, .. } => Condition::Paused(since),
        Phase::Doomed { .. }
        | Phase::Lost { .. }
        | Phase::Leaving { .. }
        | Phase::Retiring { .. }
        | Phase::Killed { .. } => Condition::Leaving,
    }
}
