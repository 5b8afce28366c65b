//! Joins the pure scaling policies to the running instance: arms the wake-ups they ask for, turns
//! decisions into targets of the machine. Master only.

use std::collections::BTreeSet;

use worker_protocol::scoreboard::{Armed, CORES_MAX, Scoreboard};

use super::in_force::InForce;
use super::machine::{Event, Order, Seat};
use super::sight::{Picture, Scene, Sight};
use crate::scaling::budget::Told;
use crate::scaling::decision_log::{Record, text_line};
use crate::scaling::{Decided, Decision, Held, Memory, Reason, Sample, Settings, Wake, refusal, step};

/// How soon to look again when the wake-up that was asked for had already happened.
const LOOK_AGAIN_US: u64 = 1_000;

/// How soon to look again while nothing can wake us because everybody is busy.
const LOOK_UNARMED_US: u64 = 50_000;

/// Decides on the number of workers, whenever there is something to decide.
#[derive(Debug)]
pub(super) struct Scaler {
    memory: Memory,
    sight: Sight,
    next_look_us: Option<u64>,
    /// Whether a connection in the queue shall wake the master.
    wake_on_queue: bool,
    /// Whether at the last look the counter of busy cores and the cores did not say the same.
    has_miscounted: bool,
    /// Workers asked for or refused by the operator since the last look.
    pending: i32,
    /// Workers that asked to go since the last look.
    volunteers: BTreeSet<Seat>,
    /// What the last look found, for whoever shares out memory among several instances.
    told: Option<Told>,
    /// The last decision, if it changes the number of workers and nobody has asked for it yet.
    changed: Option<(&'static str, &'static str)>,
}

impl Scaler {
    pub(super) fn new() -> Self {
        Self {
            memory: Memory::default(),
            sight: Sight::new(),
            next_look_us: None,
            wake_on_queue: false,
            has_miscounted: false,
            pending: 0,
            volunteers: BTreeSet::new(),
            told: None,
            changed: None,
        }
    }

    /// What the last look found; `None` before the first one.
    pub(super) fn told(&self) -> Option<&Told> {
        self.told.as_ref()
    }

    /// What was learnt of the load, for the next image of the master.
    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Goes on with what the image before has learnt.
    pub(super) fn remember(&mut self, memory: Memory) {
        self.memory = memory;
    }

    /// The operator wants no worker until a connection comes.
    pub(super) fn sleep(&mut self, now_us: u64) {
        self.memory.fall_asleep(now_us);
    }

    /// When to look again though nothing happens.
    pub(super) fn next_look_us(&self) -> Option<u64> {
        self.next_look_us
    }

    /// Whether a connection in the queue shall wake the master.
    pub(super) fn wakes_on_queue(&self) -> bool {
        self.wake_on_queue
    }

    /// Whether the counter of busy cores is to be set right. Requests that begin or end during a look are a reason as
    /// well; counting for nothing costs less than the look.
    pub(super) fn has_miscounted(&self) -> bool {
        self.has_miscounted
    }

    /// One worker more or less, asked for by the operator.
    pub(super) fn ask(&mut self, workers: i32) {
        self.pending = self.pending.saturating_add(workers);
    }

    /// The worker in a seat asks to go.
    pub(super) fn let_go(&mut self, seat: Seat) {
        self.volunteers.insert(seat);
    }

    /// A worker is ready, so long after the order to fork it.
    pub(super) fn note_boot(&mut self, seat: Seat, pid: Option<i32>, boot_us: u64) {
        self.sight.note_boot(seat, pid, boot_us);
    }

    /// Keeps the figures of a worker that is gone.
    pub(super) fn bury(&mut self, board: Scoreboard<'_>, seat: Seat) {
        self.sight.bury(board, seat);
        self.volunteers.remove(&seat);
    }

