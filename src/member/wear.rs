//! When a process has lived, worked or grown so much that it is to be replaced, or was told to leave (uWSGI's manual,
//! "uWSGI Options"). Every process below a zygote.
//!
//! Who is worn out asks for a successor and goes on meanwhile, so that nobody is missed: the master lets it go when that one
//! is ready. Only who is told to go, has grown too big, or is far over its bound, leaves at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use worker_protocol::control::LeaveReason;
use worker_protocol::post::Post;

use super::hear::note_signals;
use crate::config::model::Recycling;
use crate::sys::memory::OwnMemory;

/// How long a process that is too old waits for its successor at least, before it leaves without one.
const OVERTIME_MIN: Duration = Duration::from_secs(10);

/// Microseconds between two looks at the memory: what comes more often than that takes little each. Who is near a bound
/// looks after every request.
const BETWEEN_LOOKS_US: u64 = 1_000;

/// What is to be done about a process, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// It is to be replaced, and goes on until then.
    Successor(LeaveReason),
    /// It leaves now.
    End(LeaveReason),
}

/// When a process is to be replaced, worked out once.
#[derive(Debug)]
pub(super) struct Wear {
    /// Monotonic times at which it is old enough to be replaced, and to leave.
    old_us: Option<(u64, u64)>,
    /// Monotonic time until which only its age counts.
    spared_until_us: u64,
    /// Requests after which it is to be replaced, and to leave.
    requests: Option<(u64, u64)>,
    memory: Option<MemoryBound>,
    /// Set by a signal that came to this process alone, or to all.
    told_to_leave: Arc<AtomicBool>,
    asked: AtomicBool,
}

/// How big it may be.
#[derive(Debug)]
struct MemoryBound {
    own: OwnMemory,
    resident: Option<u64>,
    address_space: Option<u64>,
    next_look_us: AtomicU64,
}

impl Wear {
    /// Of the process in a post.
    pub(super) fn new(recycling: &Recycling, post: Post, born_us: u64) -> Self {
        let old_after = recycling.max_lifetime.map(|most| lifetimes(most, recycling, post));
        let old_us = old_after.map(|(replaced, left)| (born_us.saturating_add(replaced), born_us.saturating_add(left)));
        Self {
            old_us,
            spared_until_us: born_us.saturating_add(micros(recycling.min_lifetime)),
            requests: (recycling.max_requests > 0).then(|| requests(recycling, post)),
            memory: MemoryBound::of(recycling),
            told_to_leave: Arc::default(),
            asked: AtomicBool::new(false),
        }
    }

    /// From here on SIGTERM and SIGHUP make the process leave once it has nothing to do, and nothing that means
    /// something to the master ends it in the middle of a request.
    pub(super) fn heed_signals(&self) {
        note_signals(&[Signal::SIGTERM, Signal::SIGHUP], &self.told_to_leave);
        note_signals(&[Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGXFSZ], &Arc::default());
    }

    /// Monotonic time at which its age is to be looked at next.
    pub(super) fn old_at_us(&self) -> Option<u64> {
        let (replaced_us, left_us) = self.old_us?;
        Some(if self.asked.load(Ordering::Relaxed) { left_us } else { replaced_us })
    }

    /// What is due, if anything is. A successor is asked for once. `requests`: how many it has had.
    pub(super) fn due(&self, now_us: u64, requests: u64) -> Option<Due> {
        match self.look(now_us, requests)? {
            Due::Successor(_) if self.asked.swap(true, Ordering::Relaxed) => None,
            due => Some(due),
        }
    }

    fn look(&self, now_us: u64, requests: u64) -> Option<Due> {
        if self.told_to_leave.load(Ordering::Relaxed) {
            return Some(Due::End(LeaveReason::Signal));
        }
        let of_age = self.old_us.and_then(|bounds| passed(now_us, bounds, LeaveReason::MaxLifetime));
        if of_age.is_some() || now_us < self.spared_until_us {
            return of_age;
        }
        let grown = self.memory.as_ref().is_some_and(|memory| memory.is_exceeded(now_us));
        let of_work = self.requests.and_then(|bounds| passed(requests, bounds, LeaveReason::MaxRequests));
        if grown { Some(Due::End(LeaveReason::Memory)) } else { of_work }
    }
}

/// What follows from a figure that is to be below the first bound, and must be below the second.
fn passed(figure: u64, (replaced, left): (u64, u64), reason: LeaveReason) -> Option<Due> {
    match figure {
        _ if figure >= left => Some(Due::End(reason)),
        _ if figure >= replaced => Some(Due::Successor(reason)),
        _ => None,
    }
}

/// Requests after which it is to be replaced, and a tenth more for the successor to get ready.
fn requests(recycling: &Recycling, post: Post) -> (u64, u64) {
    let Recycling { max_requests, max_requests_delta, requests_together, .. } = *recycling;
    let apart = apart(max_requests, max_requests_delta, requests_together, post);
    let replaced = max_requests.saturating_add(apart);
    (replaced, replaced.saturating_add(max_requests / 10))
}

/// The same for the age, in microseconds.
fn lifetimes(most: Duration, recycling: &Recycling, post: Post) -> (u64, u64) {
    let apart = apart(micros(most), micros(recycling.max_lifetime_delta), recycling.lifetimes_together, post);
    let replaced = micros(most).saturating_add(apart);
    (replaced, replaced.saturating_add(micros(OVERTIME_MIN.max(most / 10))))
}

