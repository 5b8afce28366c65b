//! The master's decisions: events in, actions out.
//!
//! The machine keeps a picture of the zygotes and workers, corrects it with each [`Event`], and then compares what is
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
mod change;
mod event;
mod identity;
mod note;
mod order;
mod plan;
mod reconcile;
mod slot;
mod stop;
mod worker;
mod zygote;

#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;

pub use action::{Action, Announcement, Count, Outcome};
pub use event::{Event, ExitStatus, LeaveReason, Order, Reload};
pub use identity::{Generation, ProcessId, Seat, Slot, Time};
pub use note::{Farewell, Note};
pub use plan::{PROBATION_US, Plan};

use change::Change;
use std::collections::VecDeque;
use worker::{Incident, Manner, Phase, Worker};
use zygote::Zygote;

/// A worker that dies before it is ready, or within this time after, died young: the next one waits.
const YOUNG_US: u64 = 1_000_000;
/// How long a zygote may take to answer an order to fork before it counts as hung.
const FORK_PATIENCE_US: u64 = 10_000_000;
/// How long a seat stays closed when its zygote died with the order to fork in its hands.
const QUARANTINE_US: u64 = 5_000_000;
/// How long a zygote may take to end once it has no workers.
const ZYGOTE_PATIENCE_US: u64 = 2_000_000;
/// How long a stop waits for what was sent SIGKILL.
const KILL_PATIENCE_US: u64 = 10_000_000;