    /// Looks, decides, tells the logs, and arms what shall wake the master next. What is to be done comes as an event.
    pub(super) fn look(&mut self, scene: &Scene<'_>, in_force: &mut InForce) -> Option<Event> {
        let picture = self.picture(scene, in_force);
        let before = in_force.decisions.as_ref().map(|_| self.memory.clone());
        let settings = &in_force.scaling;
        let held = self.memory.held();
        let (memory, decided) = step(settings, std::mem::take(&mut self.memory), &picture.sample);
        self.memory = memory;
        self.told = Some(Told::of(settings, &picture.sample, &decided));
        self.tell_the_operator(settings, &picture.sample, &decided, held);
        self.next_look_us = if self.pending == 0 { decided.next_look_us } else { Some(scene.now_us) };
        self.arm(scene, &decided, &picture);
        if !picture.volunteers.is_empty() && !matches!(decided.reason, Reason::Volunteered { .. }) {
            log::info!("a worker asked to go and stays: at least {} must run", settings.minimum);
        }
        let Picture { sample, idle, volunteers, .. } = picture;
        let target = |workers| Some(Event::Target { workers, idle, volunteers });
        let wanted = scene.machine.target();
        let event = match decided.decision {
            Decision::Hold if decided.reason.ends_instance() => Some(Event::Order(Order::Stop)),
            Decision::Hold => None,
            Decision::Grow(more) => target(wanted.saturating_add(more)),
            Decision::Shrink(fewer) => target(wanted.saturating_sub(fewer)),
        };
        if event.is_none() && !(in_force.config.scaling.busyness.verbose && decided.reason.ends_window()) {
            return None;
        }
        self.changed = match decided.decision {
            Decision::Hold => None,
            Decision::Grow(_) => Some(("up", decided.reason.name())),
            Decision::Shrink(_) => Some(("down", decided.reason.name())),
        };
        let line = text_line(&sample, &decided);
        if let (Some(file), Some(memory)) = (&mut in_force.decisions, before) {
            file.write(&Record { settings: settings.clone(), memory, sample, decided });
        }
        // Last, so that whoever reads it finds the record.
        log::info!("{line}");
        event
    }

    /// Says what becomes of an order to have more or fewer workers, and when what was held is over.
    fn tell_the_operator(&self, settings: &Settings, sample: &Sample, decided: &Decided, before: Option<Held>) {
        let held = self.memory.held();
        match (sample.pending, held) {
            (0, None) if before.is_some() => log::info!("the number of workers is no longer held by hand"),
            (0, _) => {}
            (pending, Some(held)) => log::info!("asked for {pending:+} workers: {held}"),
            (_, None) if matches!(decided.reason, Reason::Asked { .. }) => {}
            (pending, None) => {
                log::info!("asked for {pending:+} workers, which changes nothing: {}", refusal(settings, sample))
            }
        }
    }

    /// Direction and reason of the last decision, once, if it changes the number of workers.
    pub(super) fn take_change(&mut self) -> Option<(&'static str, &'static str)> {
        self.changed.take()
    }

    fn picture(&mut self, scene: &Scene<'_>, in_force: &InForce) -> Picture {
        let mut picture = self.sight.look(scene, in_force, &std::mem::take(&mut self.volunteers));
        picture.sample.allowance = scene.allowance;
        // One thing at a time: the operator's comes at the next look.
        if picture.volunteers.is_empty() {
            picture.sample.pending = std::mem::take(&mut self.pending);
        }
        picture
    }

    fn arm(&mut self, scene: &Scene<'_>, decided: &Decided, picture: &Picture) {
        let Scene { now_us, board, .. } = *scene;
        let threads = board.layout().threads();
        let wake_at = match decided.wake {
            Wake::SpareAtMost(spare) => (picture.ready * threads).saturating_sub(spare * threads).max(1),
            Wake::Never | Wake::QueueReadable => CORES_MAX + 1,
        };
        self.wake_on_queue = decided.wake == Wake::QueueReadable;
        self.has_miscounted = board.capacity().busy() != picture.busy_cores;
        if wake_at > CORES_MAX {
            board.capacity().disarm();
            return;
        }
        // Nothing is armed when as many are busy already. A core that became so since the sample was taken is news;
        // and although the policy has seen the others, without a wake-up it must get another look.
        if let Armed::Reached { busy } = board.capacity().arm(wake_at) {
            let soon = now_us + if busy > picture.busy_cores { LOOK_AGAIN_US } else { LOOK_UNARMED_US };
            self.next_look_us = Some(self.next_look_us.map_or(soon, |look| look.min(soon)));
        }
    }
}
