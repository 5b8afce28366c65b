//! One budget of memory over several instances: how many workers each may have. Whoever has workers that nobody needs gives
//! one up when requests of another wait and memory is short. Pure; used in the Emperor and in the simulator.
//!
//! - Nobody is brought below its minimum, and nobody loses a worker that holds a request.
//! - What is allowed, or runs though it is not allowed any more, never takes more than the budget, but for minimums: an
//!   instance is allowed what another gives up when that one says that it is gone. Until then that one may need it again, and
//!   keeps it.
//! - Among those that want more, who comes first is decided by requests that wait and how long, for the memory that helps.
//! - Who gives up first is decided as by GreedyDual-Size-Frequency (Cherkasova 1998, after Young 1991 and Cao and Irani
//!   1997): a worker is worth how often all of its instance's were needed, times what a request waits without it, for its
//!   memory; and what is given up raises what all newcomers are worth, so that what nobody uses any more ages.
//!
//! What instances tell is clipped and believed within that: one that lies can have memory that nobody else needs, and
//! workers that others leave idle, but none of their minimums.

pub mod record;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::{Decided, Decision, Sample, Settings};

/// What an instance tells of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Memory of one worker.
    pub worker_bytes: u64,
    /// Fewest workers.
    pub minimum: u32,
    /// Workers that run or are about to.
    pub live: u32,
    /// Those of them that hold no request.
    pub idle: u32,
    /// Workers that it would like to have.
    pub wants: u32,
    /// Connections that wait.
    pub waiting: u32,
    /// How long the first of them has.
    pub waited_us: u64,
    /// How long a worker takes to start.
    pub boot_us: u64,
}

/// One instance may have another number of workers from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Which instance.
    pub who: u32,
    /// So many workers.
    pub workers: u32,
    /// Why.
    pub why: Why,
}

/// Why that is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is new, and may have its minimum.
    Joins,
    /// It wants more, and there is memory.
    Wants {
        /// Connections that wait.
        waiting: u32,
        /// How long the first of them has.
        waited_us: u64,
    },
    /// It needs what it was to give up.
    Keeps,
    /// Requests of this other one wait.
    GivesUp {
        /// For whom.
        to: u32,
    },
}

/// Fewest and most that is believed of a worker, and most of all else.
const WORKER_BYTES_MIN: u64 = 1 << 20;
const WORKERS_MAX: u32 = 65_535;
const TIME_MAX_US: u64 = 60_000_000;
const USES_MAX: u32 = 1 << 16;

/// Memory, and who has it.
#[derive(Debug, Clone)]
pub struct Budget {
    bytes: u64,
    members: BTreeMap<u32, Member>,
    /// What the last worker was worth that somebody gave up.
    age: u64,
}

#[derive(Debug, Clone, Default)]
struct Member {
    told: Told,
    allowed: u32,
    /// Workers that it has, was allowed, and was told to give up.
    called_back: u32,
    /// How often all of its workers were needed.
    uses: u32,
    /// What its next worker is worth.
    worth: u64,
}

impl Budget {
    /// So much memory, which nobody has.
    pub fn new(bytes: u64) -> Self {
        Budget { bytes, members: BTreeMap::new(), age: 0 }
    }

    /// The memory that there is for all of them.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The memory that they may take, or take still.
    pub fn held_bytes(&self) -> u64 {
        self.members.values().fold(0, |sum, member| sum.saturating_add(member.held_bytes()))
    }

    /// How many workers one may have, and what it said last.
    pub fn of(&self, who: u32) -> Option<(u32, &Told)> {
        self.members.get(&who).map(|member| (member.allowed, &member.told))
    }

    /// Whether the minimums alone take more than there is.
    pub fn is_too_small(&self) -> bool {
        let least = |member: &Member| u64::from(member.told.minimum).saturating_mul(member.told.worker_bytes);
        self.members.values().fold(0, |sum: u64, member| sum.saturating_add(least(member))) > self.bytes
    }

