//! The machine in a made-up world, driven through thousands of random schedules.
//!
//! The world has zygotes that load slowly, fail, hang and crash; workers that crash, hang, leave or never get ready;
//! forks that fail or get lost with their zygote; orders at any moment; a clock that jumps forward. Messages of one
//! process keep their order, those of two do not. After each step the invariants are checked; after some time the
//! world turns kind, and the machine must come to rest with exactly what is wanted. The seed is in every failure.

mod programs;

use super::*;
use crate::config::model::{Bounds, Portion};
use programs::{Program, random_recipes};
use std::collections::{BTreeMap, BTreeSet};
use testkit::seeds::Seeds;

/// The same at each commit; the smoke behind the tests and `make soak` go on from other seeds.
const SCHEDULES: u64 = 3_000;
const MS: u64 = 1_000;
const SECOND: u64 = 1_000_000;
/// When the world turns kind.
const KIND_FROM: Time = Time(8 * SECOND);
const STEPS_MAX: usize = 20_000;
/// Lines of a failure's history.
const TRACE_SHOWN: usize = 80;

#[test]
fn thousands_of_schedules_keep_the_invariants() {
    let seeds = Seeds::of_this_run(SCHEDULES);
    let tallies = seeds.try_all(|sum: &mut Tally, seed| simulate(seed).map(|tally| sum.add(&tally)));
    let mut sum = Tally::default();
    tallies.iter().for_each(|tally| sum.add(tally));
    println!("{sum:?}");
    if seeds.are_usual() {
        assert_eq!(sum.kinds_missing(), [""; 0], "the world is too tame: {sum:?}");
    }
}

/// Runs one schedule. The error has the broken invariant and how it came to that.
fn simulate(seed: u64) -> Result<Tally, String> {
    let mut world = World::new(seed, false);
    let Err(broken) = world.run() else { return Ok(world.tally) };
    let mut again = World::new(seed, true);
    let same = again.run().err();
    let from = again.trace.len().saturating_sub(TRACE_SHOWN);
    Err(format!("{broken} (again: {same:?})\n{}", again.trace[from..].join("\n")))
}

/// How often what happened in the schedules: shows that they go where it hurts.
#[derive(Debug, Default)]
struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    const KINDS: [&str; 22] = [
        "abandoned",
        "adopted",
        "called off",
        "commits",
        "done",
        "evicted",
        "exits",
        "failed",
        "forsaken",
        "ignored signal",
        "molded",
        "moved",
        "mute",
        "no mercy",
        "released",
        "rests",
        "stopped",
        "superseded",
        "unfit",
        "upgrades",
        "worn",
        "zygotes replaced",
    ];

    fn count(&mut self, kind: &'static str) {
        *self.0.entry(kind).or_default() += 1;
    }

    fn add(&mut self, other: &Tally) {
        for (kind, count) in &other.0 {
            *self.0.entry(kind).or_default() += count;
        }
    }

    fn kinds_missing(&self) -> Vec<&'static str> {
        Tally::KINDS.into_iter().filter(|kind| !self.0.contains_key(kind)).collect()
    }
}

/// Numbers that look random and come again with the seed.
struct Dice(fastrand::Rng);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.u64(..bound.max(1))
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        self.0.choice(from).copied()
    }
}

/// Something that is going to happen in the world.
#[derive(Debug, Clone)]
enum Happening {
    /// A message reaches the master; `of` is the worker that it is about.
    Deliver {
        event: Event,
        of: Option<i32>,
    },
    ZygoteLoads(Generation),
    ZygoteFails(Generation),
    ZygoteDies(Generation, ExitStatus),
    Fork(Generation, Seat),
    WorkerReady(i32),
    WorkerUnfit(i32),
    WorkerLeaves(i32),
    /// It becomes the mold that it was told to become.
    WorkerMolds(i32),
    WorkerDies(i32, ExitStatus),
    /// The driver finds out about a worker whose zygote died before it could tell.
    WorkerFound(i32),
    ProgramUp(i32),
    ProgramUnfit(i32),
    ProgramDies(i32, ExitStatus),
    /// Somebody interferes.
    Whim,
}

struct Zygote {
    alive: bool,
    loaded: bool,
    /// Its death was told to the master.
    told: bool,
    /// It answers nothing any more.
    mute: bool,
    /// Most of its workers fail.
    bad: bool,
}

struct Process {
    seat: Seat,
    generation: Generation,
    alive: bool,
    ready: bool,
    paused: bool,
    leaving: bool,
    /// The driver knows of it, or will by a message that is on its way.
    known: bool,
    /// Its death was told to the master.
    told: bool,
}

struct World {
    dice: Dice,
    now: Time,
    machine: Machine,
    queue: BTreeMap<(Time, u64), Happening>,
    numbered: u64,
    /// When the last message on each channel arrives: zygotes by generation, workers by negative pid.
    channels: BTreeMap<i64, Time>,
    zygotes: BTreeMap<Generation, Zygote>,
    processes: BTreeMap<i32, Process>,
    programs: BTreeMap<i32, Program>,
    /// Programs that have left to the background: under which number.
    moved: BTreeMap<i32, i32>,
    /// Workers that have become zygotes: of which generation.
    molds: BTreeMap<i32, Generation>,
    /// Seats with an order to fork that is not answered.
    ordered: BTreeSet<Seat>,
    next_pid: i32,
    plan: Plan,
    /// The configuration that was read last, and the generation that tries it.
    aside: Option<Plan>,
    candidate: Option<Generation>,
    /// The generation that is on trial.
    tried: Option<Generation>,
    reloads_ordered: usize,
    reloads_answered: usize,
    ready_announced: bool,
    left_behind: bool,
    stop_by: Option<Time>,
    /// How far the clock jumped, in sum.
    jumped_us: u64,
    jumped_before_stop_us: u64,
    exited: bool,
    tally: Tally,
    traced: bool,
    trace: Vec<String>,
}

