//! What is wanted against what is there: the one place where workers are started and let go for the sake of numbers.
//!
//! For each wanted slot: a fresh worker (current generation, not marked for replacement) must be on duty or on its way;
//! once it is ready, everyone else in the slot goes. A slot that is not wanted empties. That is the whole of respawn,
//! scaling, workers' reload, chain reload, the replacement after a zygote's death, and the second half of a reload.
//! Pure; used in the master.

use super::action::{Action, Announcement};
use super::change::Change;
use super::event::Reload;
use super::identity::{Generation, Seat, Slot};
use super::note::{Farewell, Note};
use super::worker::{Incident, Manner, Phase, Worker};
use super::{FORK_PATIENCE_US, Machine, Stage, zygote};

/// A round begins or ends at most one change, and no event can begin more than a few.
const ROUNDS_MAX: u32 = 4;

impl Machine {
    /// Brings what is there closer to what is wanted, as far as that is possible at this moment.
    pub(super) fn reconcile(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let again = match self.stage {
                Stage::Loading | Stage::Gone => false,
                Stage::Starting | Stage::Serving => self.round(),
                Stage::Stopping { .. } => {
                    self.wind_down();
                    false
                }
            };
            if !again {
                break;
            }
        }
        self.upgrade_if_quiet();
        self.tell_count();
    }

    /// Whether a change began or ended, so that another look is due.
    fn round(&mut self) -> bool {
        let became_ready = self.become_ready();
        let began = self.take_up_queued();
        self.empty_unwanted_slots();
        self.let_replaced_go();
        self.fill_vacant_slots();
        let switched = self.advance_switch();
        self.fork_successors();
        let rolled = self.finish_rolling();
        self.let_old_zygotes_go();
        self.pass_pause_on();
        became_ready || began || switched || rolled
    }

    /// The instance is ready when a worker is, and every other wanted one is too or has had its chance: one that
    /// crashes for ever must not keep the rest from being announced.
    fn become_ready(&mut self) -> bool {
        if !matches!(self.stage, Stage::Starting) {
            return false;
        }
        let ready = |slot: Slot| self.seats.iter().flatten().any(|worker| worker.slot == slot && worker.is_ready());
        let active: Vec<Slot> = self.active_slots();
        let settled = active.iter().all(|slot| ready(*slot) || self.failures(*slot) > 0);
        if !settled || !(active.is_empty() || active.iter().any(|slot| ready(*slot))) {
            return false;
        }
        self.stage = Stage::Serving;
        self.announce(Announcement::Ready);
        true
    }

    fn empty_unwanted_slots(&mut self) {
        let candidate = self.candidate();
        let unwanted =
            |worker: &Worker| worker.stays() && Some(worker.generation) != candidate && !self.is_active(worker.slot);
        let surplus = self.seats_where(|worker| unwanted(worker) && worker.generation == self.current);
        let outdated = self.seats_where(|worker| unwanted(worker) && worker.generation != self.current);
        self.befall_all(&surplus, &Incident::Dismiss(Farewell::Scaled));
        self.befall_all(&outdated, &Incident::Dismiss(Farewell::Replaced));
    }

    /// Lets those go whose successor is ready, and all but one of several fresh workers in one slot.
    fn let_replaced_go(&mut self) {
        for slot in self.active_slots() {
            let Some(keep) = self.best_fresh(slot) else { continue };
            let ready = self.seats.get(keep.0 as usize).and_then(Option::as_ref).is_some_and(Worker::is_ready);
            for (seat, fresh, manner) in self.others_on_duty(slot, keep) {
                if fresh {
                    self.befall(seat, Incident::Dismiss(Farewell::CalledOff));
                } else if ready && manner == Manner::Brutal {
                    self.befall(seat, Incident::Kill(Farewell::Replaced));
                } else if ready {
                    self.befall(seat, Incident::Dismiss(Farewell::Replaced));
                }
            }
        }
    }

    /// The fresh worker of a slot that has come furthest: the oldest ready one, else any.
    fn best_fresh(&self, slot: Slot) -> Option<Seat> {
        let fresh = self.seats_where(|worker| worker.slot == slot && worker.stays() && self.is_fresh(worker));
        fresh.into_iter().min_by_key(|seat| match self.seats[seat.0 as usize].as_ref().map(|worker| worker.phase) {
            Some(Phase::Ready { since, .. }) => (0, since.0),
            Some(Phase::Starting { .. }) => (1, 0),
            _ => (2, 0),
        })
    }

    /// The other workers on duty in a slot: seat, whether fresh, and how it is to go.
    fn others_on_duty(&self, slot: Slot, keep: Seat) -> Vec<(Seat, bool, Manner)> {
        let candidate = self.candidate();
        let others = self.seats_numbered().filter_map(|(seat, worker)| {
            let worker = worker.as_ref()?;
            let counts = worker.slot == slot && worker.stays() && Some(worker.generation) != candidate && seat != keep;
            counts.then(|| (seat, self.is_fresh(worker), worker.replace.unwrap_or(Manner::Graceful)))
        });
        others.collect()
    }

    /// Slots without anyone on duty come before slots that only wait for a successor.
    fn fill_vacant_slots(&mut self) {
        let candidate = self.candidate();
        for slot in self.active_slots() {
            let on_duty = |worker: &Worker| worker.slot == slot && worker.stays();
            let taken = self.seats.iter().flatten().any(|w| on_duty(w) && Some(w.generation) != candidate);
            if !taken && self.may_fork(slot) {
                self.fork(self.current, slot);
            }
        }
    }

    fn fork_successors(&mut self) {
        for slot in self.active_slots() {
            let due = self.best_fresh(slot).is_none() && self.has_stale(slot);
            if !due || !self.may_fork(slot) || self.chain_is_busy() {
                continue;
            }
            let forked = self.fork(self.current, slot);
            if forked && matches!(self.change, Some(Change::Rolling { reload: Reload::Chain })) {
                self.note(Note::ChainNext { slot });
            }
        }
    }

    /// A chain reload has a successor that is not ready yet.
    fn chain_is_busy(&self) -> bool {
        matches!(self.change, Some(Change::Rolling { reload: Reload::Chain }))
            && self
                .seats
                .iter()
                .flatten()
                .any(|worker| worker.stays() && !worker.is_ready() && self.is_successor_of_marked(worker))
    }

    /// Whether this worker is to replace one that a reload within the generation has marked.
    pub(super) fn is_successor_of_marked(&self, worker: &Worker) -> bool {
        let marked = |other: &Worker| other.slot == worker.slot && other.stays() && other.replace.is_some();
        matches!(self.change, Some(Change::Rolling { .. }))
            && self.is_fresh(worker)
            && self.seats.iter().flatten().any(marked)
    }

    fn is_fresh(&self, worker: &Worker) -> bool {
        worker.generation == self.current && worker.replace.is_none()
    }

    fn has_stale(&self, slot: Slot) -> bool {
        let candidate = self.candidate();
        let stale = |worker: &Worker| {
            worker.slot == slot && worker.stays() && !self.is_fresh(worker) && Some(worker.generation) != candidate
        };
        self.seats.iter().flatten().any(stale)
    }

    fn may_fork(&self, slot: Slot) -> bool {
        let waited = self.slots.get((slot.0 as usize).wrapping_sub(1)).is_some_and(|slot| slot.not_before <= self.now);
        waited && self.is_loaded(self.current)
    }

    /// Orders a worker into the lowest free seat. Whether there was one.
    pub(super) fn fork(&mut self, generation: Generation, slot: Slot) -> bool {
        let vacant = self.seats_numbered().find(|(_, worker)| worker.is_none()).map(|(seat, _)| seat);
        let Some(seat) = vacant else { return false };
        let until = self.now.plus_us(FORK_PATIENCE_US);
        let Some(place) = self.slot_mut(slot) else { return false };
        place.lives = place.lives.saturating_add(1);
        let life = place.lives;
        self.actions.push_back(Action::Fork { generation, seat, slot, life });
        let phase = Phase::Forking { until, ready: None };
        self.sit(seat, Worker { slot, generation, life, replace: None, phase });
        true
    }

    fn let_old_zygotes_go(&mut self) {
        let candidate = self.candidate();
        let wanted = |generation: Generation| generation == self.current || Some(generation) == candidate;
        let all = self.zygotes.iter().map(|zygote| zygote.generation);
        let old: Vec<Generation> = all.filter(|number| !wanted(*number) && !self.has_workers(*number)).collect();
        for generation in old {
            self.zygote(generation, zygote::Incident::Dismiss);
        }
    }

    fn pass_pause_on(&mut self) {
        let wanted = self.paused;
        for (index, worker) in self.seats.iter_mut().enumerate() {
            let Some(Worker { phase: Phase::Ready { paused, .. }, .. }) = worker else { continue };
            if *paused == wanted {
                continue;
            }
            *paused = wanted;
            let seat = Seat(u32::try_from(index).unwrap_or(u32::MAX));
            self.actions.push_back(if wanted { Action::Pause { seat } } else { Action::Resume { seat } });
        }
    }

    /// Whether an order to fork or load is unanswered, so that the driver holds more than this machine knows.
    pub(super) fn anything_half_done(&self) -> bool {
        let forking =
            |worker: &Worker| matches!(worker.phase, Phase::Forking { .. } | Phase::Doomed { .. } | Phase::Lost { .. });
        let loading = |zygote: &zygote::Zygote| !matches!(zygote.phase, zygote::Phase::Loaded { .. });
        self.seats.iter().flatten().any(forking) || self.zygotes.iter().any(loading)
    }

    fn tell_count(&mut self) {
        let count = self.count();
        if count != self.told && !matches!(self.stage, Stage::Gone) {
            self.told = count;
            self.announce(Announcement::Status(count));
        }
    }

    fn active_slots(&self) -> Vec<Slot> {
        (1..).map(Slot).take(self.slots.len()).filter(|slot| self.is_active(*slot)).collect()
    }

    fn failures(&self, slot: Slot) -> u32 {
        self.slots.get((slot.0 as usize).wrapping_sub(1)).map_or(0, |slot| slot.failures)
    }
}