    /// An instance tells of itself; what follows from it.
    pub fn hear(&mut self, who: u32, told: Told) -> Vec<Change> {
        let told = self.clipped(told);
        let mut changes = Vec::new();
        let age = self.age;
        let fits = u64::from(told.live).saturating_mul(told.worker_bytes) <= self.free_bytes();
        let member = self.members.entry(who).or_insert_with(|| {
            let workers = told.minimum.max(if fits { told.live } else { 0 });
            changes.push(Change { who, workers, why: Why::Joins });
            Member { allowed: workers, ..Member::default() }
        });
        if member.allowed < told.minimum {
            member.allowed = told.minimum;
            changes.push(Change { who, workers: told.minimum, why: Why::Joins });
        }
        let needed_all = member.told.needs_all();
        member.told = told;
        // What it was to give up has a request by now: it stays, and somebody else is asked.
        member.called_back = member.called_back.min(told.live.saturating_sub(member.allowed));
        let kept = (told.live - told.idle).saturating_sub(member.allowed).min(member.called_back);
        if kept > 0 {
            member.allowed += kept;
            member.called_back -= kept;
            changes.push(Change { who, workers: member.allowed, why: Why::Keeps });
        }
        if told.needs_all() && !needed_all {
            member.uses = member.uses.saturating_add(1).min(USES_MAX);
            member.worth = age.saturating_add(member.value());
        }
        self.settle(&mut changes);
        changes
    }

    /// An instance is gone; what follows from it.
    pub fn part(&mut self, who: u32) -> Vec<Change> {
        let mut changes = Vec::new();
        if self.members.remove(&who).is_some() {
            self.settle(&mut changes);
        }
        changes
    }

    fn clipped(&self, told: Told) -> Told {
        let live = told.live.min(WORKERS_MAX);
        Told {
            worker_bytes: told.worker_bytes.clamp(WORKER_BYTES_MIN, self.bytes.max(WORKER_BYTES_MIN)),
            minimum: told.minimum.min(WORKERS_MAX),
            live,
            idle: told.idle.min(live),
            wants: told.wants.min(WORKERS_MAX),
            waiting: told.waiting.min(WORKERS_MAX),
            waited_us: told.waited_us.min(TIME_MAX_US),
            boot_us: told.boot_us.min(TIME_MAX_US),
        }
    }

    fn free_bytes(&self) -> u64 {
        self.bytes.saturating_sub(self.held_bytes())
    }

    /// Allows what there is memory for, and calls back what is missing for the rest.
    fn settle(&mut self, changes: &mut Vec<Change>) {
        loop {
            while let Some(who) = self.neediest(|member, free| member.told.worker_bytes <= free) {
                self.change(who, 1, changes, |told| Why::Wants { waiting: told.waiting, waited_us: told.waited_us });
            }
            if !self.call_back(changes) {
                return;
            }
        }
    }

    /// Calls back as much as is missing. Whether some of it can be allowed to others at once, since it was not in use.
    fn call_back(&mut self, changes: &mut Vec<Change>) -> bool {
        while let Some(to) = self.neediest(|_, _| true) {
            if self.on_its_way_bytes() >= self.missing_bytes() {
                return false;
            }
            let Some(donor) = self.donor(to) else { return false };
            let (worth, is_unused) = self.members.get(&donor).map_or((0, false), |it| (it.worth, it.has_unused()));
            if !is_unused {
                self.age = self.age.max(worth);
            }
            self.change(donor, -1, changes, |_| Why::GivesUp { to });
            if is_unused {
                return true;
            }
        }
        false
    }

    /// Who wants more and needs it most, of those for whom there is memory by `fits`.
    fn neediest(&self, fits: impl Fn(&Member, u64) -> bool) -> Option<u32> {
        let free = self.free_bytes();
        let hungry = self.members.iter().filter(|(_, member)| member.missing() > 0 && fits(member, free));
        hungry.max_by_key(|(_, member)| member.need()).map(|(who, _)| *who)
    }

    /// What those that want more still miss, beyond what is free.
    fn missing_bytes(&self) -> u64 {
        let missing = |member: &Member| u64::from(member.missing()).saturating_mul(member.told.worker_bytes);
        let all = self.members.values().fold(0, |sum: u64, member| sum.saturating_add(missing(member)));
        all.saturating_sub(self.free_bytes())
    }