type Check = Result<(), String>;

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(what()) }
}

impl World {
    fn new(seed: u64, traced: bool) -> World {
        let mut dice = Dice(fastrand::Rng::with_seed(seed));
        let workers = 1 + dice.below(4) as u32;
        let plan = random_plan(&mut dice, workers, 0);
        let now = Time(1);
        let machine = Machine::start(now, plan.clone()).unwrap();
        let mut world = World {
            dice,
            now,
            machine,
            queue: BTreeMap::new(),
            numbered: 0,
            channels: BTreeMap::new(),
            zygotes: BTreeMap::new(),
            processes: BTreeMap::new(),
            programs: BTreeMap::new(),
            moved: BTreeMap::new(),
            molds: BTreeMap::new(),
            ordered: BTreeSet::new(),
            next_pid: 100,
            plan,
            aside: None,
            candidate: None,
            tried: None,
            reloads_ordered: 0,
            reloads_answered: 0,
            ready_announced: false,
            left_behind: false,
            stop_by: None,
            jumped_us: 0,
            jumped_before_stop_us: 0,
            exited: false,
            tally: Tally::default(),
            traced,
            trace: Vec::new(),
        };
        for _ in 0..world.dice.below(16) {
            let at = world.dice.below(KIND_FROM.0);
            world.happen_in(at, Happening::Whim);
        }
        world
    }

    fn run(&mut self) -> Check {
        self.act()?;
        for _ in 0..STEPS_MAX {
            let next = self.queue.first_key_value().map(|((at, _), _)| *at);
            let deadline = self.machine.deadline();
            match (next, deadline) {
                (_, _) if self.exited => return self.check_exit(),
                (None, None) => {
                    self.tally.count("rests");
                    return self.check_rest();
                }
                (Some(at), due) if at <= self.now || due.is_none_or(|due| at <= due) => self.next_happening()?,
                (_, Some(due)) => {
                    let late_us = self.dice.below(2 * MS);
                    self.now = self.now.max(due.plus_us(late_us));
                    self.tell(Event::Elapsed)?;
                }
                (Some(_), None) => {}
            }
        }
        Err("no rest".to_owned())
    }

    fn next_happening(&mut self) -> Check {
        let Some(((at, _), happening)) = self.queue.pop_first() else { return Ok(()) };
        self.now = self.now.max(at);
        self.write_down(|| format!("{happening:?}"));
        self.happen(happening)
    }

    fn kind(&self) -> bool {
        self.now >= KIND_FROM
    }

    fn happen_in(&mut self, us: u64, happening: Happening) {
        self.numbered += 1;
        self.queue.insert((self.now.plus_us(us), self.numbered), happening);
    }

    fn happen_within(&mut self, us: u64, happening: Happening) {
        let delay_us = self.dice.below(us);
        self.happen_in(delay_us, happening);
    }

    /// Sends a message to the master. It does not overtake others of its channel.
    fn send(&mut self, channel: i64, event: Event, of: Option<i32>) {
        let arrives = self.now.plus_us(self.dice.below(2 * MS));
        let last = self.channels.entry(channel).or_default();
        *last = arrives.max(*last);
        let at = *last;
        self.numbered += 1;
        self.queue.insert((at, self.numbered), Happening::Deliver { event, of });
    }

    fn happen(&mut self, happening: Happening) -> Check {
        match happening {
            Happening::Deliver { event, of } => return self.deliver(event, of),
            Happening::ZygoteLoads(generation) => self.zygote_loads(generation),
            Happening::ZygoteFails(generation) => self.zygote_fails(generation),
            Happening::ZygoteDies(generation, status) => self.zygote_dies(generation, status),
            Happening::Fork(generation, seat) => return self.zygote_forks(generation, seat),
            Happening::WorkerReady(pid) => self.worker_gets_ready(pid),
            Happening::WorkerUnfit(pid) => self.worker_is_unfit(pid),
            Happening::WorkerLeaves(pid) => self.worker_leaves(pid),
            Happening::WorkerMolds(pid) => self.worker_molds(pid),
            Happening::WorkerDies(pid, status) => self.worker_dies(pid, status),
            Happening::WorkerFound(pid) => return self.worker_is_found(pid),
            Happening::ProgramUp(pid) => self.program_comes_up(pid),
            Happening::ProgramUnfit(pid) => self.program_is_unfit(pid),
            Happening::ProgramDies(pid, status) => self.program_dies(pid, status),
            Happening::Whim => return self.whim(),
        }
        Ok(())
    }

    /// The driver drops what a worker said once its death is told, and whatever comes from a process unknown to it.
    fn deliver(&mut self, event: Event, of: Option<i32>) -> Check {
        let event = self.of_zygote(event);
        if of.and_then(|pid| self.processes.get(&pid)).is_some_and(|process| process.told || !process.known) {
            return Ok(());
        }
        match &event {
            Event::Exited { pid, .. } => {
                self.note_program_told(*pid);
                if let Some(process) = self.processes.get_mut(&pid.get()) {
                    process.told = true;
                    self.ordered.remove(&process.seat.clone());
                }
            }
            Event::ZygoteExited { generation, .. } => {
                if let Some(zygote) = self.zygotes.get_mut(generation) {
                    zygote.told = true;
                }
            }
            Event::Forked { seat, .. } | Event::ForkFailed { seat, .. } => {
                self.ordered.remove(seat);
            }
            Event::ConfigurationRead(answer) => self.aside = answer.as_ref().ok().cloned(),
            _ => {}
        }
        self.tell(event)
    }

