//! Carrying out the trial of a new generation (`reload-canary`): what both sides have answered is looked at again and again, and
//! the machine hears the judge's verdict. What is kept meanwhile is in `trial`. Master only.

use worker_protocol::scoreboard::Share;

use super::driver::Driver;
use super::machine::{Condition, Event, Generation, LeaveReason, Seat, WorkerView};
use super::trial::{Trial, answered};
use crate::canary::{Answered, Holding};
use crate::sys::clock::monotonic_us;
use crate::sys::memory;

/// Of how many workers of each side the memory is read once a second.
const WEIGHED_MAX: u64 = 8;

impl Driver<'_> {
    /// From its first connection on a new generation takes its part only.
    pub(super) fn begin_trial(&mut self, generation: Generation, (part, whole): (u32, u32)) {
        if let Some(board) = self.children.board() {
            board.trial().begin(generation, Share::of(part, whole));
        }
    }

    /// Its part is another one from now on.
    pub(super) fn share_trial(&mut self, generation: Generation, (part, whole): (u32, u32)) {
        if let Some(board) = self.children.board() {
            board.trial().divide(generation, Share::of(part, whole));
        }
    }

    /// There is none any more.
    pub(super) fn end_trial(&mut self) {
        self.trial = None;
        if let Some(board) = self.children.board() {
            board.trial().end();
        }
    }

    /// An operator's verdict.
    pub(super) fn decide_trial(&mut self, passes: bool) -> Result<(), &'static str> {
        let Some((generation, _)) = self.machine.trial() else { return Err("no generation is on trial") };
        let told = "as an operator has decided".to_owned();
        self.handle(Event::TrialEnds { generation, verdict: if passes { Ok(told) } else { Err(told) } });
        Ok(())
    }

    /// The trial that is under way, for people: whose, how far it is, and what both sides have answered by now.
    pub(super) fn trial_told(&self) -> Option<String> {
        let (generation, _) = self.machine.trial()?;
        let trial = self.trial.as_ref().filter(|trial| trial.is_of(generation));
        let told = trial.map(|trial| trial.told(&self.answered(), monotonic_us()));
        Some(format!("generation {generation} is on trial {}", told.as_deref().unwrap_or("")).trim_end().to_owned())
    }

    /// How far the reload is that is under way, for people.
    pub(super) fn progress(&self) -> String {
        match self.trial_told() {
            Some(told) => told,
            None if self.candidate.is_some() => "the new generation loads, or its workers get ready".to_owned(),
            None => "workers are replaced".to_owned(),
        }
    }

    /// When to look again at what both sides have answered.
    pub(super) fn trial_due_us(&self) -> Option<u64> {
        match &self.trial {
            Some(trial) => Some(trial.next_look_us),
            None => self.machine.trial().map(|_| 0),
        }
    }

    /// Looks at what both sides have answered when it is time, and passes the verdict on.
    pub(super) fn mind_trial(&mut self) {
        let Some((generation, _)) = self.machine.trial() else { return };
        let now_us = monotonic_us();
        if self.trial.as_ref().is_none_or(|trial| !trial.is_of(generation)) {
            let Some(candidate) = &self.candidate else { return };
            self.trial = Some(Trial::new(generation, &candidate.config.canary, self.answered(), now_us));
            self.notifier.tell(&format!("generation {generation} on trial, {}", self.machine.count()));
        }
        if self.trial.as_ref().is_none_or(|trial| trial.next_look_us > now_us) {
            return;
        }
        let living = self.answered();
        let held = match self.trial.as_mut().is_some_and(|trial| trial.weighs(now_us)) {
            true => self.held_on_trial(generation, &living),
            false => None,
        };
        if let Some(verdict) = self.trial.as_mut().and_then(|trial| trial.look(&living, held, now_us)) {
            self.handle(Event::TrialEnds { generation, verdict });
        }
    }

    /// Keeps for the trial what a worker has done that is gone, and counts one that is stuck as a failure.
    pub(super) fn keep_for_trial(&mut self, event: &Event) {
        let (seat, is_struck) = match event {
            Event::Exited { seat, .. } | Event::Molded { seat } => (*seat, false),
            Event::Leaving { seat, reason: LeaveReason::Harakiri } | Event::Stuck { seat } => (*seat, true),
            _ => return,
        };
        let Some(trial) = &mut self.trial else { return };
        let Some(worker) = self.machine.workers().find(|worker| worker.seat == seat) else { return };
        if is_struck {
            trial.strike(worker.generation);
        } else if let Some(own) = self.children.board().and_then(|board| board.master(seat)) {
            trial.bury(worker.generation, seat, own);
        }
    }

    /// What the first workers of both sides hold of the memory, the old generation's first: they get the most requests, and
    /// reading takes its time. `None` where it cannot be read, which is said once.
    fn held_on_trial(
        &mut self,
        generation: Generation,
        living: &[(Generation, Seat, Answered)],
    ) -> Option<[Holding; 2]> {
        let mut sides = [Holding::default(); 2];
        let mut workers: Vec<WorkerView> = self.machine.workers().collect();
        workers.retain(|worker| matches!(worker.condition, Condition::Ready(_)));
        workers.sort_unstable_by_key(|worker| worker.post.number);
        for worker in workers {
            let side = &mut sides[usize::from(worker.generation == generation)];
            let answered = living.iter().find(|(_, seat, _)| *seat == worker.seat);
            let (Some(pid), Some((.., answered)), true) = (worker.pid, answered, side.workers < WEIGHED_MAX) else {
                continue;
            };
            match memory::held(pid.get()) {
                Ok(Some(held)) => side.add(held.private_bytes, answered.requests),
                Ok(None) => {}
                Err(error) => {
                    let trial = self.trial.as_mut()?;
                    if !std::mem::replace(&mut trial.is_blind, true) {
                        log::warn!("canary: what workers take of the memory is not judged: process {pid}: {error}");
                    }
                    return None;
                }
            }
        }
        Some(sides)
    }

    /// What the workers that live have answered in their lives. Where one is only about to be forked, its seat may have the
    /// words of a predecessor, who is buried.
    fn answered(&self) -> Vec<(Generation, Seat, Answered)> {
        let Some(board) = self.children.board() else { return Vec::new() };
        let own = |worker: &WorkerView| {
            board.master(worker.seat).filter(|seat| seat.author() == Some((worker.post, worker.nth)))
        };
        let workers = self.machine.workers();
        workers.filter_map(|worker| Some((worker.generation, worker.seat, answered(own(&worker)?)))).collect()
    }
}
