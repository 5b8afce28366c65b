//! What an instance has done that outlives the processes that did it: figures of workers that are gone, and how often what
//! happened. So nothing that only grows ever goes back, whoever dies. Passes to the next image of the master. Master only.

use std::collections::{BTreeMap, VecDeque};

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use worker_protocol::post::Post;
use worker_protocol::scoreboard::{CoreFigures, CoreState, Histogram, MasterSeat, WorkerFigures};

use super::machine::{Announcement, Event, ExitStatus, Farewell, LeaveReason, Note, Outcome, Reload, Word};
use crate::stats::{Decision, ScaledBy, Tally, Totals};

/// Most that is believed of one worker: its words are in memory that its application can write to, and one such worker must
/// not bring the sums to their end.
const OF_ONE_MAX: u64 = 1 << 48;

/// Decisions that are kept one by one.
const DECISIONS_KEPT: usize = 32;

/// What is kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Ledger {
    /// When the instance was started, in microseconds since the epoch.
    pub(super) started_us: u64,
    /// How long the newest generation took to load.
    pub(super) load_us: Option<u64>,
    /// By the numbers of workers.
    pub(super) slots: BTreeMap<u32, Slot>,
    /// Mules and spooler processes, by their names.
    pub(super) companions: BTreeMap<String, CompanionSlot>,
    /// How often daemons were begun again, by their titles.
    pub(super) daemon_respawns: BTreeMap<String, u64>,
    durations: Histogram,
    waits: Histogram,
    boots: Histogram,
    failed_forks: u64,
    lost_requests: u64,
    ends: Tally,
    reloads: BTreeMap<String, Tally>,
    decisions: ScaledBy,
    /// The last ones, the oldest first.
    pub(super) last_decisions: VecDeque<Decision>,
}

/// What workers with one number have done that are gone.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Slot {
    pub(super) requests: u64,
    pub(super) exceptions: u64,
    pub(super) running_us: u64,
    pub(super) sent_bytes: u64,
    pub(super) average_us: u64,
    pub(super) harakiris: u64,
    pub(super) signals: u64,
    /// How many there were, those that live included.
    pub(super) spawns: u64,
    /// When the newest was forked, in seconds since the epoch.
    pub(super) spawned_s: u64,
    pub(super) cores: Vec<Done>,
}

/// What mules or spooler processes with one number have done that are gone.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct CompanionSlot {
    pub(super) done: u64,
    pub(super) failed: u64,
    pub(super) signals: u64,
    /// How many there were, those that live included.
    pub(super) spawns: u64,
    /// How many ended that nobody had asked to.
    pub(super) deaths: u64,
}

/// What one thread of all of them has done.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Done {
    pub(super) requests: u64,
    pub(super) static_requests: u64,
    pub(super) offloaded_requests: u64,
    pub(super) read_errors: u64,
    pub(super) write_errors: u64,
}

impl Ledger {
    /// Begins with nothing.
    pub(super) fn begin(started_us: u64) -> Self {
        Self { started_us, ..Self::default() }
    }

    /// Keeps the figures of a worker that is gone, by its number and its seat.
    pub(super) fn bury(&mut self, number: u32, seat: MasterSeat<'_>) {
        self.slots.entry(number).or_default().add(seat);
        for core in (0..seat.cores()).filter_map(|index| seat.core_figures(index)).map(believed_core) {
            self.durations.add(&core.durations);
            self.waits.add(&core.waits);
        }
        self.lost_requests = self.lost_requests.saturating_add(held(seat));
    }

    /// Keeps the figures of a mule or a spooler process that is gone.
    pub(super) fn bury_companion(&mut self, post: Post, seat: MasterSeat<'_>) {
        self.companions.entry(post.to_string()).or_default().add(seat);
    }

    /// A worker is ready, so long after its fork.
    pub(super) fn note_boot(&mut self, boot_us: u64) {
        self.boots.count(boot_us.min(OF_ONE_MAX));
    }

    /// A worker could not be forked.
    pub(super) fn note_failed_fork(&mut self) {
        self.failed_forks = self.failed_forks.saturating_add(1);
    }

