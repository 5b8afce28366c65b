//! How many workers are wanted: the active slots, and which of them are given up first.
//!
//! Who decides on the number is elsewhere (`scaling`, orders). Pure; used in the master.

use super::Machine;
use super::identity::{Seat, Slot};
use super::note::Note;
use super::worker::Worker;

impl Machine {
    /// Sets how many workers are wanted; `idle` are the seats to prefer when some must go.
    pub(super) fn set_target(&mut self, workers: u32, idle: &[Seat], reason: &str) {
        let from = self.target();
        let to = workers.min(self.plan.workers);
        if from == to || self.is_stopping() {
            return;
        }
        self.note(Note::Target { from, to, reason: reason.to_owned() });
        for _ in from..to {
            if let Some(slot) = self.slots.iter_mut().find(|slot| !slot.active) {
                slot.active = true;
            }
        }
        for _ in to..from {
            if let Some(slot) = self.dispensable(idle).and_then(|slot| self.slot_mut(slot)) {
                slot.active = false;
            }
        }
    }

    /// The active slot that is missed least: without a worker on duty, else with an idle one, else any; the highest
    /// number of these, because the lowest take work first.
    fn dispensable(&self, idle: &[Seat]) -> Option<Slot> {
        let active = (1..).map(Slot).take(self.slots.len()).filter(|slot| self.is_active(*slot));
        active.max_by_key(|slot| {
            let serves = |worker: &Worker| {
                worker.slot == *slot && worker.is_ready() && Some(worker.generation) != self.candidate()
            };
            let seats: Vec<Seat> = self.seats_where(serves);
            let rank = match seats.as_slice() {
                [] => 2,
                seats if seats.iter().all(|seat| idle.contains(seat)) => 1,
                _ => 0,
            };
            (rank, *slot)
        })
    }
}