    /// The end of who was a worker when it was told, and is a zygote by now.
    fn of_zygote(&self, event: Event) -> Event {
        match event {
            Event::Exited { pid, status, .. } if self.molds.contains_key(&pid.get()) => {
                Event::ZygoteExited { generation: self.molds[&pid.get()], status }
            }
            other => other,
        }
    }

    // What happens in the world.

    fn zygote_loads(&mut self, generation: Generation) {
        let Some(zygote) = self.zygotes.get_mut(&generation).filter(|zygote| zygote.alive) else { return };
        zygote.loaded = true;
        self.send(i64::from(generation.0), Event::ZygoteLoaded { generation, boot_us: 1 }, None);
    }

    fn zygote_fails(&mut self, generation: Generation) {
        if !self.zygotes.get(&generation).is_some_and(|zygote| zygote.alive) {
            return;
        }
        let reason = "broken".to_owned();
        self.send(i64::from(generation.0), Event::ZygoteLoadFailed { generation, exit_code: 22, reason }, None);
        if self.dice.percent(80) || self.kind() {
            self.happen_within(50 * MS, Happening::ZygoteDies(generation, ExitStatus::Code(22)));
        }
    }

    fn zygote_dies(&mut self, generation: Generation, status: ExitStatus) {
        let Some(zygote) = self.zygotes.get_mut(&generation).filter(|zygote| zygote.alive) else { return };
        zygote.alive = false;
        self.send(i64::from(generation.0), Event::ZygoteExited { generation, status }, None);
    }

    fn zygote_forks(&mut self, generation: Generation, seat: Seat) -> Check {
        let Some(zygote) = self.zygotes.get_mut(&generation).filter(|zygote| zygote.alive && !zygote.mute) else {
            return Ok(());
        };
        let bad = zygote.bad;
        let kind = self.now >= KIND_FROM;
        if !kind && self.dice.percent(1) {
            self.zygotes.entry(generation).and_modify(|zygote| zygote.mute = true);
            self.tally.count("mute");
            return Ok(());
        }
        if !kind && self.dice.percent(3) {
            self.send(i64::from(generation.0), Event::ForkFailed { seat, errno: 11 }, None);
            return Ok(());
        }
        let occupied = self.processes.values().any(|process| process.alive && process.seat == seat);
        ensure(!occupied, || format!("two workers live in seat {seat}"))?;
        self.next_pid += 1;
        let pid = self.next_pid;
        let lost = !kind && self.dice.percent(1);
        let process = Process {
            seat,
            generation,
            alive: true,
            ready: false,
            paused: false,
            leaving: false,
            known: !lost,
            told: false,
        };
        self.processes.insert(pid, process);
        if lost {
            self.zygote_dies(generation, ExitStatus::Signal(9));
            self.happen_within(4 * SECOND, Happening::WorkerFound(pid));
        } else {
            self.send(i64::from(generation.0), Event::Forked { seat, pid: tests::pid(pid) }, None);
        }
        self.give_fate(pid, bad);
        Ok(())
    }

    fn give_fate(&mut self, pid: i32, bad: bool) {
        if self.kind() {
            return self.happen_within(50 * MS, Happening::WorkerReady(pid));
        }
        let crash = Happening::WorkerDies(pid, ExitStatus::Signal(11));
        match self.dice.below(if bad { 10 } else { 100 }) {
            0 | 1 => self.happen_within(300 * MS, crash),
            2 | 3 => self.happen_within(300 * MS, Happening::WorkerUnfit(pid)),
            4 => {}
            fate => {
                self.happen_within(300 * MS, Happening::WorkerReady(pid));
                match fate % 8 {
                    5 => self.happen_within(3 * SECOND, crash),
                    6 => self.happen_within(3 * SECOND, Happening::WorkerLeaves(pid)),
                    _ => {}
                }
            }
        }
    }

    fn living(&mut self, pid: i32) -> Option<&mut Process> {
        self.processes.get_mut(&pid).filter(|process| process.alive)
    }

    fn worker_gets_ready(&mut self, pid: i32) {
        let Some(process) = self.living(pid) else { return };
        process.ready = true;
        let seat = process.seat;
        self.send(-i64::from(pid), Event::Ready { seat, boot_us: 1, pid: None }, Some(pid));
    }

    fn worker_is_unfit(&mut self, pid: i32) {
        let Some(process) = self.living(pid).filter(|process| !process.ready) else { return };
        process.leaving = true;
        let seat = process.seat;
        let exit_code = if self.ready_announced { 22 } else { 1 };
        self.send(-i64::from(pid), Event::NotReady { seat, exit_code, reason: "unfit".to_owned() }, Some(pid));
        self.finish(pid);
    }

    fn worker_leaves(&mut self, pid: i32) {
        let Some(process) = self.living(pid).filter(|process| process.ready && !process.leaving) else { return };
        process.leaving = true;
        let seat = process.seat;
        self.send(-i64::from(pid), Event::Leaving { seat, reason: LeaveReason::Requests }, Some(pid));
        self.finish(pid);
    }

