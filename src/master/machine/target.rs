//! How many workers are wanted: the active slots, and which of them are given up first.
//!
//! Who decides on the number is elsewhere (`scaling`, orders). Pure; used in the master.

use super::Machine;
use super::identity::{Seat, Slot};
use super::note::Note;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

impl Machine {
    /// Sets how many workers are wanted. When some must go, `volunteers` are the first, and those in `idle` the next.
    pub(super) fn set_target(&mut self, workers: u32, idle: &[Seat], volunteers: &[Seat]) {
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
        for slot in self.dispensable(idle, volunteers).into_iter().take(surplus) {
            if let Some(slot) = self.slot_mut(slot) {
                slot.active = false;
            }
        }
        if to == 0 {
            self.note(Note::Cheap);
        }
    }

    /// To no worker at all on an operator's word, which no policy has written into the log.
    pub(super) fn go_cheap(&mut self) {
        let from = self.target();
        self.set_target(0, &[], &[]);
        if from != self.target() {
            self.note(Note::Target { from, to: self.target(), order: "cheap mode" });
        }
    }

    /// The active slots, those that are missed least first: whose worker asked to go, then without a worker that serves,
    /// then with an idle one, then the rest; of equals the highest number, because the lowest take work first.
    fn dispensable(&self, idle: &[Seat], volunteers: &[Seat]) -> Vec<Slot> {
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
                *rank = match *rank {
                    Missed::Leaves => Missed::Leaves,
                    _ if volunteers.contains(&seat) => Missed::Leaves,
                    rank => rank.max(if idle.contains(&seat) { Missed::Idle } else { Missed::Busy }),
                };
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
    /// It has asked to go.
    Leaves,
    NotAtAll,
    Idle,
    Busy,
}