/// The master's state machine. See the module for the calling order.
#[derive(Debug)]
pub struct Machine {
    /// The latest moment heard of; never runs backwards.
    now: Time,
    stage: Stage,
    /// The numbers in force.
    plan: Plan,
    /// The generation whose workers are wanted.
    current: Generation,
    generations_made: u32,
    zygotes: Vec<Zygote>,
    /// Zygotes of the current configuration that died at once, one after the other.
    zygote_failures: u32,
    seats: Vec<Option<Worker>>,
    slots: Vec<slot::Slot>,
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
    pub slot: Slot,
    /// The version of the application that it runs.
    pub generation: Generation,
    /// `None` while it is being forked.
    pub pid: Option<ProcessId>,
    /// What it is doing.
    pub condition: Condition,
    /// Workers with this number so far, this one included.
    pub life: u32,
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
        let slots =
            (1..=plan.workers).map(|number| slot::Slot { active: number <= plan.initial, ..Default::default() });
        let mut machine = Machine {
            now,
            stage: Stage::Loading,
            current: Generation(1),
            generations_made: 1,
            zygotes: Vec::new(),
            zygote_failures: 0,
            seats: vec![None; plan.seats as usize],
            slots: slots.collect(),
            paused: false,
            change: None,
            queued: None,
            upgrade_due: false,
            answers_due: 0,
            told: Count::default(),
            impossible: 0,
            actions: VecDeque::new(),
            plan,
        };
        machine.zygotes.push(Zygote { generation: Generation(1), phase: zygote::Phase::Waiting { until: now } });
        machine.expire();
        machine.reconcile();
        Ok(machine)
    }

    /// Takes in what happened. `now` that runs backwards is taken for the latest moment heard of.
    pub fn handle(&mut self, now: Time, event: Event) {
        self.now = self.now.max(now);
        if matches!(self.stage, Stage::Gone) {
            return;
        }
        match event {
            Event::ZygoteLoaded { generation, boot_us } => {
                self.zygote(generation, zygote::Incident::Loaded { boot_us });
            }
            Event::ZygoteLoadFailed { generation, exit_code, reason } => {
                self.zygote(generation, zygote::Incident::LoadFailed { exit_code, reason });
            }
            Event::ZygoteExited { generation, status } => self.zygote(generation, zygote::Incident::Exited(status)),
            Event::WorkerForked { seat, pid } => self.befall(seat, Incident::Forked(pid)),
            Event::ForkFailed { seat, errno } => self.befall(seat, Incident::ForkFailed { errno }),
            Event::WorkerReady { seat, boot_us } => self.befall(seat, Incident::Ready { boot_us }),
            Event::WorkerNotReady { seat, exit_code, reason } => {
                self.befall(seat, Incident::NotReady { exit_code, reason });
            }
            Event::WorkerLeaving { seat, reason } => self.befall(seat, Incident::Leaving(reason)),
            Event::WorkerExited { seat, pid, status } => self.befall(seat, Incident::Exited { pid, status }),
            Event::Order(order) => self.order(order),
            Event::ConfigurationRead(answer) => self.configuration_read(answer),
            Event::Target { workers, reason, idle } => {
                self.set_target(workers.clamp(1, self.plan.workers), &idle, &reason);
            }
            Event::Elapsed => {}
        }
        self.expire();
        self.reconcile();
    }

    /// The next thing to do, in order.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Event::Elapsed`] is due though nothing happens. Always later than the last event's time.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let stop = match self.stage {
            Stage::Gone => return None,
            Stage::Stopping { until, .. } => Some(until),
            Stage::Loading | Stage::Starting | Stage::Serving => None,
        };
        let workers = self.seats.iter().flatten().filter_map(Worker::until);
        let zygotes = self.zygotes.iter().filter_map(Zygote::until);
        let slots = self.slots.iter().filter(|slot| slot.active).map(|slot| slot.not_before);
        let all = workers.chain(zygotes).chain(slots).chain(stop).chain(self.switch_deadline());
        all.filter(|at| *at > self.now).min()
    }

    /// The workers there are, by seat.
    pub fn workers(&self) -> impl Iterator<Item = WorkerView> + '_ {
        self.seats_numbered().filter_map(|(seat, worker)| Some(view(seat, worker.as_ref()?)))
    }

    /// How many workers there are.
    #[must_use]
    pub fn count(&self) -> Count {
        let mut count = Count { target: self.target(), ..Count::default() };
        for worker in self.seats.iter().flatten() {
            match worker.phase {
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
        u32::try_from(self.slots.iter().filter(|slot| slot.active).count()).unwrap_or(u32::MAX)
    }

    /// Whether workers are told not to accept.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused
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

    // What befalls workers.

    fn befall(&mut self, seat: Seat, incident: Incident) {
        let Some(place) = self.seats.get_mut(seat.0 as usize) else {
            self.impossible(format!("{incident:?} in seat {seat}, which there is not"));
            return;
        };
        let state = worker::State::of(place.as_ref());
        let step = worker::step(state, incident.stimulus());
        match (step, place.take(), incident) {
            (worker::Step::Impossible, before, incident) => {
                *place = before;
                self.impossible(format!("{incident:?} in seat {seat}, which is {state:?}"));
            }
            (worker::Step::Evict, _, Incident::Forked(pid)) => {
                let phase = Phase::Killed { pid, since: self.now, why: Farewell::CalledOff };
                let generation = self.current;
                *place = Some(Worker { slot: Slot(0), generation, life: 0, replace: None, phase });
                self.note(Note::Intruder { seat, pid });
                self.actions.push_back(Action::Kill { seat });
            }
            (worker::Step::Stay, before, _) => *place = before,
            (step, Some(worker), incident) => self.carry_out(seat, worker, step, incident),
            (_, None, _) => {}
        }
    }

    fn befall_all(&mut self, seats: &[Seat], incident: &Incident) {
        for seat in seats {
            self.befall(*seat, incident.clone());
        }
    }

    /// Puts what becomes of `worker` into its seat, which is empty at this moment.
    fn carry_out(&mut self, seat: Seat, worker: Worker, step: worker::Step, incident: Incident) {
        use worker::Step;
        match step {
            Step::Begin | Step::Remember | Step::Serve => self.carry_in(seat, worker, step, incident),
            Step::Leave | Step::Reject | Step::Retire | Step::Doom | Step::DoomUnfit | Step::Quarantine => {
                self.see_off(seat, worker, step, incident);
            }
            Step::Kill | Step::GiveUp => self.kill(seat, worker, step, incident),
            Step::Vacate => {}
            Step::Fail => {
                let errno = if let Incident::ForkFailed { errno } = incident { errno } else { 0 };
                self.blame(&worker, format!("fork failed with error {errno}"));
            }
            Step::Bury | Step::Judge => self.bury(seat, worker, step, incident),
            Step::BlameZygote => {
                let generation = worker.generation;
                self.sit(seat, Worker { phase: postponed(worker.phase, self.now), ..worker });
                self.zygote(generation, zygote::Incident::Mute);
            }
            Step::Impossible | Step::Stay | Step::Evict => self.sit(seat, worker),
        }
    }

    /// The ways in: towards being ready.
    fn carry_in(&mut self, seat: Seat, worker: Worker, step: worker::Step, incident: Incident) {
        let slot = worker.slot;
        let phase = match (step, worker.phase, incident) {
            (worker::Step::Begin, Phase::Forking { ready, .. }, Incident::Forked(pid)) => {
                self.note(spawn_note(&worker, pid, self.plan.threads));
                match ready {
                    Some(since) => Phase::Ready { pid, since, paused: false },
                    None => Phase::Starting { pid, until: self.plan.load_timeout_us.map(|us| self.now.plus_us(us)) },
                }
            }
            (worker::Step::Remember, Phase::Forking { until, .. }, _) => {
                Phase::Forking { until, ready: Some(self.now) }
            }
            (worker::Step::Serve, Phase::Starting { pid, .. }, Incident::Ready { boot_us }) => {
                self.note(Note::WorkerReady { slot, pid, boot_us });
                Phase::Ready { pid, since: self.now, paused: false }
            }
            (_, phase, _) => phase,
        };
        self.sit(seat, Worker { phase, ..worker });
    }

    /// The ways out that end with the worker's own exit.
    fn see_off(&mut self, seat: Seat, worker: Worker, step: worker::Step, incident: Incident) {
        use worker::Step;
        let since = self.now;
        let until = since.plus_us(self.plan.mercy_us);
        let phase = match (step, worker.phase, worker.pid()) {
            (Step::Leave, _, Some(pid)) => {
                if let Incident::Leaving(reason) = incident {
                    self.note(Note::WorkerLeaving { slot: worker.slot, pid, reason });
                }
                Phase::Leaving { pid, since, until, why: Farewell::Itself }
            }
            (Step::Reject, _, Some(pid)) => {
                self.sit(
                    seat,
                    Worker { phase: Phase::Leaving { pid, since, until, why: Farewell::Unfit }, ..worker.clone() },
                );
                self.unfit(&worker, incident);
                return;
            }
            (Step::Retire, _, Some(pid)) => {
                self.actions.push_back(Action::Retire { seat });
                Phase::Retiring { pid, since, until, why: farewell(&incident) }
            }
            (Step::DoomUnfit, Phase::Forking { until, .. }, _) => {
                self.sit(seat, Worker { phase: Phase::Doomed { until }, ..worker.clone() });
                self.unfit(&worker, incident);
                return;
            }
            (Step::Doom, Phase::Forking { until, .. }, _) => Phase::Doomed { until },
            (Step::Quarantine, _, _) => Phase::Lost { until: since.plus_us(QUARANTINE_US) },
            (_, phase, _) => phase,
        };
        self.sit(seat, Worker { phase, ..worker });
    }

    fn kill(&mut self, seat: Seat, worker: Worker, step: worker::Step, incident: Incident) {
        let (pid, since, why) = match (worker.phase, &incident) {
            (Phase::Leaving { pid, since, why, .. } | Phase::Retiring { pid, since, why, .. }, Incident::Expire) => {
                self.note(Note::NoMercy { slot: worker.slot, pid });
                (pid, since, why)
            }
            (Phase::Leaving { pid, since, why, .. } | Phase::Retiring { pid, since, why, .. }, _) => (pid, since, why),
            (Phase::Doomed { .. } | Phase::Lost { .. } | Phase::Forking { .. }, Incident::Forked(pid)) => {
                (*pid, self.now, Farewell::CalledOff)
            }
            (Phase::Starting { pid, .. } | Phase::Ready { pid, .. }, _) => (pid, self.now, farewell(&incident)),
            (Phase::Doomed { .. } | Phase::Lost { .. } | Phase::Forking { .. } | Phase::Killed { .. }, _) => {
                self.sit(seat, worker);
                return;
            }
        };
        self.actions.push_back(Action::Kill { seat });
        self.sit(seat, Worker { phase: Phase::Killed { pid, since, why }, ..worker.clone() });
        if step == worker::Step::GiveUp {
            let reason = "not ready in time".to_owned();
            self.note(Note::WorkerUnfit { slot: worker.slot, pid: Some(pid), reason: reason.clone() });
            self.blame(&worker, reason);
        }
    }

    fn bury(&mut self, seat: Seat, worker: Worker, step: worker::Step, incident: Incident) {
        let Incident::Exited { pid, status } = incident else { return self.sit(seat, worker) };
        if worker.pid() != Some(pid) {
            self.impossible(format!("process {pid} {status} in seat {seat}, which has {:?}", worker.pid()));
            return self.sit(seat, worker);
        }
        match worker.phase {
            Phase::Leaving { since, why, .. }
            | Phase::Retiring { since, why, .. }
            | Phase::Killed { since, why, .. } => {
                self.note(Note::WorkerGone { slot: worker.slot, pid, why, after_us: self.now.since_us(since) });
            }
            Phase::Forking { .. }
            | Phase::Doomed { .. }
            | Phase::Lost { .. }
            | Phase::Starting { .. }
            | Phase::Ready { .. } => {}
        }
        if step == worker::Step::Judge {
            self.note(Note::WorkerDied { slot: worker.slot, pid, status });
            self.judge(&worker, status);
        }
    }

    /// A worker died that nobody had asked to go.
    fn judge(&mut self, worker: &Worker, status: ExitStatus) {
        let young = match worker.phase {
            Phase::Ready { since, .. } => self.now.since_us(since) < YOUNG_US,
            _ => true,
        };
        if young || self.candidate() == Some(worker.generation) {
            self.blame(worker, format!("worker {} {status}", worker.slot));
        } else if let Some(slot) = self.slot_mut(worker.slot) {
            slot.failures = 0;
            slot.not_before = Time::default();
        }
    }

    /// A worker said that it can never serve.
    fn unfit(&mut self, worker: &Worker, incident: Incident) {
        let Incident::NotReady { exit_code, reason } = incident else { return };
        self.note(Note::WorkerUnfit { slot: worker.slot, pid: worker.pid(), reason: reason.clone() });
        if matches!(self.stage, Stage::Starting) && exit_code == stop::NO_APPLICATION {
            self.begin_stop(stop::NO_APPLICATION, Manner::Graceful);
        } else {
            self.blame(worker, reason);
        }
    }

    /// Draws the consequences of a worker that could not do its part: a reload that counted on it is called off, and
    /// the next worker of its slot waits.
    fn blame(&mut self, worker: &Worker, reason: String) {
        if self.candidate() == Some(worker.generation) {
            return self.fail_change(reason);
        }
        if self.is_successor_of_marked(worker) {
            self.fail_change(reason);
        }
        let now = self.now;
        let max = self.plan.respawn_delay_max_us;
        let Some(slot) = self.slot_mut(worker.slot) else { return };
        slot.failures = slot.failures.saturating_add(1);
        let delay_us = slot::delay_us(slot.failures, max);
        slot.not_before = now.plus_us(delay_us);
        if delay_us >= DELAY_TOLD_US {
            self.note(Note::RespawnDelayed { slot: worker.slot, delay_us });
        }
    }

    // What befalls zygotes.

    fn zygote(&mut self, generation: Generation, incident: zygote::Incident) {
        let Some(index) = self.zygotes.iter().position(|zygote| zygote.generation == generation) else {
            self.impossible(format!("{incident:?} of generation {generation}, which has no zygote"));
            return;
        };
        let phase = self.zygotes[index].phase;
        let state = zygote::State::of(phase);
        let step = zygote::step(state, incident.stimulus());
        self.actions.extend(match step {
            zygote::Step::Start => Some(Action::StartZygote { generation, candidate: false }),
            zygote::Step::Stop => Some(Action::StopZygote { generation }),
            zygote::Step::Kill | zygote::Step::GiveUp => Some(Action::KillZygote { generation }),
            _ => None,
        });
        match step {
            zygote::Step::Impossible => {
                self.impossible(format!("{incident:?} of generation {generation}, which is {state:?}"));
            }
            zygote::Step::Stay => {}
            zygote::Step::Start => {
                let until = self.plan.load_timeout_us.map(|us| self.now.plus_us(us));
                self.zygotes[index].phase = zygote::Phase::Loading { until };
            }
            zygote::Step::Serve => self.zygotes[index].phase = zygote::Phase::Loaded { since: self.now },
            zygote::Step::Stop | zygote::Step::Reject => {
                self.zygotes[index].phase = zygote::Phase::Stopping { until: self.now.plus_us(ZYGOTE_PATIENCE_US) };
            }
            zygote::Step::Kill | zygote::Step::GiveUp => self.zygotes[index].phase = zygote::Phase::Killed,
            zygote::Step::Bury | zygote::Step::Judge | zygote::Step::Forget => {
                self.zygotes.remove(index);
                let orphans = self.seats_where(|worker| worker.generation == generation);
                self.befall_all(&orphans, &Incident::Orphan);
            }
        }
        self.after_zygote(generation, phase, step, incident);
    }

    /// The consequences of a zygote's step for the instance.
    fn after_zygote(
        &mut self,
        generation: Generation,
        before: zygote::Phase,
        step: zygote::Step,
        incident: zygote::Incident,
    ) {
        use zygote::{Incident, Step};
        match (step, incident) {
            (Step::Serve, Incident::Loaded { boot_us }) => {
                self.note(Note::Loaded { generation, boot_us });
                if matches!(self.stage, Stage::Loading) {
                    self.stage = Stage::Starting;
                }
            }
            (Step::Reject, Incident::LoadFailed { exit_code, reason }) => {
                self.blame_generation(generation, before, exit_code, reason);
            }
            (Step::Judge, Incident::Exited(status)) => {
                let code = if let ExitStatus::Code(code) = status { code } else { stop::FAILURE };
                let doing = if matches!(before, zygote::Phase::Loading { .. }) { "while loading" } else { "" };
                self.blame_generation(
                    generation,
                    before,
                    code,
                    format!("zygote {status} {doing}").trim_end().to_owned(),
                );
            }
            (Step::GiveUp, Incident::Mute) => {
                self.blame_generation(generation, before, stop::FAILURE, "the zygote does not answer".to_owned());
            }
            (Step::GiveUp, _) => {
                self.blame_generation(generation, before, stop::FAILURE, "not loaded in time".to_owned());
            }
            _ => {}
        }
    }

    /// Draws the consequences of a generation that cannot do its part: the first load ends the instance, a reload is
    /// called off, and the current generation gets a new zygote.
    fn blame_generation(&mut self, generation: Generation, before: zygote::Phase, exit_code: i32, reason: String) {
        match self.stage {
            Stage::Stopping { .. } | Stage::Gone => {}
            Stage::Loading => {
                self.note(Note::GenerationFailed { generation, reason, again_in_us: None });
                self.begin_stop(if exit_code == 0 { stop::FAILURE } else { exit_code }, Manner::Graceful);
            }
            Stage::Starting | Stage::Serving if self.candidate() == Some(generation) => self.fail_change(reason),
            Stage::Starting | Stage::Serving if self.current == generation => self.replace_zygote(before, reason),
            Stage::Starting | Stage::Serving => {}
        }
    }

    /// The same configuration gets a new generation. Workers of the old one go on until those of the new are ready.
    fn replace_zygote(&mut self, before: zygote::Phase, reason: String) {
        let proved = matches!(before, zygote::Phase::Loaded { since } if self.now.since_us(since) >= YOUNG_US);
        self.zygote_failures = if proved { 0 } else { self.zygote_failures.saturating_add(1) };
        let delay_us = slot::delay_us(self.zygote_failures, self.plan.respawn_delay_max_us);
        let failed = self.current;
        self.current = self.new_generation();
        let phase = zygote::Phase::Waiting { until: self.now.plus_us(delay_us) };
        self.zygotes.push(Zygote { generation: self.current, phase });
        self.note(Note::GenerationFailed { generation: failed, reason: reason.clone(), again_in_us: Some(delay_us) });
        if matches!(self.change, Some(Change::Rolling { .. })) {
            self.fail_change(reason);
        }
    }

    // The rest.

    /// Sets how many workers are wanted; `idle` are the seats to prefer when some must go.
    fn set_target(&mut self, workers: u32, idle: &[Seat], reason: &str) {
        let from = self.target();
        let to = workers.min(self.plan.workers);
        if from == to || self.is_stopping() {
            return;
        }
        self.note(Note::Target { from, to, reason: reason.to_owned() });
        for _ in from..to {
            if let Some(slot) = self.slots.iter_mut().find(|slot| !slot.active) {
                slot.active = true;
            }
        }
        for _ in to..from {
            if let Some(slot) = self.dispensable(idle).and_then(|slot| self.slot_mut(slot)) {
                slot.active = false;
            }
        }
    }

    /// The active slot that is missed least: without a worker on duty, else with an idle one, else any; the highest
    /// number of these, because the lowest take work first.
    fn dispensable(&self, idle: &[Seat]) -> Option<Slot> {
        let active = (1..).map(Slot).take(self.slots.len()).filter(|slot| self.is_active(*slot));
        active.max_by_key(|slot| {
            let ready = self.workers().filter(|worker| {
                worker.slot == *slot && matches!(worker.condition, Condition::Ready(_) | Condition::Paused(_))
            });
            let seats: Vec<Seat> = ready.map(|worker| worker.seat).collect();
            let rank = match seats.as_slice() {
                [] => 2,
                seats if seats.iter().all(|seat| idle.contains(seat)) => 1,
                _ => 0,
            };
            (rank, *slot)
        })
    }

    /// Acts on every patience that has ended.
    fn expire(&mut self) {
        let now = self.now;
        let workers = self.seats_where(|worker| worker.until().is_some_and(|until| until <= now));
        self.befall_all(&workers, &Incident::Expire);
        let due = |zygote: &&Zygote| zygote.until().is_some_and(|until| until <= now);
        let zygotes: Vec<Generation> = self.zygotes.iter().filter(due).map(|zygote| zygote.generation).collect();
        for generation in zygotes {
            self.zygote(generation, zygote::Incident::Expire);
        }
    }

    fn new_generation(&mut self) -> Generation {
        self.generations_made = self.generations_made.saturating_add(1);
        Generation(self.generations_made)
    }

    fn sit(&mut self, seat: Seat, worker: Worker) {
        if let Some(place) = self.seats.get_mut(seat.0 as usize) {
            *place = Some(worker);
        }
    }

    fn slot_mut(&mut self, slot: Slot) -> Option<&mut slot::Slot> {
        self.slots.get_mut((slot.0 as usize).checked_sub(1)?)
    }

    fn is_active(&self, slot: Slot) -> bool {
        (slot.0 as usize).checked_sub(1).and_then(|index| self.slots.get(index)).is_some_and(|slot| slot.active)
    }

    fn is_loaded(&self, generation: Generation) -> bool {
        let loaded = |zygote: &Zygote| matches!(zygote.phase, zygote::Phase::Loaded { .. });
        self.zygotes.iter().any(|zygote| zygote.generation == generation && loaded(zygote))
    }

    fn workers_of(&self, generation: Generation, slot: Slot) -> impl Iterator<Item = &Worker> {
        self.seats.iter().flatten().filter(move |worker| worker.generation == generation && worker.slot == slot)
    }

    fn has_staying(&self, generation: Generation, slot: Slot) -> bool {
        self.workers_of(generation, slot).any(Worker::stays)
    }

    fn seats_numbered(&self) -> impl Iterator<Item = (Seat, &Option<Worker>)> {
        (0..).map(Seat).zip(&self.seats)
    }

    fn seats_where(&self, wanted: impl Fn(&Worker) -> bool) -> Vec<Seat> {
        let matching = self.seats_numbered().filter(|(_, worker)| worker.as_ref().is_some_and(&wanted));
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

/// A back-off of at least this is worth a line.
const DELAY_TOLD_US: u64 = 100_000;

fn view(seat: Seat, worker: &Worker) -> WorkerView {
    let condition = match worker.phase {
        Phase::Forking { .. } | Phase::Starting { .. } => Condition::Starting,
        Phase::Ready { since, paused: false, .. } => Condition::Ready(since),
        Phase::Ready { since, paused: true, .. } => Condition::Paused(since),
        Phase::Doomed { .. }
        | Phase::Lost { .. }
        | Phase::Leaving { .. }
        | Phase::Retiring { .. }
        | Phase::Killed { .. } => Condition::Leaving,
    };
    let Worker { slot, generation, life, .. } = *worker;
    WorkerView { seat, slot, generation, pid: worker.pid(), condition, life }
}

fn spawn_note(worker: &Worker, pid: ProcessId, threads: u32) -> Note {
    let slot = worker.slot;
    if worker.life <= 1 { Note::Spawned { slot, pid, threads } } else { Note::Respawned { slot, pid } }
}

fn farewell(incident: &Incident) -> Farewell {
    match incident {
        Incident::Dismiss(why) | Incident::Kill(why) => *why,
        Incident::Forked(_)
        | Incident::ForkFailed { .. }
        | Incident::Ready { .. }
        | Incident::NotReady { .. }
        | Incident::Leaving(_)
        | Incident::Exited { .. }
        | Incident::Expire
        | Incident::Orphan => Farewell::Unfit,
    }
}

/// The same phase with new patience.
fn postponed(phase: Phase, now: Time) -> Phase {
    let until = now.plus_us(FORK_PATIENCE_US);
    match phase {
        Phase::Forking { ready, .. } => Phase::Forking { until, ready },
        Phase::Doomed { .. } => Phase::Doomed { until },
        other => other,
    }
}