    fn worker_molds(&mut self, pid: i32) {
        let Some(process) = self.living(pid) else { return };
        let seat = process.seat;
        self.send(-i64::from(pid), Event::Molded { seat }, Some(pid));
    }

    /// Who was a worker is a zygote now, if it has not died meanwhile.
    fn take_mold(&mut self, seat: Seat, generation: Generation) -> Check {
        let pid = self.known(seat, "takes a mold from")?;
        let Some(process) = self.processes.remove(&pid) else { return Ok(()) };
        ensure(!self.zygotes.contains_key(&generation), || format!("generation {generation} again"))?;
        self.molds.insert(pid, generation);
        let bad = self.dice.percent(15);
        self.zygotes.insert(generation, Zygote { alive: process.alive, loaded: true, told: false, mute: false, bad });
        Ok(())
    }

    fn worker_wears_out(&mut self, pid: i32) {
        let Some(process) = self.living(pid).filter(|process| process.ready && !process.leaving) else { return };
        let seat = process.seat;
        self.tally.count("worn");
        self.send(-i64::from(pid), Event::Worn { seat, reason: LeaveReason::Requests }, Some(pid));
    }

    /// A worker does its last request and exits, or hangs, or crashes.
    fn finish(&mut self, pid: i32) {
        let chance = self.dice.below(100);
        if self.kind() || chance < 80 {
            self.happen_within(2 * SECOND, Happening::WorkerDies(pid, ExitStatus::Code(30)));
        } else if chance < 90 {
            self.happen_within(2 * SECOND, Happening::WorkerDies(pid, ExitStatus::Signal(11)));
        }
    }

    fn worker_dies(&mut self, pid: i32, status: ExitStatus) {
        let Some(process) = self.living(pid) else { return };
        process.alive = false;
        let (seat, channel) = (process.seat, i64::from(process.generation.0));
        self.send(channel, Event::Exited { seat, pid: tests::pid(pid), status }, Some(pid));
    }

    fn worker_is_found(&mut self, pid: i32) -> Check {
        let Some(process) = self.living(pid) else { return Ok(()) };
        process.known = true;
        let seat = process.seat;
        self.tell(Event::Forked { seat, pid: tests::pid(pid) })
    }

    // Who interferes.

    fn whim(&mut self) -> Check {
        let alive: Vec<i32> = self.processes.iter().filter(|(_, process)| process.alive).map(|(pid, _)| *pid).collect();
        let zygotes: Vec<Generation> =
            self.zygotes.iter().filter(|(_, zygote)| zygote.alive).map(|(generation, _)| *generation).collect();
        match self.dice.below(100) {
            0..50 => return self.whimsical_order(),
            50..65 => {
                if let Some(pid) = self.dice.pick(&alive) {
                    self.worker_dies(pid, ExitStatus::Signal(9));
                }
            }
            65..72 => {
                if let Some(generation) = self.dice.pick(&zygotes) {
                    self.zygote_dies(generation, ExitStatus::Signal(9));
                }
            }
            72..80 => {
                if let Some(pid) = self.dice.pick(&alive) {
                    match self.dice.below(4) {
                        0 => self.worker_leaves(pid),
                        1 => self.worker_wears_out(pid),
                        _ => {
                            let seat = self.processes[&pid].seat;
                            return self.tell(Event::Seasoned { seat });
                        }
                    }
                }
            }
            80..92 => {
                let workers = self.dice.below(6) as u32;
                let idle = (0..16).filter(|_| self.dice.percent(50)).map(Seat).collect();
                let volunteers = (0..16).filter(|_| self.dice.percent(5)).map(Seat).collect();
                return self.tell(Event::Target { workers, idle, volunteers });
            }
            92..95 => return self.whimsical_program(),
            95..96 => return self.tell(Event::Elapsed),
            96..97 => {
                let dormant = self.plan.dormant.clone();
                let post = self.dice.pick(&dormant).unwrap_or(Post { role: Role::Spooler, number: 99 });
                let wanted = self.dice.percent(70);
                return self.tell(Event::Want { post, wanted });
            }
            97 => {
                let generation = self.machine.candidate().unwrap_or(self.machine.current());
                let reason = "its workers are too large".to_owned();
                return self.tell(Event::GenerationUnfit { generation, exit_code: 78, reason });
            }
            _ => {
                let jump_us = self.dice.below(20 * SECOND);
                self.jumped_us += jump_us;
                self.now = self.now.plus_us(jump_us);
            }
        }
        Ok(())
    }

    fn whimsical_order(&mut self) -> Check {
        let order = match self.dice.below(100) {
            0..4 => Order::Stop,
            4..7 => Order::StopNow,
            7..30 => Order::Reload(Reload::Graceful),
            30..40 => Order::Reload(Reload::Brutal),
            40..52 => Order::Reload(Reload::Workers),
            52..57 => Order::Reload(Reload::WorkersBrutal),
            57..70 => Order::Reload(Reload::Chain),
            70..75 => Order::Pause,
            75..80 => Order::Resume,
            80..83 => Order::TogglePause,
            83..89 => Order::Cheap,
            _ => Order::Upgrade,
        };
        if matches!(order, Order::Reload(_)) {
            self.reloads_ordered += 1;
        }
        if matches!(order, Order::Stop | Order::StopNow) {
            self.may_stop();
        }
        self.tell(Event::Order(order))
    }

