//! When a process has lived, worked or grown so much that it is to be replaced, or was told to leave (uWSGI's manual,
//! "uWSGI Options"). Every process below a zygote.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use worker_protocol::control::LeaveReason;
use worker_protocol::post::Post;

use super::hear::note_signals;
use crate::config::model::Recycling;
use crate::sys::memory;

/// When a process is to be replaced, worked out once.
#[derive(Debug)]
pub(super) struct Wear {
    /// Monotonic time at which it is too old.
    old_at_us: Option<u64>,
    /// Monotonic time until which only its age counts.
    spared_until_us: u64,
    requests_max: Option<u64>,
    has_memory_limit: bool,
    /// Set by a signal that came to this process alone, or to all.
    told_to_leave: Arc<AtomicBool>,
}

impl Wear {
    /// The deltas let processes that were started together end one after another.
    pub(super) fn new(recycling: &Recycling, post: Post, born_us: u64) -> Self {
        let earlier = post.number.saturating_sub(1);
        let lifetime = |most: Duration| (most + recycling.max_lifetime_delta * earlier).as_micros() as u64;
        let requests_max = recycling.max_requests + recycling.max_requests_delta * u64::from(earlier);
        Self {
            old_at_us: recycling.max_lifetime.map(|most| born_us.saturating_add(lifetime(most))),
            spared_until_us: born_us.saturating_add(recycling.min_lifetime.as_micros() as u64),
            requests_max: (recycling.max_requests > 0).then_some(requests_max),
            has_memory_limit: recycling.rss.is_some() || recycling.address_space.is_some(),
            told_to_leave: Arc::default(),
        }
    }

    /// From here on SIGTERM and SIGHUP make the process leave once it has nothing to do, and nothing that means
    /// something to the master ends it in the middle of a request.
    pub(super) fn heed_signals(&self) {
        note_signals(&[Signal::SIGTERM, Signal::SIGHUP], &self.told_to_leave);
        note_signals(&[Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGXFSZ], &Arc::default());
    }

    /// Monotonic time at which it is too old.
    pub(super) fn old_at_us(&self) -> Option<u64> {
        self.old_at_us
    }

    /// Why it is to be replaced, if it is. `requests`: how many it has had.
    pub(super) fn worn_out(&self, now_us: u64, requests: u64, recycling: &Recycling) -> Option<LeaveReason> {
        if self.told_to_leave.load(Ordering::Relaxed) {
            return Some(LeaveReason::Signal);
        }
        if self.old_at_us.is_some_and(|old_at_us| now_us >= old_at_us) {
            return Some(LeaveReason::MaxLifetime);
        }
        if now_us < self.spared_until_us {
            return None;
        }
        if self.requests_max.is_some_and(|requests_max| requests >= requests_max) {
            return Some(LeaveReason::MaxRequests);
        }
        (self.has_memory_limit && is_too_big(recycling)).then_some(LeaveReason::Memory)
    }
}

fn is_too_big(recycling: &Recycling) -> bool {
    let (resident, virtual_size) = memory::own_bytes();
    let over = |limit: Option<u64>, used| limit.is_some_and(|limit| used >= limit);
    over(recycling.rss, resident) || over(recycling.address_space, virtual_size)
}
