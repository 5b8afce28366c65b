//! The life of a connection in the model: it comes, waits or begins, computes, waits for something else, and is done.

use super::{Engine, Event, Job, Request, Wake, Worker};

impl Engine<'_> {
    pub(in super::super) fn connect(&mut self, job: Job, client: Option<u32>, tries_left: u32) {
        self.outcome.arrived += 1;
        self.connections += 1;
        let number = self.connections;
        let request = Request { job, number, tries_left, client, worker: 0, begun_us: 0 };
        if tries_left > 0 && self.load.impatient_after_us > 0 {
            self.at(self.now_us + self.load.impatient_after_us, Event::Impatient(number));
        }
        match self.first_free() {
            Some(slot) => self.begin(request, slot),
            None if self.queue.len() > self.world.queue_max as usize => self.refuse(client),
            None => {
                self.queue.push_back(request);
                self.outcome.queue_max = self.outcome.queue_max.max(self.queue.len() as u32);
                if self.wake == Wake::QueueReadable {
                    self.wake_master();
                }
            }
        }
    }

    fn refuse(&mut self, client: Option<u32>) {
        self.outcome.refused += 1;
        if let Some(client) = client {
            self.at(self.now_us + self.load.think_us.max(1_000), Event::Client(client));
        }
    }

    fn first_free(&self) -> Option<u32> {
        let word = self.free.iter().position(|&word| word != 0)?;
        Some(word as u32 * 64 + self.free[word].trailing_zeros())
    }

    pub(super) fn set_free(&mut self, slot: u32, free: bool) {
        let bit = 1 << (slot % 64);
        let word = &mut self.free[slot as usize / 64];
        if free {
            *word |= bit;
        } else {
            *word &= !bit;
        }
    }

    fn begin(&mut self, mut request: Request, slot: u32) {
        let Worker::Ready { in_hand, .. } = &mut self.workers[slot as usize] else { return };
        *in_hand += 1;
        let (first, full) = (*in_hand == 1, *in_hand == self.world.threads);
        if first {
            self.idle -= 1;
            self.busy += 1;
        }
        if full {
            self.set_free(slot, false);
        }
        self.serving += 1;
        self.begun_sum_us += self.now_us;
        self.outcome.begun(self.now_us - request.job.at_us);
        (request.worker, request.begun_us) = (slot, self.now_us);
        let place = self.keep(request);
        if request.job.compute_us > 0 {
            self.cores.begin(place, request.job.compute_us);
        } else {
            self.computed(place);
        }
        if let Wake::SpareAtMost(spare) = self.wake
            && self.idle <= spare
        {
            self.wake_master();
        }
    }

    fn keep(&mut self, request: Request) -> u32 {
        match self.in_hand_vacant.pop() {
            Some(place) => {
                self.in_hand[place as usize] = request;
                place
            }
            None => {
                self.in_hand.push(request);
                self.in_hand.len() as u32 - 1
            }
        }
    }

    pub(super) fn computed(&mut self, place: u32) {
        let wait_us = self.in_hand[place as usize].job.wait_us;
        self.at(self.now_us + wait_us, Event::Done(place));
    }

    pub(super) fn done(&mut self, place: u32) {
        let request = self.in_hand[place as usize];
        self.in_hand_vacant.push(place);
        let spent_us = self.now_us - request.begun_us;
        self.serving -= 1;
        self.begun_sum_us -= request.begun_us;
        self.busy_time_us += spent_us;
        self.requests_total += 1;
        self.running_us[request.worker as usize] += spent_us;
        self.outcome.completed(self.now_us - request.job.at_us);
        self.release(request.worker);
        if let Some(client) = request.client {
            self.at(self.now_us + self.load.think_us, Event::Client(client));
        }
    }

    fn release(&mut self, slot: u32) {
        if let Worker::Ready { in_hand, idle_since_us } = &mut self.workers[slot as usize] {
            *in_hand -= 1;
            if *in_hand == 0 {
                *idle_since_us = self.now_us;
                self.busy -= 1;
                self.idle += 1;
            }
            self.set_free(slot, true);
        }
        self.take_from_queue();
    }

    pub(super) fn take_from_queue(&mut self) {
        while let Some(slot) = self.first_free() {
            let Some(request) = self.queue.pop_front() else { return };
            self.begin(request, slot);
        }
    }

    pub(super) fn client(&mut self, client: u32) {
        let job = self.load.client_job(client, self.now_us);
        self.connect(job, Some(client), 0);
    }

    /// Whoever still waits in the queue gives up and comes back; the dead connection stays, as it does in the kernel.
    pub(super) fn impatient(&mut self, number: u64) {
        let Ok(place) = self.queue.binary_search_by_key(&number, |request| request.number) else { return };
        let request = &mut self.queue[place];
        let (job, tries_left) = (Job { at_us: self.now_us, ..request.job }, request.tries_left - 1);
        request.tries_left = 0;
        self.outcome.retried += 1;
        self.connect(job, None, tries_left);
    }
}
