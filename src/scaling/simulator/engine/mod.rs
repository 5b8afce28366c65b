//! The event loop of the model and the master's looks in it. Not for making load (see `load`) or judging it (see
//! `outcome`); what a connection goes through is in `requests`, what a worker does in `pool`.

mod pool;
mod requests;

use super::cores::Cores;
use super::load::Load;
use super::outcome::Outcome;
use super::rivals::Scaler;
use super::{Job, World};
use crate::scaling::budget::Told;
use crate::scaling::{CpuUse, Decided, Decision, Sample, Wake, WorkerTime};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Plays the load against the scaler, from the memory that it has, and returns what came of it. `watch` sees every look
/// with its outcome.
pub fn run(world: &World, scaler: &Scaler, load: &Load, watch: &mut dyn FnMut(&Sample, &Decided)) -> Outcome {
    let mut engine = Engine::new(world, scaler.clone(), load);
    engine.start();
    while let Some(now_us) = engine.next_time() {
        if now_us > load.until_us {
            break;
        }
        engine.advance(now_us);
        engine.happen(watch);
    }
    engine.advance(load.until_us.max(engine.now_us));
    engine.finish()
}

/// The earlier one, as far as there are any. Asked for at each step of each server.
fn earlier(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(a), Some(b)) if b < a => other,
        (None, _) => other,
        _ => one,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A request has finished everything.
    Done(u32),
    /// A worker is ready.
    Ready(u32),
    /// A client of a closed loop begins anew.
    Client(u32),
    /// A client loses patience with its connection (the number of the connection) and tries again.
    Impatient(u64),
    /// The master looks.
    Look,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Worker {
    Vacant,
    Starting,
    Ready { in_hand: u32, idle_since_us: u64 },
}

/// A connection: in the queue, or in a worker's hands.
#[derive(Debug, Clone, Copy)]
struct Request {
    job: Job,
    number: u64,
    tries_left: u32,
    client: Option<u32>,
    worker: u32,
    begun_us: u64,
}

/// One server, which others may drive as well: they give it connections and let its time pass.
pub(super) struct Engine<'a> {
    world: &'a World,
    scaler: Scaler,
    load: &'a Load,
    now_us: u64,
    next_job: usize,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    sequence: u64,
    cores: Cores,
    workers: Vec<Worker>,
    running_us: Vec<u64>,
    /// One bit a slot: ready and with a free thread.
    free: Vec<u64>,
    queue: VecDeque<Request>,
    in_hand: Vec<Request>,
    in_hand_vacant: Vec<u32>,
    connections: u64,
    busy: u32,
    idle: u32,
    starting: u32,
    serving: u32,
    begun_sum_us: u64,
    busy_us: u64,
    requests_total: u64,
    busy_time_us: u64,
    zygote_free_us: u64,
    look_due_us: Option<u64>,
    look_number: u64,
    wake: Wake,
    /// The most workers that it is allowed from outside.
    allowance: Option<u32>,
    /// Workers that the last look would have added beyond that.
    unmet: u32,
    outcome: Outcome,
}

impl<'a> Engine<'a> {
    pub(super) fn new(world: &'a World, scaler: Scaler, load: &'a Load) -> Self {
        let slots = scaler.maximum() as usize;
        Engine {
            cores: Cores::new(world.cores),
            workers: vec![Worker::Vacant; slots],
            running_us: vec![0; slots],
            free: vec![0; slots.div_ceil(64)],
            outcome: Outcome::new(world.late_us),
            world,
            scaler,
            load,
            now_us: 0,
            next_job: 0,
            events: BinaryHeap::new(),
            sequence: 0,
            queue: VecDeque::new(),
            in_hand: Vec::new(),
            in_hand_vacant: Vec::new(),
            connections: 0,
            busy: 0,
            idle: 0,
            starting: 0,
            serving: 0,
            begun_sum_us: 0,
            busy_us: 0,
            requests_total: 0,
            busy_time_us: 0,
            zygote_free_us: 0,
            look_due_us: None,
            look_number: 0,
            wake: Wake::Never,
            allowance: None,
            unmet: 0,
        }
    }

    /// The workers of the start are ready before the first request, at the time advanced to.
    pub(super) fn start(&mut self) {
        for slot in 0..self.scaler.initial().min(self.scaler.maximum()) {
            self.starting += 1;
            self.ready(slot);
        }
        self.note_workers();
        self.look_at(self.now_us);
        for client in 0..self.load.clients {
            self.at(self.load.clients_begin_us, Event::Client(client));
        }
    }

    pub(super) fn next_time(&self) -> Option<u64> {
        let event = self.events.peek().map(|Reverse((when, ..))| *when);
        let arrival = self.load.jobs.get(self.next_job).map(|job| job.at_us);
        earlier(earlier(event, arrival), self.cores.next_finish_us())
    }

    pub(super) fn advance(&mut self, now_us: u64) {
        let elapsed_us = now_us - self.now_us;
        self.outcome.worker_us += elapsed_us * u64::from(self.live());
        self.busy_us += elapsed_us * u64::from(self.serving);
        self.cores.advance(now_us);
        self.now_us = now_us;
    }