    /// A stop is ordered, or the first load failed: from here it must end in time.
    fn may_stop(&mut self) {
        let by = self.now.plus_us(self.machine.plan().mercy_us + 8 * SECOND);
        if self.stop_by.is_none() {
            self.stop_by = Some(by);
            self.jumped_before_stop_us = self.jumped_us;
        }
    }

    // What the machine does.

    fn tell(&mut self, event: Event) -> Check {
        let before = self.serving();
        let lost = self.loses_server(&event);
        let wanted = if let Event::Target { workers, .. } = event { workers } else { u32::MAX };
        let vital = self.has_vital();
        let first_load = match self.machine.stage {
            Stage::Loading => true,
            Stage::Starting => matches!(event, Event::GenerationUnfit { .. }),
            Stage::Serving | Stage::Stopping { .. } | Stage::Gone => false,
        };
        self.write_down(|| format!("  < {event:?}"));
        self.machine.handle(self.now, event);
        if (first_load || vital) && self.machine.is_stopping() {
            self.may_stop();
        }
        self.act()?;
        self.check_step(before.saturating_sub(lost).min(wanted))
    }

    fn act(&mut self) -> Check {
        while let Some(action) = self.machine.poll_action() {
            self.write_down(|| match &action {
                Action::Note(note) => format!("  > {note}"),
                other => format!("  > {other:?}"),
            });
            self.reckon(&action);
            ensure(!self.exited, || format!("{action:?} after the exit"))?;
            self.carry_out(action)?;
        }
        Ok(())
    }

    fn write_down(&mut self, line: impl FnOnce() -> String) {
        if self.traced {
            self.trace.push(format!("{:>9} {}", self.now.0, line()));
        }
    }

    fn reckon(&mut self, action: &Action) {
        let kind = match action {
            Action::Abandon { .. } => "abandoned",
            Action::Commit { .. } => "commits",
            Action::Upgrade => "upgrades",
            Action::Exit { .. } => "exits",
            Action::Note(Note::NoMercy { .. }) => "no mercy",
            Action::Note(Note::Intruder { .. }) => "evicted",
            Action::Note(Note::Molded { .. }) => "molded",
            Action::Note(Note::Forsaken { .. }) => "forsaken",
            Action::Note(Note::WorkerUnfit { .. }) => "unfit",
            Action::Note(Note::GenerationFailed { again_in_us: Some(_), .. }) => "zygotes replaced",
            Action::Announce(Announcement::ReloadDone { outcome, .. }) => match outcome {
                Outcome::Done => "done",
                Outcome::Failed(_) => "failed",
                Outcome::Superseded => "superseded",
                Outcome::Stopped => "stopped",
            },
            _ => return,
        };
        self.tally.count(kind);
    }

