//! How much memory a process takes, for whoever reads its seat: measured when it is ready and about once a second while it
//! works, between requests. Every process below a zygote.

use std::sync::atomic::{AtomicU64, Ordering};

use worker_protocol::scoreboard::WorkerSeat;

use crate::sys::memory;

/// Microseconds between two looks: one takes some, which are to be lost among the requests of a second.
const BETWEEN_LOOKS_US: u64 = 1_000_000;

/// When to look again.
#[derive(Debug, Default)]
pub(super) struct Appetite {
    next_look_us: AtomicU64,
}

impl Appetite {
    /// Writes down what this process takes now, if that was not done within the last second. Of several threads that come
    /// at once one does.
    #[inline(always)]
    pub(super) fn note(&self, seat: &WorkerSeat<'_>, now_us: u64) {
        let due_us = self.next_look_us.load(Ordering::Relaxed);
        let next_us = now_us.saturating_add(BETWEEN_LOOKS_US);
        if now_us >= due_us
            && self.next_look_us.compare_exchange(due_us, next_us, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            let (resident, virtual_size) = memory::own_bytes();
            seat.set_memory(resident, virtual_size);
        }
    }
}