    /// Everything that is due now: what ends before what begins, the master last.
    pub(super) fn happen(&mut self, watch: &mut dyn FnMut(&Sample, &Decided)) {
        while let Some(request) = self.cores.pop_finished() {
            self.computed(request);
        }
        while let Some(&Reverse((when, number, event))) = self.events.peek() {
            if when > self.now_us {
                break;
            }
            self.events.pop();
            match event {
                Event::Done(request) => self.done(request),
                Event::Ready(slot) => {
                    self.ready(slot);
                    self.wake_master();
                }
                Event::Client(client) => self.client(client),
                Event::Impatient(number) => self.impatient(number),
                Event::Look if number == self.look_number => self.look(watch),
                Event::Look => {} // overtaken by an earlier look
            }
        }
        while let Some(&job) = self.load.jobs.get(self.next_job) {
            if job.at_us > self.now_us {
                break;
            }
            self.next_job += 1;
            self.connect(job, None, self.load.retries);
        }
    }

    fn at(&mut self, when_us: u64, event: Event) -> u64 {
        self.sequence += 1;
        self.events.push(Reverse((when_us, self.sequence, event)));
        self.sequence
    }

    pub(super) fn live(&self) -> u32 {
        self.busy + self.idle + self.starting
    }

    fn wake_master(&mut self) {
        self.look_at(self.now_us + self.world.reaction_us);
    }

    /// One look is outstanding at most: the earliest.
    fn look_at(&mut self, when_us: u64) {
        if self.look_due_us.is_some_and(|due| due <= when_us) {
            return;
        }
        self.look_due_us = Some(when_us);
        self.look_number = self.at(when_us, Event::Look);
    }

    fn look(&mut self, watch: &mut dyn FnMut(&Sample, &Decided)) {
        self.look_due_us = None;
        self.outcome.looks += 1;
        let sample = self.sample();
        let decided = self.scaler.look(&sample);
        watch(&sample, &decided);
        match decided.decision {
            Decision::Hold => {}
            Decision::Grow(count) => self.grow(count),
            Decision::Shrink(count) => self.shrink(count),
        }
        self.unmet = decided.unmet();
        self.outcome.decided(self.now_us, decided.decision);
        self.wake = decided.wake;
        if self.wake == Wake::QueueReadable && !self.queue.is_empty() {
            self.wake_master();
        }
        if let Some(next_us) = decided.next_look_us {
            self.look_at(next_us.max(self.now_us + 1));
        }
    }

    fn sample(&self) -> Sample {
        let (used_us, delayed_us) = self.cores.use_us();
        let mean_begun_us = self.begun_sum_us.checked_div(u64::from(self.serving)).unwrap_or(self.now_us);
        Sample {
            now_us: self.now_us,
            busy: self.busy,
            idle: self.idle,
            starting: self.starting,
            serving: self.serving,
            queue: Some(self.queue.len() as u32),
            queue_max: self.world.queue_max,
            busy_age_us: self.now_us - mean_begun_us,
            requests_total: self.requests_total,
            busy_time_us: self.busy_time_us,
            workers: if self.scaler.needs_worker_times() { self.worker_times() } else { Vec::new() },
            boot_us: self.world.fork_us + self.world.boot_us,
            worker_rss_bytes: self.world.worker_rss_bytes,
            rss_total_bytes: self.world.worker_rss_bytes * u64::from(self.busy + self.idle),
            cpus: self.world.cores,
            cpu: Some(CpuUse { busy_us: self.busy_us, used_us, delayed_us }),
            allowance: self.allowance,
            ..Sample::default()
        }
    }

    /// Requests in hand and connections waiting.
    pub(super) fn concurrency(&self) -> u32 {
        self.serving + self.queue.len() as u32
    }

    /// What it has come to by now.
    pub(super) fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// From outside: it may have so many workers from now on.
    pub(super) fn allow(&mut self, workers: u32) {
        self.allowance = Some(workers);
        self.wake_master();
    }

    /// The same without a look because of it.
    pub(super) fn allow_quietly(&mut self, workers: u32) {
        self.allowance = Some(workers);
    }

    pub(super) fn allowance(&self) -> Option<u32> {
        self.allowance
    }

    /// What it tells of itself to whoever allows that.
    pub(super) fn told(&self, minimum: u32) -> Told {
        Told {
            worker_bytes: self.world.worker_rss_bytes,
            minimum,
            live: self.live(),
            idle: self.idle,
            wants: self.live() + self.unmet,
            waiting: self.queue.len() as u32,
            waited_us: self.queue.front().map_or(0, |request| self.now_us - request.job.at_us),
            boot_us: self.world.fork_us + self.world.boot_us,
        }
    }

    fn note_workers(&mut self) {
        let live = self.live();
        self.outcome.workers_changed(self.now_us, live);
    }

    /// What still waits at the end has waited at least until now.
    pub(super) fn finish(mut self) -> Outcome {
        for request in &self.queue {
            self.outcome.still_waiting(self.now_us - request.job.at_us);
        }
        self.outcome.busy_us = self.busy_us;
        self.outcome.ended_us = self.now_us;
        self.outcome
    }
}
