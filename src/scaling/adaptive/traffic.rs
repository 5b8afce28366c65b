//! What `adaptive` knows of the requests: how many come, how long they take, how long the queue has stood.

use crate::scaling::Sample;
use serde::{Deserialize, Serialize};

/// Time constant of the rate of arrivals.
const RATE_MEMORY_US: u64 = 2_000_000;
/// Number of requests over which the service time is averaged.
const SERVICE_MEMORY: u64 = 64;
/// Longest service time that is told apart (11 days); keeps products in range.
const SERVICE_MAX_US: u64 = 1_000_000_000_000;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Traffic {
    last: Option<Last>,
    service_us: Option<u64>,
    /// Arrivals in 1,000 seconds.
    rate: u64,
    standing: Option<Standing>,
    boot: Boot,
}

/// Time that a worker takes to start on its own. Of several that start at once all but the first also wait for the
/// others' forks: a longer measurement counts only if no other worker was starting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Boot {
    measured_us: u64,
    believed_us: u64,
    starting: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    now_us: u64,
    requests_total: u64,
    busy_time_us: u64,
    arrived: u64,
}

/// The end of the queue at some look: everything then queued is served once so many requests have begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Standing {
    since_us: u64,
    served_when_begun: u64,
}

impl Traffic {
    pub(super) fn learn(&mut self, sample: &Sample) {
        self.boot.learn(sample.boot_us, sample.starting);
        let arrived = begun(sample).saturating_add(u64::from(sample.queue.unwrap_or(0)));
        let now = Last {
            now_us: sample.now_us,
            requests_total: sample.requests_total,
            busy_time_us: sample.busy_time_us,
            arrived,
        };
        if let Some(last) = self.last.replace(now) {
            let elapsed_us = now.now_us.saturating_sub(last.now_us);
            let came = now.arrived.saturating_sub(last.arrived);
            if let Some(rate) = came.saturating_mul(1_000_000_000).checked_div(elapsed_us) {
                self.rate = blend(self.rate, rate, elapsed_us, RATE_MEMORY_US);
            }
            let finished = now.requests_total.saturating_sub(last.requests_total);
            if let Some(mean) = now.busy_time_us.saturating_sub(last.busy_time_us).checked_div(finished) {
                self.service_us = Some(self.service_us.map_or(mean, |old| blend(old, mean, finished, SERVICE_MEMORY)));
            }
        }
    }

    /// How long the head of the queue has waited for certain.
    pub(super) fn waited(&mut self, sample: &Sample) -> u64 {
        let queue = u64::from(sample.queue.unwrap_or(0));
        if queue == 0 {
            self.standing = None;
            return 0;
        }
        let begun = begun(sample);
        let fresh = Standing { since_us: sample.now_us, served_when_begun: begun.saturating_add(queue) };
        let standing = match self.standing {
            Some(standing) if begun < standing.served_when_begun => standing,
            _ => fresh,
        };
        self.standing = Some(standing);
        let stood_us = sample.now_us.saturating_sub(standing.since_us);
        stood_us.max(sample.oldest_wait_us).max(sample.exact_wait_us)
    }

    /// Mean time of a request, once one has finished.
    pub(super) fn service_us(&self) -> Option<u64> {
        self.service_us
    }

    /// Requests in hand on average if none had to wait, in thousandths (Erlang).
    pub(super) fn load_milli(&self) -> u64 {
        self.rate.saturating_mul(self.service_us.unwrap_or(0)) / 1_000_000
    }

    /// Time that a worker takes to start on its own.
    pub(super) fn boot_us(&self) -> u64 {
        self.boot.believed_us
    }

    /// The mean, corrected by the requests in hand: one seen at a random moment is at half its time.
    fn service_seen_us(&self, sample: &Sample) -> Option<u64> {
        let service_us = self.service_us?;
        Some(service_us.max(sample.busy_age_us.saturating_mul(2)).clamp(1, SERVICE_MAX_US))
    }

    /// Workers (of one thread) with which the last of `jobs` requests waits no longer than `allowed_us`.
    pub(super) fn workers_within(&self, sample: &Sample, jobs: u64, allowed_us: u64) -> u64 {
        match self.service_seen_us(sample) {
            Some(service_us) => jobs.saturating_mul(service_us).div_ceil(service_us.saturating_add(allowed_us)),
            None => jobs,
        }
    }

