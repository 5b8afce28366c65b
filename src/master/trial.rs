//! What the master knows of the trial of a new generation (`reload-canary`) that is under way: what both sides have answered
//! since it began. What is done with it is in `trying`. Master only.

use std::collections::BTreeMap;

use worker_protocol::scoreboard::{Histogram, MasterSeat};

use super::ledger::believed_core;
use super::machine::{Generation, Seat};
use crate::canary::{Answered, Holding, Judge, WEIGH_EVERY_US};
use crate::config::model::Canary;

/// One trial under way.
#[derive(Debug)]
pub(super) struct Trial {
    generation: Generation,
    judge: Judge,
    old: Account,
    new: Account,
    pub(super) next_look_us: u64,
    next_weighing_us: u64,
    /// Whether it has been said that memory is not judged.
    pub(super) is_blind: bool,
}

/// What one side has answered: those who live by what stands in their seats, less what stood there when the trial began.
#[derive(Debug, Default)]
struct Account {
    before: BTreeMap<Seat, Answered>,
    gone: Answered,
}

impl Trial {
    /// Of this generation, from now on. `living`: what everyone has answered before.
    pub(super) fn new(
        generation: Generation,
        rules: &Canary,
        living: Vec<(Generation, Seat, Answered)>,
        now_us: u64,
    ) -> Self {
        let judge = Judge::new(rules.clone(), now_us);
        let next_look_us = now_us.saturating_add(judge.look_every_us());
        let next_weighing_us = now_us.saturating_add(WEIGH_EVERY_US);
        let (old, new) = (Account::default(), Account::default());
        let mut trial = Self { generation, judge, old, new, next_look_us, next_weighing_us, is_blind: false };
        for (of, seat, answered) in living {
            trial.side(of).before.insert(seat, answered);
        }
        trial
    }

    /// Whether this generation is the one on trial.
    pub(super) fn is_of(&self, generation: Generation) -> bool {
        self.generation == generation
    }

    /// Whether it is time to look at the memory as well, which costs more than what both have answered.
    pub(super) fn weighs(&mut self, now_us: u64) -> bool {
        let is_due = self.next_weighing_us <= now_us;
        if is_due {
            self.next_weighing_us = now_us.saturating_add(WEIGH_EVERY_US);
        }
        is_due
    }

    /// A look at what both sides have answered by now, and at what they hold of the memory, where that is known, the old
    /// generation first. The verdict, if there is one.
    pub(super) fn look(
        &mut self,
        living: &[(Generation, Seat, Answered)],
        held: Option<[Holding; 2]>,
        now_us: u64,
    ) -> Option<Result<String, String>> {
        self.next_look_us = now_us.saturating_add(self.judge.look_every_us());
        let [old, new] = self.sums(living);
        if let Some([of_old, of_new]) = held {
            self.judge.weigh([(of_old, &old), (of_new, &new)]);
        }
        self.judge.look(now_us, &old, &new)
    }

    /// How far it is, and what both sides have answered by now.
    pub(super) fn told(&self, living: &[(Generation, Seat, Answered)], now_us: u64) -> String {
        let [old, new] = self.sums(living);
        self.judge.told(now_us, &old, &new)
    }

    /// What each side has answered since the beginning, the old generation first.
    fn sums(&self, living: &[(Generation, Seat, Answered)]) -> [Answered; 2] {
        let of_side = |new: bool| living.iter().filter(move |(of, ..)| (*of == self.generation) == new);
        [self.old.sum(of_side(false)), self.new.sum(of_side(true))]
    }

    /// A worker is gone: what it did since the beginning stays.
    pub(super) fn bury(&mut self, of: Generation, seat: Seat, own: MasterSeat<'_>) {
        self.side(of).bury(seat, own);
    }

    /// A worker is stuck in a request, which counts as one that failed.
    pub(super) fn strike(&mut self, of: Generation) {
        let Answered { requests, failures, .. } = &mut self.side(of).gone;
        (*requests, *failures) = (requests.saturating_add(1), failures.saturating_add(1));
    }

    fn side(&mut self, generation: Generation) -> &mut Account {
        if generation == self.generation { &mut self.new } else { &mut self.old }
    }
}

impl Account {
    fn bury(&mut self, seat: Seat, own: MasterSeat<'_>) {
        let done = since(&answered(own), self.before.remove(&seat).as_ref());
        add(&mut self.gone, &done);
    }

    fn sum<'l>(&self, living: impl Iterator<Item = &'l (Generation, Seat, Answered)>) -> Answered {
        let mut sum = self.gone.clone();
        living.for_each(|(_, seat, now)| add(&mut sum, &since(now, self.before.get(seat))));
        sum
    }
}

/// What a worker has answered in its life, as far as it is believed.
pub(super) fn answered(seat: MasterSeat<'_>) -> Answered {
    let mut sum = Answered::default();
    for core in (0..seat.cores()).filter_map(|index| seat.core_figures(index)).map(believed_core) {
        let Answered { requests, failures, durations } = &mut sum;
        *requests = requests.saturating_add(core.requests);
        *failures = failures.saturating_add(core.failures.min(core.requests));
        durations.add(&core.durations);
    }
    sum
}

fn add(sum: &mut Answered, more: &Answered) {
    sum.requests = sum.requests.saturating_add(more.requests);
    sum.failures = sum.failures.saturating_add(more.failures);
    sum.durations.add(&more.durations);
}

/// What was added. Where a figure went back, as it can where others write to the memory, nothing was.
fn since(now: &Answered, before: Option<&Answered>) -> Answered {
    let Some(before) = before else { return now.clone() };
    let counts =
        std::array::from_fn(|bucket| now.durations.counts[bucket].saturating_sub(before.durations.counts[bucket]));
    Answered {
        requests: now.requests.saturating_sub(before.requests),
        failures: now.failures.saturating_sub(before.failures),
        durations: Histogram { counts, sum_us: now.durations.sum_us.saturating_sub(before.durations.sum_us) },
    }
}