    fn carry_out(&mut self, action: Action) -> Check {
        match action {
            Action::ReadConfiguration => self.read_configuration(),
            Action::StartZygote { generation, candidate } => return self.start_zygote(generation, candidate),
            Action::StopZygote { generation } => return self.stop_zygote(generation),
            Action::KillZygote { generation } => {
                ensure(self.zygote_known(generation), || format!("kills zygote {generation}, which is gone"))?;
                self.happen_within(5 * MS, Happening::ZygoteDies(generation, ExitStatus::Signal(9)));
            }
            Action::Fork { generation, seat, post, nth } => {
                ensure(nth > 0 && post.number > 0, || format!("{nth} of {post}"))?;
                return self.order_fork(generation, seat);
            }
            Action::Execute { seat, post, recipe, nth } => {
                ensure(nth > 0 && post.number > 0, || format!("{nth} of {post}"))?;
                return self.order_program(seat, post, recipe);
            }
            Action::CallOff { seat } => {
                let unknown = self.machine.seats.get(seat.0 as usize).and_then(Option::as_ref);
                ensure(unknown.is_some_and(|child| child.pid().is_none()), || format!("calls seat {seat} off"))?;
                let there = |process: &Process| process.seat == seat && process.alive && !process.leaving;
                if let Some(pid) = self.processes.iter().find(|(_, process)| there(process)).map(|(pid, _)| *pid) {
                    self.tally.count("called off");
                    self.retire(pid);
                }
            }
            Action::Retire { seat, post, why } if post.role == Role::Daemon => return self.retire_program(seat, why),
            Action::Withdraw { seat, post, .. } if post.role == Role::Daemon => return self.withdraw_program(seat),
            Action::Kill { seat, post } if post.role == Role::Daemon => return self.kill_program(seat),
            Action::Retire { seat, .. } => {
                let pid = self.known(seat, "retires")?;
                let told_ready = self.processes[&pid].ready;
                ensure(told_ready, || format!("retires seat {seat}, which was never ready"))?;
                if !self.processes[&pid].leaving {
                    self.retire(pid);
                }
            }
            Action::Mold { seat, generation, .. } => {
                let pid = self.known(seat, "molds")?;
                ensure(self.processes[&pid].ready, || format!("molds seat {seat}, which was never ready"))?;
                ensure(!self.zygotes.contains_key(&generation), || format!("generation {generation} again"))?;
                match self.dice.percent(70) && !self.processes[&pid].leaving {
                    true => self.happen_within(2 * SECOND, Happening::WorkerMolds(pid)),
                    false => self.retire(pid),
                }
                self.processes.entry(pid).and_modify(|process| process.leaving = true);
            }
            Action::TakeMold { seat, generation } => return self.take_mold(seat, generation),
            Action::Pause { seat } => return self.set_paused(seat, true),
            Action::Resume { seat } => return self.set_paused(seat, false),
            Action::Withdraw { seat, .. } => {
                let pid = self.known(seat, "withdraws")?;
                if self.processes[&pid].ready {
                    self.retire(pid);
                } else {
                    self.happen_within(MS, Happening::WorkerDies(pid, ExitStatus::Signal(9)));
                }
            }
            Action::Kill { seat, .. } => {
                let pid = self.known(seat, "kills")?;
                self.happen_within(MS, Happening::WorkerDies(pid, ExitStatus::Signal(9)));
            }
            Action::Release { seat } => {
                ensure(self.known(seat, "releases").is_err(), || {
                    format!("releases seat {seat}, whose child is known")
                })?;
            }
            Action::Commit { generation } => {
                ensure(self.candidate == Some(generation), || format!("commits {generation}, not the candidate"))?;
                ensure(self.tried.is_none(), || "commits a generation that is on trial".to_owned())?;
                self.candidate = None;
                self.plan = self.aside.take().ok_or("commits without a configuration")?;
                ensure(self.plan == *self.machine.plan(), || "another plan than the committed one".to_owned())?;
            }
            Action::Abandon { generation, .. } => {
                ensure(self.candidate == Some(generation), || format!("abandons {generation}, not the candidate"))?;
                (self.candidate, self.tried) = (None, None);
            }
            Action::BeginTrial { generation, share: (part, whole) } => {
                ensure(self.candidate == Some(generation), || format!("tries {generation}, not the candidate"))?;
                ensure(self.tried.is_none(), || "two trials".to_owned())?;
                ensure((1..=whole).contains(&part), || format!("a share of {part} of {whole}"))?;
                let forked = self.processes.values().any(|process| process.generation == generation);
                ensure(!forked, || "a trial that begins after its first worker".to_owned())?;
                self.tried = Some(generation);
                self.tally.count("trials");
                self.judge(generation);
            }
            Action::ShareTrial { generation, share: (part, whole) } => {
                ensure(self.tried == Some(generation), || format!("divides for {generation}, which is not tried"))?;
                ensure((1..=whole).contains(&part), || format!("a share of {part} of {whole}"))?;
                self.tally.count("shares");
            }
            Action::EndTrial { generation } => {
                ensure(self.tried.take() == Some(generation), || format!("ends the trial of {generation}"))?;
            }
            Action::Upgrade => {
                let impossible = self.machine.impossible_count();
                ensure(impossible == 0, || "impossible before the upgrade".to_owned())?;
                self.machine = Machine::adopt(self.now, self.machine.snapshot())?;
            }
            Action::Note(Note::LeftBehind { .. }) => self.left_behind = true,
            Action::Note(_) => {}
            Action::Announce(announcement) => return self.hear(&announcement),
            Action::Exit { .. } => self.exited = true,
        }
        Ok(())
    }

    /// Somebody has a verdict on a generation sooner or later, perhaps when it is too late.
    fn judge(&mut self, generation: Generation) {
        let verdict = match self.dice.percent(if self.kind() { 100 } else { 60 }) {
            true => Ok("well done".to_owned()),
            false => Err("it fails".to_owned()),
        };
        let after_us = self.dice.below(2 * SECOND);
        self.happen_in(after_us, Happening::Deliver { event: Event::TrialEnds { generation, verdict }, of: None });
    }

    fn read_configuration(&mut self) {
        let seats = self.machine.plan().seats;
        let workers = 1 + self.dice.below(4) as u32;
        let bad = !self.kind() && self.dice.percent(15);
        let answer = if bad { Err("refused".to_owned()) } else { Ok(random_plan(&mut self.dice, workers, seats)) };
        self.send(0, Event::ConfigurationRead(answer), None);
    }

    fn start_zygote(&mut self, generation: Generation, candidate: bool) -> Check {
        ensure(!self.zygotes.contains_key(&generation), || format!("generation {generation} again"))?;
        if candidate {
            ensure(self.candidate.is_none(), || "two candidates".to_owned())?;
            self.candidate = Some(generation);
        }
        let bad = self.dice.percent(15);
        self.zygotes.insert(generation, Zygote { alive: true, loaded: false, told: false, mute: false, bad });
        match self.dice.below(100) {
            chance if self.kind() || chance < 80 => {
                let us = if self.dice.percent(30) { 3 * SECOND } else { 50 * MS };
                self.happen_within(us, Happening::ZygoteLoads(generation));
            }
            80..88 => self.happen_within(SECOND, Happening::ZygoteFails(generation)),
            88..95 => self.happen_within(SECOND, Happening::ZygoteDies(generation, ExitStatus::Signal(11))),
            _ => {}
        }
        Ok(())
    }

    /// A zygote whose death was not told yet.
    fn zygote_known(&self, generation: Generation) -> bool {
        self.zygotes.get(&generation).is_some_and(|zygote| !zygote.told)
    }

    fn stop_zygote(&mut self, generation: Generation) -> Check {
        ensure(self.zygote_known(generation), || format!("stops zygote {generation}, which is gone"))?;
        let left = self.processes.values().any(|process| process.generation == generation && process.alive);
        ensure(!left, || format!("stops zygote {generation}, which has workers"))?;
        if self.kind() || self.dice.percent(90) {
            self.happen_within(100 * MS, Happening::ZygoteDies(generation, ExitStatus::Code(0)));
        }
        Ok(())
    }