    /// Requests still here when a worker ordered now is ready, if `capacity` are served at once until then: a queue
    /// shrinks (or grows) by the difference between capacity and load in each service time.
    pub(super) fn jobs_after_boot(&self, sample: &Sample, capacity: u64) -> u64 {
        let jobs = u64::from(sample.jobs());
        let Some(service_us) = self.service_seen_us(sample) else { return jobs };
        if jobs <= capacity {
            return jobs;
        }
        let in_boot = |milli: u64| milli.saturating_mul(self.boot_us()) / service_us / 1000;
        let load_milli = self.load_milli();
        let grows = in_boot(load_milli.saturating_sub(capacity.saturating_mul(1000)));
        let drains = in_boot(capacity.saturating_mul(1000).saturating_sub(load_milli));
        jobs.saturating_add(grows).saturating_sub(drains).max(capacity)
    }
}

impl Boot {
    fn learn(&mut self, measured_us: u64, starting: u32) {
        let together = std::mem::replace(&mut self.starting, starting);
        if measured_us == self.measured_us {
            return;
        }
        let first = std::mem::replace(&mut self.measured_us, measured_us) == 0;
        if first || measured_us < self.believed_us {
            self.believed_us = measured_us;
        } else if together <= 1 {
            self.believed_us = blend(self.believed_us, measured_us, 1, 1);
        }
    }
}

/// Requests that some worker has begun.
fn begun(sample: &Sample) -> u64 {
    sample.requests_total.saturating_add(u64::from(sample.serving))
}

/// An exponential mean: `new` counts with `weight / (weight + memory)`.
pub(super) fn blend(old: u64, new: u64, weight: u64, memory: u64) -> u64 {
    let (old, new, weight, memory) = (u128::from(old), u128::from(new), u128::from(weight), u128::from(memory));
    u64::try_from((old * memory + new * weight) / (weight + memory)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Boot, Traffic, blend};
    use crate::scaling::Sample;
    use crate::scaling::fixture::{SECOND_US, sample};

    /// 100 requests a second of 20 ms each, looked at ten times a second.
    fn steady() -> Traffic {
        let mut traffic = Traffic::default();
        for tenth in 0..200 {
            let seen = Sample {
                requests_total: tenth * 10,
                busy_time_us: tenth * 200_000,
                ..sample(tenth * SECOND_US / 10, 2, 0)
            };
            traffic.learn(&seen);
        }
        traffic
    }

    #[test]
    fn load_is_rate_times_service_time() {
        let traffic = steady();
        assert_eq!(traffic.service_us(), Some(20_000));
        assert!((1_990..=2_000).contains(&traffic.load_milli()), "{}", traffic.load_milli());
    }

    #[test]
    fn what_was_queued_and_not_overtaken_has_waited_since() {
        let mut traffic = Traffic::default();
        let seen = |now_us, begun: u64, queue| Sample {
            requests_total: begun - 2,
            queue: Some(queue),
            ..sample(now_us, 2, 0)
        };
        assert_eq!(traffic.waited(&seen(1_000, 10, 3)), 0);
        assert_eq!(traffic.waited(&seen(5_000, 12, 4)), 4_000, "the third of then still waits");
        assert_eq!(traffic.waited(&seen(7_000, 13, 4)), 0, "all three have begun; these are others");
        assert_eq!(traffic.waited(&seen(8_000, 13, 4)), 1_000);
        assert_eq!(traffic.waited(&seen(9_000, 17, 0)), 0);
    }

    #[test]
    fn a_slow_start_counts_only_what_it_can_still_help() {
        let with_boot =
            |boot_us| Traffic { boot: Boot { measured_us: boot_us, believed_us: boot_us, starting: 0 }, ..steady() };
        let seen = Sample { queue: Some(6), ..sample(20 * SECOND_US, 4, 0) };
        assert_eq!(with_boot(0).jobs_after_boot(&seen, 4), 10);
        // in 40 ms, two service times, 4 at once serve 8 while 2 * 2 come
        assert_eq!(with_boot(40_000).jobs_after_boot(&seen, 4), 6);
        assert_eq!(with_boot(400_000).jobs_after_boot(&seen, 4), 4, "the queue is gone before the worker is there");
        assert_eq!(with_boot(400_000).jobs_after_boot(&seen, 1), 29, "one alone falls behind by one in a service time");
    }

    #[test]
    fn sixteen_starts_at_once_do_not_make_a_start_slow() {
        let mut boot = Boot::default();
        for started in 1..=16 {
            boot.learn(2_000 * started, 17 - started as u32);
        }
        assert_eq!(boot.believed_us, 2_000);
        boot.learn(32_000, 1);
        boot.learn(6_000, 0);
        assert_eq!(boot.believed_us, 4_000, "alone it counts");
    }

    #[test]
    fn blending_weighs() {
        assert_eq!((blend(100, 200, 1, 1), blend(100, 200, 1, 3), blend(7, 9, 0, 5)), (150, 125, 7));
    }
}
