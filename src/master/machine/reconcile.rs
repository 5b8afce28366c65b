//! What is wanted against what is there: the one place where workers are started and let go for the sake of numbers.
//!
//! For each wanted slot: a fresh worker (current generation, not marked for replacement) must be on duty or on its way;
//! once it is ready, everyone else in the slot goes. A slot that is not wanted empties. That is the whole of respawn,
//! scaling, workers' reload, chain reload, the replacement after a zygote's death, and the second half of a reload.
//! Pure; used in the master.

use super::action::{Action, Announcement};
use super::change::Change;
use super::event::Reload;
use super::identity::{Generation, Seat, Slot, Time};
use super::note::{Farewell, Note};
use super::worker::{Incident, Manner, Phase, Worker};
use super::{FORK_PATIENCE_US, Machine, Stage, zygote};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A round begins or ends at most one change, and no event can begin more than a few.
const ROUNDS_MAX: u32 = 4;

/// Who is on duty in a slot or on the way to it, each kind with the one to keep first.
struct Duty {
    slot: Slot,
    /// Of the current generation and not marked for replacement.
    fresh: Vec<Seat>,
    fresh_is_ready: bool,
    /// To be replaced.
    stale: Vec<Seat>,
}

impl Duty {
    fn of_nobody(slot: Slot) -> Duty {
        Duty { slot, fresh: Vec::new(), fresh_is_ready: false, stale: Vec::new() }
    }
}

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
        self.tell_count();
    }

    /// Whether a change began or ended, so that another look is due.
    fn round(&mut self) -> bool {
        let became_ready = self.become_ready();
        let began = self.take_up_queued();
        self.empty_unwanted_slots();
        self.let_replaced_go();
        let duties = self.duties();
        self.fill_vacant_slots(&duties);
        let switched = self.advance_switch();
        if !switched {
            self.fork_successors(&duties);
        }
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
        let ready: BTreeSet<Slot> =
            self.seats.iter().flatten().filter(|worker| worker.is_ready()).map(|worker| worker.slot).collect();
        let active: Vec<Slot> = self.active_slots();
        let settled = active.iter().all(|slot| ready.contains(slot) || self.failures(*slot) > 0);
        if !settled || !(active.is_empty() || active.iter().any(|slot| ready.contains(slot))) {
            return false;
        }
        self.stage = Stage::Serving;
        self.announce(Announcement::Ready);
        if active.is_empty() {
            self.note(Note::Cheap);
        }
        true
    }

    /// Lets everyone go whose slot is not wanted.
    pub(super) fn empty_unwanted_slots(&mut self) {
        let candidate = self.candidate();
        let unwanted =
            |worker: &Worker| worker.stays() && Some(worker.generation) != candidate && !self.is_active(worker.slot);
        let surplus = self.seats_where(|worker| unwanted(worker) && worker.generation == self.current);
        let outdated = self.seats_where(|worker| unwanted(worker) && worker.generation != self.current);
        self.befall_all(&surplus, &Incident::Dismiss(Farewell::Scaled));
        for seat in outdated {
            self.let_go(seat, Farewell::Replaced);
        }
    }

    /// Keeps one fresh worker of each slot and, until that is ready, one other. The rest goes.
    pub(super) fn let_replaced_go(&mut self) {
        for duty in self.duties() {
            for seat in duty.fresh.into_iter().skip(1) {
                self.befall(seat, Incident::Dismiss(Farewell::CalledOff));
            }
            for seat in duty.stale.into_iter().skip(usize::from(!duty.fresh_is_ready)) {
                self.let_go(seat, Farewell::Replaced);
            }
        }
    }

    /// Who is on duty in each active slot, by slot. In one pass, because an instance may have a thousand workers.
    fn duties(&self) -> Vec<Duty> {
        let candidate = self.candidate();
        let mut on_duty: Vec<(Seat, &Worker)> = self
            .seats_numbered()
            .filter_map(|(seat, worker)| Some((seat, worker.as_ref()?)))
            .filter(|(_, worker)| worker.stays() && Some(worker.generation) != candidate)
            .collect();
        on_duty.sort_by_key(|(_, worker)| precedence(worker));
        let mut duties: BTreeMap<Slot, Duty> =
            self.active_slots().into_iter().map(|slot| (slot, Duty::of_nobody(slot))).collect();
        for (seat, worker) in on_duty {
            let Some(duty) = duties.get_mut(&worker.slot) else { continue };
            if self.is_fresh(worker) {
                duty.fresh_is_ready |= worker.is_ready();
                duty.fresh.push(seat);
            } else {
                duty.stale.push(seat);
            }
        }
        duties.into_values().collect()
    }

    /// Lets a worker go in the manner that it is marked with.
    fn let_go(&mut self, seat: Seat, why: Farewell) {
        let worker = self.seats.get(seat.0 as usize).and_then(Option::as_ref);
        let brutal = worker.is_some_and(|worker| worker.replace == Some(Manner::Brutal));
        self.befall(seat, if brutal { Incident::Kill(why) } else { Incident::Dismiss(why) });
    }

    /// Slots without anyone on duty come before slots that only wait for a successor.
    fn fill_vacant_slots(&mut self, duties: &[Duty]) {
        for duty in duties.iter().filter(|duty| duty.fresh.is_empty() && duty.stale.is_empty()) {
            if self.may_fork(duty.slot) {
                self.fork(self.current, duty.slot);
            }
        }
    }

    fn fork_successors(&mut self, duties: &[Duty]) {
        let chain = matches!(self.change, Some(Change::Rolling { reload: Reload::Chain }));
        if chain && self.chain_is_busy() {
            return;
        }
        for duty in duties.iter().filter(|duty| duty.fresh.is_empty() && !duty.stale.is_empty()) {
            if self.may_fork(duty.slot) && self.fork(self.current, duty.slot) && chain {
                return self.note(Note::ChainNext { slot: duty.slot });
            }
        }
    }

    /// A chain reload has a successor that is not ready yet.
    fn chain_is_busy(&self) -> bool {
        let successor = |worker: &Worker| self.is_successor_of_marked(worker);
        self.seats.iter().flatten().any(|worker| worker.stays() && !worker.is_ready() && successor(worker))
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

    fn may_fork(&self, slot: Slot) -> bool {
        let waited = self.slots.get((slot.0 as usize).wrapping_sub(1)).is_some_and(|slot| slot.not_before <= self.now);
        waited && self.is_loaded(self.current)
    }

    /// Orders a worker into the lowest free seat. Whether there was one.
    pub(super) fn fork(&mut self, generation: Generation, slot: Slot) -> bool {
        let vacant = self.seats_numbered().find(|(_, worker)| worker.is_none()).map(|(seat, _)| seat);
        let Some(seat) = vacant else { return false };
        let until = self.after_us(FORK_PATIENCE_US);
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
        self.answers_due > 0 || self.seats.iter().flatten().any(forking) || self.zygotes.iter().any(loading)
    }

    fn tell_count(&mut self) {
        let count = self.count();
        if count != self.told && !matches!(self.stage, Stage::Gone) {
            self.told = count;
            self.announce(Announcement::Status(count));
        }
    }

    pub(super) fn active_slots(&self) -> Vec<Slot> {
        (1..).map(Slot).take(self.slots.len()).filter(|slot| self.is_active(*slot)).collect()
    }

    fn failures(&self, slot: Slot) -> u32 {
        self.slots.get((slot.0 as usize).wrapping_sub(1)).map_or(0, |slot| slot.failures)
    }
}

/// Which of several workers in one slot to keep, the first: the furthest on its way, of these the newest generation, of
/// these the one that served longest.
fn precedence(worker: &Worker) -> (u8, Reverse<Generation>, Time) {
    let (way_to_go, since) = match worker.phase {
        Phase::Ready { since, .. } => (0, since),
        Phase::Starting { .. } => (1, Time::default()),
        _ => (2, Time::default()),
    };
    (way_to_go, Reverse(worker.generation), since)
}