    fn order_fork(&mut self, generation: Generation, seat: Seat) -> Check {
        let loaded = self.zygotes.get(&generation).is_some_and(|zygote| zygote.loaded && !zygote.told);
        ensure(loaded, || format!("orders a fork from zygote {generation}, which is not there"))?;
        let living = self.processes.values().any(|process| process.seat == seat && process.alive);
        ensure(!living, || format!("orders a fork into seat {seat}, which is taken"))?;
        ensure(!self.is_ordered(seat), || format!("orders a fork into seat {seat}, for which one is due"))?;
        self.ordered.insert(seat);
        self.happen_within(3 * MS, Happening::Fork(generation, seat));
        Ok(())
    }

    /// An order to fork is open: not answered, and its zygote lives.
    fn is_ordered(&self, seat: Seat) -> bool {
        let open = self.queue.values().any(|happening| match happening {
            Happening::Fork(generation, other) => {
                *other == seat && self.zygotes.get(generation).is_some_and(|zygote| zygote.alive)
            }
            _ => false,
        });
        self.ordered.contains(&seat) && open
    }

    /// The process in a seat whose death was not told yet.
    fn known(&self, seat: Seat, verb: &str) -> Result<i32, String> {
        let mut there =
            self.processes.iter().filter(|(_, process)| process.seat == seat && process.known && !process.told);
        there.next().map(|(pid, _)| *pid).ok_or_else(|| format!("{verb} seat {seat}, where nobody is"))
    }

    fn retire(&mut self, pid: i32) {
        let Some(process) = self.living(pid) else { return };
        process.leaving = true;
        let seat = process.seat;
        if self.dice.percent(30) {
            self.send(-i64::from(pid), Event::Leaving { seat, reason: LeaveReason::Other }, Some(pid));
        }
        self.finish(pid);
    }

    fn set_paused(&mut self, seat: Seat, paused: bool) -> Check {
        let pid = self.known(seat, "pauses")?;
        let Some(process) = self.processes.get_mut(&pid) else { return Ok(()) };
        ensure(process.ready && process.paused != paused, || format!("pauses or resumes seat {seat} for nothing"))?;
        process.paused = paused;
        Ok(())
    }

    fn hear(&mut self, announcement: &Announcement) -> Check {
        match announcement {
            Announcement::Ready => {
                ensure(!self.ready_announced, || "ready twice".to_owned())?;
                let someone = self.machine.target() == 0 || self.processes.values().any(|process| process.ready);
                self.ready_announced = true;
                ensure(someone, || "ready without a worker".to_owned())
            }
            Announcement::ReloadDone { .. } => {
                self.reloads_answered += 1;
                Ok(())
            }
            Announcement::Reloading(_) | Announcement::Stopping | Announcement::Status(_) => Ok(()),
        }
    }

    // What must hold.

    /// Workers that accept, without those that are only tried out.
    fn serving(&self) -> u32 {
        let candidate = self.machine.candidate();
        let serves = |child: &&Child| child.is_ready() && child.rule().counts && child.generation() != candidate;
        self.machine.seats.iter().flatten().filter(serves).count() as u32
    }

    /// How many serving workers this event takes away, or may.
    fn loses_server(&self, event: &Event) -> u32 {
        let seats = match event {
            Event::Exited { seat, .. } | Event::Leaving { seat, .. } => std::slice::from_ref(seat),
            Event::Target { volunteers, .. } => volunteers.as_slice(),
            _ => return 0,
        };
        let child = |seat: &Seat| self.machine.seats.get(seat.0 as usize).and_then(Option::as_ref);
        seats.iter().filter_map(child).filter(|child| child.is_ready() && child.rule().counts).count() as u32
    }

    fn check_step(&self, served: u32) -> Check {
        ensure(self.machine.impossible_count() == 0, || "impossible".to_owned())?;
        let due = usize::from(self.machine.change.is_some()) + usize::from(self.machine.queued.is_some());
        ensure(self.reloads_ordered == self.reloads_answered + due, || {
            format!("{} reloads ordered, {} answered, {due} due", self.reloads_ordered, self.reloads_answered)
        })?;
        let deadline = self.machine.deadline();
        ensure(deadline.is_none_or(|at| at > self.machine.looked), || "a deadline that stays".to_owned())?;
        self.check_patience(deadline)?;
        self.check_programs()?;
        self.check_companions()?;
        if self.machine.is_stopping() {
            return ensure(
                self.stop_by.is_some_and(|by| self.exited || self.now <= by.plus_us(self.jumped_us)),
                || "the stop takes too long".to_owned(),
            );
        }
        let needed = self.machine.target().min(served);
        ensure(self.serving() >= needed, || format!("{} serve where {needed} did", self.serving()))
    }

    /// Never two at once in the post of a companion, whatever the zygotes do: its work may be to be done once.
    fn check_companions(&self) -> Check {
        let mut busy = BTreeSet::new();
        let there = self.machine.seats.iter().flatten().filter(|child| !child.rule().counts);
        // One whose zygote died with the order in its hands may never have been.
        for child in there.filter(|child| !matches!(child.phase, Phase::Lost { .. })) {
            ensure(busy.insert(child.post), || format!("two in the post of {}", child.post))?;
        }
        Ok(())
    }