    /// What was called back and is not gone yet.
    fn on_its_way_bytes(&self) -> u64 {
        let above = |member: &Member| u64::from(member.above()).saturating_mul(member.told.worker_bytes);
        self.members.values().fold(0, |sum: u64, member| sum.saturating_add(above(member)))
    }

    /// Who gives one up for another: what is allowed and not there first, then the idle worker that is worth least.
    fn donor(&self, to: u32) -> Option<u32> {
        let donors = self.members.iter().filter(|(who, member)| **who != to && member.may_give_up());
        donors.min_by_key(|(_, member)| (!member.has_unused(), member.worth)).map(|(who, _)| *who)
    }

    fn change(&mut self, who: u32, by: i32, changes: &mut Vec<Change>, why: impl Fn(&Told) -> Why) {
        let Some(member) = self.members.get_mut(&who) else { return };
        if by < 0 && !member.has_unused() {
            member.uses /= 2;
            member.allowed = member.allowed.min(member.told.live);
            member.called_back += by.unsigned_abs();
        }
        member.allowed = member.allowed.saturating_add_signed(by);
        let change = Change { who, workers: member.allowed, why: why(&member.told) };
        match changes.iter_mut().find(|earlier| earlier.who == who) {
            Some(earlier) => *earlier = change,
            None => changes.push(change),
        }
    }
}

impl Told {
    /// What a look has found, and what was decided then. The memory of a worker is the caller's to say.
    pub fn of(settings: &Settings, sample: &Sample, decided: &Decided) -> Self {
        let scheduled = sample.baseline.map_or(0, |baseline| baseline.workers.min(settings.maximum));
        let live = match decided.decision {
            Decision::Hold => sample.live(),
            Decision::Grow(more) => sample.live().saturating_add(more),
            Decision::Shrink(fewer) => sample.live().saturating_sub(fewer),
        };
        Told {
            worker_bytes: 0,
            minimum: settings.minimum.max(scheduled),
            live,
            idle: sample.idle.min(live),
            wants: live.saturating_add(decided.unmet()),
            waiting: sample.queue.unwrap_or(0),
            waited_us: sample.oldest_wait_us.max(sample.exact_wait_us),
            boot_us: sample.boot_us,
        }
    }

    /// Whether each of its workers holds a request, or more are wanted.
    fn needs_all(&self) -> bool {
        self.live > 0 && (self.idle == 0 || self.wants > self.live)
    }
}

impl Member {
    fn held_bytes(&self) -> u64 {
        u64::from(self.allowed.max(self.told.live)).saturating_mul(self.told.worker_bytes)
    }

    /// Workers that it wants and may not have. Those that it has it does not want.
    fn missing(&self) -> u32 {
        self.told.wants.saturating_sub(self.allowed.max(self.told.live))
    }

    /// Workers that it may not have any more and still has.
    fn above(&self) -> u32 {
        self.told.live.saturating_sub(self.allowed)
    }

    /// Whether it may have workers that it does not have and does not want.
    fn has_unused(&self) -> bool {
        self.allowed > self.told.live.max(self.told.wants).max(self.told.minimum)
    }

    fn may_give_up(&self) -> bool {
        let spare = self.told.idle > self.above() && self.allowed.min(self.told.live) > self.told.minimum;
        self.has_unused() || (spare && self.told.wants <= self.told.live)
    }

    /// Requests that wait and how long, for the memory that one more worker takes.
    fn need(&self) -> u128 {
        let waits = u128::from(self.told.waiting.max(1)) * u128::from(self.told.waited_us.max(1));
        (waits << 20) * u128::from(self.missing()) / u128::from(self.told.worker_bytes.max(1))
    }

    /// What a worker of it is worth: how often it was needed, what a request waits without it, for its memory.
    fn value(&self) -> u64 {
        let penalty_us = self.told.boot_us.max(self.told.waited_us).max(1);
        u64::from(self.uses).saturating_mul(penalty_us).saturating_mul(1 << 10)
            / (self.told.worker_bytes / WORKER_BYTES_MIN).max(1)
    }
}
