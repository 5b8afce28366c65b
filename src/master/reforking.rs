//! Forking workers from one that has served (`refork`): who says that it has, whether that is taken up, and what came of it.
//! What becomes of the workers is the machine's to decide. Master only.

use super::driver::Driver;
use super::machine::{Condition, Event, Seat};
use super::refork::{pays, saved};
use crate::config::model::Refork;
use crate::sys::clock::monotonic_us;
use crate::sys::memory;

/// How long after a look at the memory of all workers the next one may follow, where a worker is the reason for it.
const WEIGHED_EVERY_US: u64 = 1_000_000;

impl Driver<'_> {
    /// A worker says that it has served long enough.
    pub(super) fn consider_mold(&mut self, seat: Seat) {
        let root = self.machine.root();
        let has_mold = root != self.machine.current();
        let is_new = self.refork.tried != Some(root);
        let wanted = match self.in_force.config.refork {
            Refork::Never => false,
            Refork::After(_) => is_new && !has_mold,
            // Again from a worker of the mold's, but never after one that did not do.
            Refork::Auto => (is_new || has_mold) && self.would_pay(),
        };
        if wanted {
            self.handle(Event::Seasoned { seat });
        }
    }

    fn would_pay(&mut self) -> bool {
        // Each worker tells of itself as often as it likes, and weighing all of them takes time.
        let now_us = monotonic_us();
        if self.refork.weighed_us.is_some_and(|weighed| now_us < weighed.saturating_add(WEIGHED_EVERY_US)) {
            return false;
        }
        self.refork.weighed_us = Some(now_us);
        let Some((generation, fresh)) = self.refork.fresh else { return false };
        let held = self.private_bytes();
        let count = u32::try_from(held.len()).unwrap_or(u32::MAX);
        generation == self.machine.current() && pays(fresh, mean(&held), count)
    }

    /// What workers of the current generation hold of their own.
    fn private_bytes(&self) -> Vec<u64> {
        let current = self.machine.current();
        let serving = self.machine.workers().filter(|worker| {
            worker.generation == current && matches!(worker.condition, Condition::Ready(_) | Condition::Paused(_))
        });
        let pids = serving.filter_map(|worker| worker.pid);
        pids.filter_map(|pid| memory::held(pid.get()).ok()?.map(|held| held.private_bytes)).collect()
    }

    /// Keeps what the first worker of a generation holds when it is ready, where it matters.
    pub(super) fn weigh_fresh(&mut self, event: &Event) {
        let Event::Ready { seat, .. } = event else { return };
        if self.in_force.config.refork != Refork::Auto || !self.machine.is_worker(*seat) {
            return;
        }
        let Some((generation, pid)) = self.children.accepting(*seat) else { return };
        if self.refork.fresh.is_none_or(|(known, _)| known < generation)
            && let Ok(Some(held)) = memory::held(pid.get())
        {
            self.refork.fresh = Some((generation, held.private_bytes));
        }
    }

    /// A worker is told to become the mold. Whatever comes of it, even if it dies of that, it is not tried again and again.
    pub(super) fn note_attempt(&mut self) {
        self.refork.tried = Some(self.machine.root());
    }

    /// The worker in a seat is taken as the mold now.
    pub(super) fn note_mold(&mut self, seat: Seat) {
        let root = self.machine.root();
        let pids = self.machine.workers().filter(|worker| worker.seat != seat).filter_map(|worker| worker.pid);
        let held: Vec<u64> =
            pids.filter_map(|pid| memory::held(pid.get()).ok()?.map(|held| held.private_bytes)).collect();
        log::debug!("refork: of generation {root} {} workers hold {} bytes each", held.len(), mean(&held));
        self.refork.before_bytes = (!held.is_empty()).then(|| mean(&held));
    }

    /// A worker could not become the mold: it is named once, and no other is tried that would hold the same.
    pub(super) fn miss_mold(&mut self, seat: Seat, reason: &str) {
        let worker = self.machine.workers().find(|worker| worker.seat == seat);
        let named = worker.map_or_else(|| format!("the worker in seat {seat}"), |worker| worker.post.to_string());
        log::warn!(
            "refork: no worker is forked from {named}: {reason}. What processes must not share is to be closed in \
             uwsgi.before_refork (uwsgidecorators.before_refork, Handler::cool_down); until the next reload all are forked from \
             what was loaded"
        );
    }

    /// What the mold has saved so far, if there is one.
    pub(super) fn saved_bytes(&self) -> Option<u64> {
        let before = self.refork.before_bytes.filter(|_| self.machine.root() != self.machine.current())?;
        let current = self.machine.current();
        let of_mold = self.machine.workers().filter(|worker| worker.generation == current);
        let holdings = of_mold.filter_map(|worker| self.holdings.of(worker.pid?.get()));
        let held: Vec<u64> = holdings.map(|holding| holding.private_bytes).collect();
        Some(saved(before, &held))
    }
}

fn mean(values: &[u64]) -> u64 {
    let count = u64::try_from(values.len()).unwrap_or(u64::MAX).max(1);
    values.iter().fold(0, |sum: u64, value| sum.saturating_add(*value)) / count
}