    /// Whoever is on the way out or in has a deadline, and the machine wants to be woken by then.
    fn check_patience(&self, deadline: Option<Time>) -> Check {
        if self.exited {
            return Ok(());
        }
        for worker in self.machine.seats.iter().flatten() {
            let bounded = match worker.phase {
                Phase::Ready { .. } | Phase::Killed { until: None, .. } => continue,
                Phase::Starting { until, .. } | Phase::Killed { until, .. } => until,
                Phase::Forking { until, .. }
                | Phase::Doomed { until, .. }
                | Phase::Lost { until }
                | Phase::Leaving { until, .. }
                | Phase::Retiring { until, .. } => Some(until),
            };
            let woken = bounded.is_some_and(|until| deadline.is_some_and(|at| at <= until));
            ensure(woken, || format!("nothing ends the patience with {worker:?}"))?;
        }
        Ok(())
    }

    fn check_exit(&self) -> Check {
        ensure(self.stop_by.is_some(), || "an exit that nobody ordered".to_owned())?;
        ensure(self.reloads_ordered == self.reloads_answered, || "an exit with a reload unanswered".to_owned())?;
        if self.jumped_us > self.jumped_before_stop_us {
            return Ok(()); // what was killed had no time to be reaped
        }
        ensure(!self.left_behind, || "something was left behind".to_owned())?;
        self.check_programs_at_exit()?;
        let zygote = self.zygotes.values().any(|zygote| zygote.alive);
        ensure(!zygote, || "an exit before a zygote's".to_owned())
    }

    /// Nothing is due any more: exactly what is wanted must be there.
    fn check_rest(&self) -> Check {
        ensure(!self.machine.is_stopping(), || "a stop that does not end".to_owned())?;
        ensure(self.machine.change.is_none() && self.machine.queued.is_none(), || "a reload is stuck".to_owned())?;
        ensure(!self.machine.upgrade_due, || "an upgrade is stuck".to_owned())?;
        ensure(self.ready_announced, || "never ready".to_owned())?;
        let current = self.machine.current();
        let role =
            |process: &Process| self.machine.seats[process.seat.0 as usize].as_ref().map(|child| child.post.role);
        let (alive, companions): (Vec<&Process>, Vec<&Process>) = self
            .processes
            .values()
            .filter(|process| process.alive)
            .partition(|process| role(process) == Some(Role::Worker));
        let root = self.machine.root();
        let of_now = |process: &&Process| process.ready && !process.paused && process.generation == root;
        ensure(companions.iter().all(of_now), || "a companion is not what is wanted".to_owned())?;
        let seated = self.machine.seats.iter().flatten().filter(|child| child.is_of(root) && !child.rule().counts);
        let posts: BTreeSet<Post> = seated.map(|child| child.post).collect();
        let is_wanted = |post: &Post| !self.plan.dormant.contains(post) || self.machine.is_wanted(*post);
        let planned: BTreeSet<Post> = self.plan.companions.iter().copied().filter(is_wanted).collect();
        ensure(posts == planned && companions.len() == planned.len(), || {
            format!("{} companions live in {posts:?}, {planned:?} are wanted", companions.len())
        })?;
        let wanted = self.machine.target() as usize;
        ensure(alive.len() == wanted, || format!("{} workers live, {wanted} are wanted", alive.len()))?;
        let paused = self.machine.is_paused();
        let fit = |process: &&Process| process.ready && process.generation == current && process.paused == paused;
        ensure(alive.iter().all(fit), || "a worker is not what is wanted".to_owned())?;
        let posts: BTreeSet<Post> = self.machine.workers().map(|worker| worker.post).collect();
        ensure(posts.len() == wanted, || format!("two workers share a post: {posts:?}"))?;
        self.check_programs_at_rest()?;
        let zygotes: Vec<Generation> =
            self.zygotes.iter().filter(|(_, zygote)| zygote.alive).map(|(generation, _)| *generation).collect();
        let expected: Vec<Generation> = BTreeSet::from([root, current]).into_iter().collect();
        ensure(zygotes == expected, || format!("zygotes {zygotes:?} live, {current} is current, from {root}"))
    }
}

/// Most mules and spoolers of a plan.
const COMPANIONS_MAX: u32 = 4;

fn random_companions(dice: &mut Dice) -> Vec<Post> {
    let mut posts = |role| {
        let count = dice.below(u64::from(COMPANIONS_MAX / 2) + 1) as u32;
        (1..=count).map(move |number| Post { role, number })
    };
    posts(Role::Mule).chain(posts(Role::Spooler)).collect()
}

fn random_plan(dice: &mut Dice, workers: u32, seats: u32) -> Plan {
    let minimum = 1 + dice.below(u64::from(workers)) as u32;
    let asleep = dice.percent(5);
    let initial = if asleep { 0 } else { minimum + dice.below(u64::from(workers - minimum + 1)) as u32 };
    let companions = random_companions(dice);
    Plan {
        bounds: Bounds::new(minimum, initial, workers),
        asleep,
        threads: 1,
        seats: (Plan::seats_for(workers) + 2 * COMPANIONS_MAX).max(seats),
        mercy_us: dice.below(3 * SECOND),
        respawn_delay_max_us: dice.below(SECOND),
        load_timeout_us: Some(500 * MS + dice.below(4 * SECOND)),
        executed: random_recipes(dice),
        dormant: companions.iter().copied().filter(|_| dice.percent(30)).collect(),
        companions,
        companion_mercy_us: dice.below(SECOND),
        probation_us: if dice.percent(50) { 50 * MS } else { 0 },
        canary: dice.percent(40).then(|| match dice.below(2) {
            0 => Portion::Workers(1 + dice.below(3) as u32),
            _ => Portion::Percent(1 + dice.below(100) as u32),
        }),
    }
}