    /// Takes in what is no one worker's.
    pub(super) fn hear(&mut self, event: &Event) {
        if let Event::ZygoteLoaded { boot_us, .. } = event {
            self.load_us = Some(*boot_us);
        }
    }

    /// Counts what a line of the log tells.
    pub(super) fn note(&mut self, note: &Note, now_us: u64) {
        if let Note::WorkerLeaving { post, reason: LeaveReason::Harakiri, .. }
        | Note::WorkerGone { post, why: Farewell::Harakiri, .. } = note
        {
            let slot = self.slots.entry(post.number).or_default();
            slot.harakiris = slot.harakiris.saturating_add(1);
        }
        match note {
            Note::Spawned { post, .. } | Note::Respawned { post, .. } => {
                let slot = self.slots.entry(post.number).or_default();
                slot.spawns = slot.spawns.saturating_add(1);
                slot.spawned_s = now_us / 1_000_000;
            }
            Note::WorkerDied { status, .. } => count(&mut self.ends, &cause_of(*status)),
            Note::WorkerDiedLeaving { .. } => count(&mut self.ends, "killed_while_leaving"),
            Note::WorkerGone { why, .. } => count(&mut self.ends, word_of(*why)),
            Note::Companion { post, word, .. } => {
                let slot = self.companions.entry(post.to_string()).or_default();
                slot.spawns = slot.spawns.saturating_add(matches!(word, Word::Begun { .. }).into());
                slot.deaths = slot.deaths.saturating_add(matches!(word, Word::Died { .. }).into());
            }
            Note::Executed { title, word: Word::Begun { first: false, .. }, .. } => {
                count(&mut self.daemon_respawns, title);
            }
            _ => {}
        }
    }

    /// Counts what is told to the outside.
    pub(super) fn announce(&mut self, announcement: &Announcement) {
        if let Announcement::ReloadDone { reload, outcome } = announcement {
            count(self.reloads.entry(kind_of(*reload).to_owned()).or_default(), outcome_of(outcome));
        }
    }

    /// Counts a decision that changes the number of workers.
    pub(super) fn note_decision(&mut self, decision: Decision) {
        count(self.decisions.entry(decision.direction.clone()).or_default(), &decision.reason);
        if self.last_decisions.len() == DECISIONS_KEPT {
            self.last_decisions.pop_front();
        }
        self.last_decisions.push_back(decision);
    }

    /// All that only grows, without those who live.
    pub(super) fn totals(&self) -> Totals {
        let sum = |figure: fn(&Slot) -> u64| self.slots.values().map(figure).fold(0, u64::saturating_add);
        let cores = || self.slots.values().flat_map(|slot| &slot.cores);
        Totals {
            requests: sum(|slot| slot.requests),
            exceptions: sum(|slot| slot.exceptions),
            sent_bytes: sum(|slot| slot.sent_bytes),
            read_errors: cores().map(|core| core.read_errors).fold(0, u64::saturating_add),
            write_errors: cores().map(|core| core.write_errors).fold(0, u64::saturating_add),
            durations: self.durations,
            waits: self.waits,
            boots: self.boots,
            spawns: sum(|slot| slot.spawns),
            failed_forks: self.failed_forks,
            lost_requests: self.lost_requests,
            ends: self.ends.clone(),
            reloads: self.reloads.clone(),
            decisions: self.decisions.clone(),
            harakiris: sum(|slot| slot.harakiris),
        }
    }
}

impl Slot {
    /// Adds what stands in a seat.
    pub(super) fn add(&mut self, seat: MasterSeat<'_>) {
        let figures = believed(seat.figures());
        self.requests = self.requests.saturating_add(figures.requests);
        self.exceptions = self.exceptions.saturating_add(figures.exceptions);
        self.running_us = self.running_us.saturating_add(figures.running_us);
        self.sent_bytes = self.sent_bytes.saturating_add(figures.sent_bytes);
        self.signals = self.signals.saturating_add(seat.signals().handled.min(OF_ONE_MAX));
        if figures.average_us > 0 {
            self.average_us = figures.average_us;
        }
        self.cores.resize(self.cores.len().max(seat.cores()), Done::default());
        for (index, done) in self.cores.iter_mut().enumerate() {
            if let Some(core) = seat.core_figures(index).map(believed_core) {
                done.requests = done.requests.saturating_add(core.requests);
                done.static_requests = done.static_requests.saturating_add(core.static_requests);
                done.offloaded_requests = done.offloaded_requests.saturating_add(core.offloaded_requests);
                done.read_errors = done.read_errors.saturating_add(core.read_errors);
                done.write_errors = done.write_errors.saturating_add(core.write_errors);
            }
        }
    }
}

