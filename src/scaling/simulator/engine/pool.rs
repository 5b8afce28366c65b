//! The workers of the model: started one fork after the other, ready a while later, retired when idle.

use super::{Engine, Event, Worker, WorkerTime};
use std::cmp::Reverse;

impl Engine<'_> {
    pub(super) fn grow(&mut self, count: u32) {
        let vacant: Vec<u32> = self.slots(|worker| worker == Worker::Vacant).take(count as usize).collect();
        for slot in vacant {
            self.workers[slot as usize] = Worker::Starting;
            self.running_us[slot as usize] = 0;
            self.starting += 1;
            self.outcome.forks += 1;
            self.zygote_free_us = self.zygote_free_us.max(self.now_us) + self.world.fork_us;
            self.at(self.zygote_free_us + self.world.boot_us, Event::Ready(slot));
        }
        self.note_workers();
    }

    /// Retires those idle for longest; the latest slot among equals.
    pub(super) fn shrink(&mut self, count: u32) {
        for _ in 0..count {
            let idle = self.workers.iter().zip(0..).filter_map(|(worker, slot)| match worker {
                Worker::Ready { in_hand: 0, idle_since_us } => Some((*idle_since_us, Reverse(slot))),
                _ => None,
            });
            let Some((_, Reverse(slot))) = idle.min() else { break };
            self.workers[slot as usize] = Worker::Vacant;
            self.set_free(slot, false);
            self.idle -= 1;
        }
        self.note_workers();
    }

    fn slots(&self, wanted: impl Fn(Worker) -> bool) -> impl Iterator<Item = u32> {
        self.workers.iter().zip(0..).filter(move |(worker, _)| wanted(**worker)).map(|(_, slot)| slot)
    }

    pub(super) fn ready(&mut self, slot: u32) {
        self.workers[slot as usize] = Worker::Ready { in_hand: 0, idle_since_us: self.now_us };
        self.running_us[slot as usize] = 0;
        self.starting -= 1;
        self.idle += 1;
        self.set_free(slot, true);
        self.take_from_queue();
    }

    pub(super) fn worker_times(&self) -> Vec<WorkerTime> {
        let slots = self.workers.iter().zip(&self.running_us).zip(0..);
        slots
            .filter_map(|((worker, &running_us), slot)| match worker {
                Worker::Vacant => None,
                Worker::Starting => Some(WorkerTime { slot, running_us, busy: false }),
                Worker::Ready { in_hand, .. } => Some(WorkerTime { slot, running_us, busy: *in_hand > 0 }),
            })
            .collect()
    }
}
