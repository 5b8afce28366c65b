//! How many workers are wanted: the active slots, and which of them are given up first.
//!
//! Who decides on the number is elsewhere (`scaling`, orders). Pure; used in the master.

use super::Machine;
use super::identity::{Seat, Slot};
use super::note::Note;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

impl Machine {
    /// Sets how many workers are wanted; `idle` are the seats to prefer when some must go.
    pub(super) fn set_target(&mut self, workers: u32, idle: &[Seat]) {
        let from = self.target();
        let to = workers.min(self.plan.bounds.maximum());
        if from == to || self.is_stopping() {
            return;
        }
        for _ in from..to {
            if let Some(slot) = self.slots.iter_mut().find(|slot| !slot.active) {
                slot.active = true;
            }
        }
        let surplus = from.saturating_sub(to) as usize;
        for slot in self.dispensable(idle).into_iter().take(surplus) {
            if let Some(slot) = self.slot_mut(slot) {
                slot.active = false;
            }
        }
        if to == 0 {
            self.note(Note::Cheap);
        }
    }

    /// The same on an operator's word, which no policy has written into the log.
    pub(super) fn set_target_ordered(&mut self, workers: u32, order: &'static str) {
        let from = self.target();
        self.set_target(workers, &[]);
        let to = self.target();
        if from != to {
            self.note(Note::Target { from, to, order });
        }
    }

    /// The active slots, those that are missed least first: without a worker that serves, then with an idle one, then
    /// the rest; of equals the highest number, because the lowest take work first.
    fn dispensable(&self, idle: &[Seat]) -> Vec<Slot> {
        let idle: BTreeSet<Seat> = idle.iter().copied().collect();
        let candidate = self.candidate();
        let mut missed: BTreeMap<Slot, Missed> =
            self.active_slots().into_iter().map(|slot| (slot, Missed::NotAtAll)).collect();
        for (seat, worker) in self.seats_numbered() {
            let Some(worker) = worker else { continue };
            if !worker.is_ready() || Some(worker.generation) == candidate {
                continue;
            }
            if let Some(rank) = missed.get_mut(&worker.slot) {
                *rank = (*rank).max(if idle.contains(&seat) { Missed::Idle } else { Missed::Busy });
            }
        }
        let mut slots: Vec<(Missed, Reverse<Slot>)> =
            missed.into_iter().map(|(slot, rank)| (rank, Reverse(slot))).collect();
        slots.sort_unstable();
        slots.into_iter().map(|(_, Reverse(slot))| slot).collect()
    }
}

/// How much a slot's worker would be missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Missed {
    NotAtAll,
    Idle,
    Busy,
}