impl CompanionSlot {
    /// Adds what stands in a seat.
    pub(super) fn add(&mut self, seat: MasterSeat<'_>) {
        let tasks = seat.tasks();
        self.done = self.done.saturating_add(tasks.done.min(OF_ONE_MAX));
        self.failed = self.failed.saturating_add(tasks.failed.min(OF_ONE_MAX));
        self.signals = self.signals.saturating_add(seat.signals().handled.min(OF_ONE_MAX));
    }
}

/// Requests that a worker that is gone has not finished.
fn held(seat: MasterSeat<'_>) -> u64 {
    let states = (0..seat.cores()).filter_map(|index| seat.core_state(index));
    states.filter(|state| matches!(state, CoreState::Entering { .. } | CoreState::Busy { .. })).count() as u64
}

/// Figures as far as they are believed.
pub(super) fn believed(figures: WorkerFigures) -> WorkerFigures {
    WorkerFigures {
        boot_us: figures.boot_us.min(OF_ONE_MAX),
        rss_bytes: figures.rss_bytes.min(OF_ONE_MAX),
        vsz_bytes: figures.vsz_bytes.min(OF_ONE_MAX),
        requests: figures.requests.min(OF_ONE_MAX),
        exceptions: figures.exceptions.min(OF_ONE_MAX),
        running_us: figures.running_us.min(OF_ONE_MAX),
        sent_bytes: figures.sent_bytes.min(OF_ONE_MAX),
        average_us: figures.average_us.min(OF_ONE_MAX),
        ..figures
    }
}

/// The same of one thread.
pub(super) fn believed_core(core: CoreFigures) -> CoreFigures {
    let histogram = |histogram: Histogram| Histogram {
        counts: histogram.counts.map(|count| count.min(OF_ONE_MAX)),
        sum_us: histogram.sum_us.min(OF_ONE_MAX),
    };
    CoreFigures {
        requests: core.requests.min(OF_ONE_MAX),
        static_requests: core.static_requests.min(OF_ONE_MAX),
        offloaded_requests: core.offloaded_requests.min(OF_ONE_MAX),
        durations: histogram(core.durations),
        waits: histogram(core.waits),
        ..core
    }
}

fn count(tally: &mut Tally, word: &str) {
    match tally.get_mut(word) {
        Some(counted) => *counted = counted.saturating_add(1),
        None => drop(tally.insert(word.to_owned(), 1)),
    }
}

/// How a worker ended that nobody had asked to go.
fn cause_of(status: ExitStatus) -> String {
    match status {
        ExitStatus::Signal(number) => {
            Signal::try_from(number).map_or_else(|_| format!("signal_{number}"), |signal| signal.as_str().to_owned())
        }
        ExitStatus::Code(_) | ExitStatus::Unknown => "exit".to_owned(),
    }
}

fn word_of(why: Farewell) -> &'static str {
    match why {
        Farewell::Itself => "limit",
        Farewell::Scaled => "scaled_down",
        Farewell::Replaced => "replaced",
        Farewell::CalledOff => "called_off",
        Farewell::Unfit => "unfit",
        Farewell::Harakiri => "harakiri",
        Farewell::Overgrown => "memory",
        Farewell::Stop => "stop",
    }
}

fn kind_of(reload: Reload) -> &'static str {
    match reload {
        Reload::Graceful => "graceful",
        Reload::Brutal => "brutal",
        Reload::Workers => "workers",
        Reload::WorkersBrutal => "workers_brutal",
        Reload::Chain => "chain",
    }
}

fn outcome_of(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Failed(_) => "failed",
        Outcome::Superseded => "superseded",
        Outcome::Stopped => "stopped",
    }
}
