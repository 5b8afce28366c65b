//! What the master does about workers that take more memory than they may (`evil-reload-on-rss`, `evil-reload-on-as`): looks
//! at all of them once in a while, and kills those that do, whatever they are doing. Master only.

use std::time::Duration;

use super::driver::Driver;
use super::machine::{Event, Seat, WorkerView};
use crate::config::model::Recycling;
use crate::sys::clock::monotonic_us;
use crate::sys::memory;

impl Driver<'_> {
    /// Kills the workers that take too much, if it is time to look.
    pub(super) fn mind_memory(&mut self) {
        let limits = &self.in_force.config.recycling;
        if limits.evil_rss.is_none() && limits.evil_address_space.is_none() {
            self.memory_look_us = None;
            return;
        }
        let now_us = monotonic_us();
        if self.memory_look_us.is_some_and(|due_us| due_us > now_us) {
            return;
        }
        let period = limits.collector_period.max(Duration::from_millis(100));
        self.memory_look_us = Some(now_us.saturating_add(period.as_micros().try_into().unwrap_or(u64::MAX)));
        let overgrown: Vec<Seat> =
            self.machine.workers().filter(|worker| takes_too_much(worker, limits)).map(|worker| worker.seat).collect();
        for seat in overgrown {
            self.handle(Event::Overgrown { seat });
        }
    }
}

/// Whether a worker takes more than it may; says so if it does.
fn takes_too_much(worker: &WorkerView, limits: &Recycling) -> bool {
    let Some(pid) = worker.pid else { return false };
    // Not reaped before the master hears of it, so that the number is its own.
    let (resident, address_space) = memory::used_bytes(pid.get());
    let over = |option, limit: Option<u64>, used: u64| {
        let over = limit.is_some_and(|limit| used >= limit);
        if over {
            log::warn!("{} (pid: {pid}) takes {} MB ({option}): killed", worker.post, used >> 20);
        }
        over
    };
    over("evil-reload-on-rss", limits.evil_rss, resident)
        || over("evil-reload-on-as", limits.evil_address_space, address_space)
}
