//! Cores shared evenly by everything that computes (processor sharing), in fixed-point virtual time: each of `k`
//! requests progresses at the rate `min(1, cores / k)`, so the one with the least work left finishes first whatever
//! arrives meanwhile, and a heap of finishing times suffices.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Fraction bits of virtual time.
const FRACTION: u32 = 10;

pub(super) struct Cores {
    cores: u64,
    now_us: u64,
    virtual_time: u64,
    finishes: BinaryHeap<Reverse<(u64, u32)>>,
    used_us: u64,
    delayed_us: u64,
}

impl Cores {
    pub(super) fn new(cores: u32) -> Self {
        Cores {
            cores: u64::from(cores.max(1)),
            now_us: 0,
            virtual_time: 0,
            finishes: BinaryHeap::new(),
            used_us: 0,
            delayed_us: 0,
        }
    }

    /// Begins `work_us` of computing for `request`, at the time advanced to.
    pub(super) fn begin(&mut self, request: u32, work_us: u64) {
        self.finishes.push(Reverse((self.virtual_time + (work_us << FRACTION), request)));
    }

    pub(super) fn advance(&mut self, now_us: u64) {
        let elapsed_us = now_us - self.now_us;
        self.now_us = now_us;
        let active = self.finishes.len() as u64;
        if elapsed_us == 0 || active == 0 {
            return;
        }
        let running = active.min(self.cores);
        self.used_us += elapsed_us * running;
        self.delayed_us += elapsed_us * (active - running);
        self.virtual_time +=
            if active <= self.cores { elapsed_us << FRACTION } else { (elapsed_us << FRACTION) * self.cores / active };
    }

    /// When the next request finishes computing if nothing else begins.
    pub(super) fn next_finish_us(&self) -> Option<u64> {
        let Reverse((finish, _)) = self.finishes.peek()?;
        let active = self.finishes.len() as u64;
        let left = finish.saturating_sub(self.virtual_time);
        let scaled = if active <= self.cores { left } else { (left * active).div_ceil(self.cores) };
        Some(self.now_us + scaled.div_ceil(1 << FRACTION))
    }

    /// The request that has finished by the time advanced to, if any.
    pub(super) fn pop_finished(&mut self) -> Option<u32> {
        let Reverse((finish, request)) = *self.finishes.peek()?;
        if finish > self.virtual_time {
            return None;
        }
        self.finishes.pop();
        Some(request)
    }

    /// Time on a core, and time runnable without one, of all requests together.
    pub(super) fn use_us(&self) -> (u64, u64) {
        (self.used_us, self.delayed_us)
    }
}

#[cfg(test)]
mod tests {
    use super::Cores;

    #[test]
    fn four_equal_requests_on_two_cores_take_twice_as_long() {
        let mut cores = Cores::new(2);
        for request in 0..4 {
            cores.begin(request, 1_000);
        }
        let finish = cores.next_finish_us();
        assert_eq!(finish, Some(2_000));
        cores.advance(2_000);
        let mut finished: Vec<u32> = std::iter::from_fn(|| cores.pop_finished()).collect();
        finished.sort_unstable();
        assert_eq!(finished, [0, 1, 2, 3]);
        assert_eq!(cores.use_us(), (4_000, 4_000));
    }

    #[test]
    fn a_request_that_comes_later_slows_the_first_one_from_then_on() {
        let mut cores = Cores::new(1);
        cores.begin(0, 1_000);
        cores.advance(500);
        cores.begin(1, 1_000);
        assert_eq!(cores.next_finish_us(), Some(1_500));
        cores.advance(1_500);
        assert_eq!(cores.pop_finished(), Some(0));
        assert_eq!(cores.next_finish_us(), Some(2_000));
    }
}