/// How far behind the first one's bound that of a post is: by the delta for each before it, or else by up to a tenth of the
/// bound, another share for each number, so that processes which were begun together are not replaced together. The shares
/// are those of the golden ratio: however many there are, they lie apart.
fn apart(most: u64, delta: u64, together: bool, post: Post) -> u64 {
    let earlier = u64::from(post.number.saturating_sub(1));
    match delta {
        0 if together => 0,
        0 => most / 10 * (earlier * 618 % 1_000) / 1_000,
        delta => delta.saturating_mul(earlier),
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl MemoryBound {
    fn of(recycling: &Recycling) -> Option<Self> {
        let (resident, address_space) = (recycling.rss, recycling.address_space);
        (resident.is_some() || address_space.is_some()).then(|| Self {
            own: OwnMemory::of_this_process(),
            resident,
            address_space,
            next_look_us: AtomicU64::new(0),
        })
    }

    fn is_exceeded(&self, now_us: u64) -> bool {
        if now_us < self.next_look_us.load(Ordering::Relaxed) {
            return false;
        }
        let (resident, address_space) = self.own.bytes();
        let reaches = |part: fn(u64) -> u64| {
            let over = |limit: Option<u64>, used| limit.is_some_and(|limit| used >= part(limit));
            over(self.resident, resident) || over(self.address_space, address_space)
        };
        let is_near = reaches(|limit| limit - limit / 8);
        let patience_us = if is_near { 0 } else { BETWEEN_LOOKS_US };
        self.next_look_us.store(now_us.saturating_add(patience_us), Ordering::Relaxed);
        is_near && reaches(|limit| limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000;

    fn wear(number: u32, recycling: &Recycling) -> Wear {
        let recycling = Recycling { min_lifetime: Duration::ZERO, ..recycling.clone() };
        Wear::new(&recycling, Post::worker(number), 0)
    }

    #[test]
    fn who_has_worked_enough_asks_once_and_leaves_a_tenth_later() {
        let recycling = Recycling { max_requests: 200, ..Recycling::default() };
        let first = wear(1, &recycling);
        assert_eq!(first.due(0, 199), None);
        assert_eq!(first.due(0, 200), Some(Due::Successor(LeaveReason::MaxRequests)));
        assert_eq!([first.due(0, 200), first.due(0, 219)], [None, None]);
        assert_eq!(first.due(0, 220), Some(Due::End(LeaveReason::MaxRequests)));
    }

    #[test]
    fn a_few_requests_are_exactly_so_many() {
        let recycling = Recycling { max_requests: 3, ..Recycling::default() };
        for number in [1, 2, 9] {
            assert_eq!(wear(number, &recycling).due(0, 3), Some(Due::End(LeaveReason::MaxRequests)));
        }
    }

    #[test]
    fn those_that_were_begun_together_are_not_replaced_together() {
        let mut recycling =
            Recycling { max_requests: 1_000, max_lifetime: Some(Duration::from_secs(100)), ..Recycling::default() };
        let bounds = |recycling: &Recycling| -> Vec<(u64, u64)> {
            let of = |number| wear(number, recycling);
            (1..=5).map(|number| (of(number).requests.unwrap().0, of(number).old_at_us().unwrap() / S)).collect()
        };
        assert_eq!(bounds(&recycling), [(1_000, 100), (1_061, 106), (1_023, 102), (1_085, 108), (1_047, 104)]);
        (recycling.requests_together, recycling.lifetimes_together) = (true, true);
        assert_eq!(bounds(&recycling), [(1_000, 100); 5], "a delta of zero is what was asked for");
        (recycling.max_requests_delta, recycling.max_lifetime_delta) = (7, Duration::from_secs(3));
        assert_eq!(bounds(&recycling)[2], (1_014, 106));
    }

    #[test]
    fn who_is_too_old_waits_for_its_successor_for_a_while() {
        let old = wear(1, &Recycling { max_lifetime: Some(Duration::from_secs(5)), ..Recycling::default() });
        assert_eq!(old.old_at_us(), Some(5 * S));
        assert_eq!(old.due(5 * S, 0), Some(Due::Successor(LeaveReason::MaxLifetime)));
        assert_eq!(old.old_at_us(), Some(15 * S), "nothing to look at until then");
        assert_eq!(old.due(15 * S, 0), Some(Due::End(LeaveReason::MaxLifetime)));
    }

    #[test]
    fn who_is_near_its_bound_of_memory_looks_after_every_request() {
        let (used, _) = OwnMemory::of_this_process().bytes();
        for (limit, next_us) in [(used + used / 16, 5), (used * 16, 5 + BETWEEN_LOOKS_US)] {
            let bound = MemoryBound::of(&Recycling { rss: Some(limit), ..Recycling::default() }).expect("a bound");
            bound.is_exceeded(5);
            assert_eq!(bound.next_look_us.load(Ordering::Relaxed), next_us, "{used} of {limit}");
        }
    }

    #[test]
    fn who_has_grown_too_big_leaves_at_once() {
        let big = wear(1, &Recycling { rss: Some(1), max_requests: 100, ..Recycling::default() });
        assert_eq!(big.due(0, 100), Some(Due::End(LeaveReason::Memory)));
        assert_eq!(wear(1, &Recycling { rss: Some(u64::MAX), ..Recycling::default() }).due(0, 100), None);
    }
}
