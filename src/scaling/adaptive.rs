//! `adaptive`, rhinod's own policy and the default: as many workers as keep the wait under a target.
//!
//! # The rule
//!
//! Let `j` be the requests in hand and in the queue, `S` the time one takes, and *slack* the part of the target wait
//! that is left after a worker has started (target - boot - reaction). With `n` workers the last of `j` requests waits
//! about `(j - n) * S / n`; this stays within the slack as long as
//!
//! ```text
//! n >= need(j) = j * S / (S + slack)
//! ```
//!
//! So short requests may queue (ten of 1 ms are cheaper than ten workers), long ones get a worker each. The estimate is
//! corrected by what is seen: a request in hand for longer than `S` raises `S`, and a connection that has been waiting
//! for the slack (anything queued at an earlier look and not overtaken is still queued: Shenango's rule, which is
//! CoDel's minimum over a window seen from the other side) makes `need(j) = j`.
//!
//! - **Grow** at once by `need - workers`, in doubling waves as long as it is unknown how much of a request is computing.
//! - **Margin**: where a start takes a good part of the target wait, idle workers are kept in proportion to the square
//!   root of the load (Halfin and Whitt's staffing), more of them the longer a start takes.
//! - **Cores**: of the requests' time the share `u` is spent computing, so `cpus / u` workers keep all cores busy. Once
//!   requests are seen to wait for a core, nothing grows past one and a half times that.
//! - **Shrink** one by one when no moment of the last [`patience_us`] needed so many, so that bursts are remembered.

use super::{CpuUse, Reason, Sample, View, Wake, Wish};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What a decision takes to have an effect besides the start of the worker: waking, reading, ordering.
const REACTION_US: u64 = 500;
/// The shortest and longest pause between two looks at a queue.
const QUEUE_LOOK_MIN_US: u64 = 1_000;
const QUEUE_LOOK_MAX_US: u64 = 20_000;
/// Pause between two looks above the minimum: they sample the need, and find the end of a load.
const SURPLUS_LOOK_US: u64 = 100_000;
/// Once the surplus is proven, all of it is retired within about this time, one worker a look.
const DESCENT_US: u64 = 2_000_000;
/// Shortest time that a need is remembered.
const PATIENCE_MIN_US: u64 = 10_000_000;
/// Longest time that a need is remembered.
const PATIENCE_MAX_US: u64 = 120_000_000;
/// Time constant of the mean load.
const LOAD_MEMORY_US: u64 = 2_000_000;
/// Number of requests over which the service time is averaged.
const SERVICE_MEMORY: u64 = 32;
/// Longest service time that is told apart (11 days); keeps products in range.
const SERVICE_MAX_US: u64 = 1_000_000_000_000;
/// Growth that needs no knowledge of the application.
const WAVE_MIN: u32 = 4;
/// Share of their time that requests wait for a core, in thousandths, above which the cores count as busy.
const DELAYED_BUSY: u64 = 250;
/// Busy time that one measurement of the processor share covers at least.
const CPU_WINDOW_US: u64 = 2_000;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    began: bool,
    last_us: u64,
    requests_last: u64,
    busy_time_last_us: u64,
    work_last_us: u64,
    service_us: Option<u64>,
    load_milli: u64,
    standing: Option<Standing>,
    cpu: Cpu,
    needs: Needs,
    grown_last_us: Option<u64>,
}

/// The end of the queue at some look: everything then queued is served once so many requests have begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Standing {
    since_us: u64,
    served_when_begun: u64,
}

/// How a request's time divides, in thousandths of the time a worker is busy with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Cpu {
    last: CpuUse,
    /// On a core, of the time not spent waiting for one. `None`: not known yet.
    computing_permille: Option<u64>,
    /// Waiting for a core.
    delayed_permille: u64,
}

/// The largest need of the last while: a monotonic queue, newest last, needs strictly decreasing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Needs(VecDeque<(u64, u32)>);

pub(crate) fn look(memory: &mut Memory, view: &View) -> Wish {
    let sample = view.sample;
    memory.learn(sample);
    let waited_us = memory.waited(sample);
    let slack_us = slack_us(view);
    let need = memory.need(view, slack_us, waited_us);
    let margin = memory.margin(view);
    let patience_us = patience_us(sample.boot_us, view.settings.target_wait_us);
    memory.needs.note(sample.now_us, need, patience_us);
    let (workers, reason) = memory
        .grow(view, need, margin, waited_us)
        .unwrap_or_else(|| memory.shrink(view, margin, patience_us).unwrap_or((0, Reason::Steady)));
    let next_look_us = memory.next_look(view, slack_us, workers, margin);
    Wish { workers, reason, next_look_us, wake: wake(view, margin) }
}

/// How long a need is remembered: 10 s, longer where starting a worker takes more than the target wait, at most two
/// minutes. Without load the minimum is reached after this time and two seconds.
pub fn patience_us(boot_us: u64, target_wait_us: u64) -> u64 {
    let ratio_permille = boot_us.saturating_mul(1000) / target_wait_us.max(1000);
    (PATIENCE_MIN_US / 1000).saturating_mul(ratio_permille.max(1000)).min(PATIENCE_MAX_US)
}

impl Memory {
    fn learn(&mut self, sample: &Sample) {
        let in_hand_us = u64::from(sample.serving).saturating_mul(sample.busy_age_us);
        let work_us = sample.busy_time_us.saturating_add(in_hand_us);
        if self.began {
            let elapsed_us = sample.now_us.saturating_sub(self.last_us);
            let worked_us = work_us.saturating_sub(self.work_last_us);
            if let Some(mean) = worked_us.saturating_mul(1000).checked_div(elapsed_us) {
                self.load_milli = blend(self.load_milli, mean, elapsed_us, LOAD_MEMORY_US);
            }
            let finished = sample.requests_total.saturating_sub(self.requests_last);
            if let Some(mean) = sample.busy_time_us.saturating_sub(self.busy_time_last_us).checked_div(finished) {
                self.service_us = Some(self.service_us.map_or(mean, |old| blend(old, mean, finished, SERVICE_MEMORY)));
            }
        }
        self.began = true;
        self.last_us = sample.now_us;
        self.work_last_us = work_us.max(self.work_last_us);
        self.requests_last = sample.requests_total;
        self.busy_time_last_us = sample.busy_time_us;
        if let Some(cpu) = sample.cpu {
            self.cpu.learn(cpu);
        }
    }

    /// How long the head of the queue has waited for certain.
    fn waited(&mut self, sample: &Sample) -> u64 {
        let queue = u64::from(sample.queue.unwrap_or(0));
        let begun = sample.requests_total.saturating_add(u64::from(sample.serving));
        if queue == 0 {
            self.standing = None;
            return 0;
        }
        let fresh = Standing { since_us: sample.now_us, served_when_begun: begun.saturating_add(queue) };
        let standing = match self.standing {
            Some(standing) if begun < standing.served_when_begun => standing,
            _ => fresh,
        };
        self.standing = Some(standing);
        sample.now_us.saturating_sub(standing.since_us).max(sample.oldest_wait_us)
    }

    /// Workers that serve all requests now here within the slack.
    fn need(&self, view: &View, slack_us: u64, waited_us: u64) -> u32 {
        let sample = view.sample;
        let jobs = u64::from(sample.jobs());
        let workers = match self.service_us {
            Some(service_us) if slack_us > 0 && waited_us.saturating_add(REACTION_US) < slack_us => {
                let service_us = service_us.max(sample.busy_age_us.saturating_mul(2)).clamp(1, SERVICE_MAX_US);
                jobs.saturating_mul(service_us).div_ceil(service_us + slack_us)
            }
            _ => jobs,
        };
        u32::try_from(workers.div_ceil(u64::from(view.settings.threads.max(1)))).unwrap_or(u32::MAX)
    }

    /// Idle workers to keep: the square root of the load, scaled by how much of the target wait a start takes.
    fn margin(&self, view: &View) -> u32 {
        let ratio_permille =
            (view.sample.boot_us.saturating_mul(1000) / view.settings.target_wait_us.max(1000)).min(4000);
        if ratio_permille < 500 {
            return 0;
        }
        let threads = u64::from(view.settings.threads.max(1));
        let root_milli = (self.load_milli / threads).saturating_mul(1000).isqrt();
        u32::try_from((root_milli.saturating_mul(ratio_permille) / 2).div_ceil(1_000_000)).unwrap_or(u32::MAX)
    }

    fn grow(&mut self, view: &View, need: u32, margin: u32, waited_us: u64) -> Option<(i64, Reason)> {
        let sample = view.sample;
        let supply = sample.live();
        let busy_workers = need.max(sample.busy);
        let wanted = busy_workers.saturating_add(margin).min(view.settings.maximum);
        if wanted <= supply || !view.may_grow || view.room() == 0 {
            return None;
        }
        if let Some(useful) = self.cpu.useful_workers(sample.cpus)
            && wanted > useful
            && supply >= useful
        {
            let reason = Reason::CoresBusy {
                needed: wanted,
                useful,
                cpus: sample.cpus,
                cpu_permille: self.cpu.computing_permille.unwrap_or(1000) as u32,
                delayed_permille: self.cpu.delayed_permille as u32,
            };
            return Some((0, reason));
        }
        let ceiling = self.cpu.useful_workers(sample.cpus).unwrap_or(u32::MAX).max(supply);
        let workers = (wanted - supply).min(self.wave(view)).min(ceiling - supply);
        if workers == 0 {
            return None;
        }
        self.grown_last_us = Some(sample.now_us);
        let reason = if need > supply {
            Reason::Waiting {
                jobs: sample.jobs(),
                workers: supply,
                needed: need,
                waited_us,
                service_us: self.service_us.unwrap_or(0),
                target_us: view.settings.target_wait_us,
            }
        } else {
            Reason::Margin { spare: view.spare(), margin, load_milli: self.load_milli }
        };
        Some((i64::from(workers), reason))
    }

    /// As many as are needed if requests are known to leave the cores alone; else the number doubles, and the next
    /// wave follows when this one is at work.
    fn wave(&self, view: &View) -> u32 {
        let sample = view.sample;
        match self.cpu.computing_permille {
            Some(share) if share * u64::from(view.settings.maximum) <= 1000 * u64::from(sample.cpus) => u32::MAX,
            _ if sample.cpu.is_none() => u32::MAX,
            _ => (sample.busy + sample.idle).max(WAVE_MIN).saturating_sub(sample.starting),
        }
    }

    fn shrink(&mut self, view: &View, margin: u32, patience_us: u64) -> Option<(i64, Reason)> {
        let sample = view.sample;
        let keep = self.needs.largest().saturating_add(margin).max(view.settings.minimum);
        let rested = self.grown_last_us.is_none_or(|grown| sample.now_us >= grown.saturating_add(patience_us));
        if sample.live() <= keep || !rested || sample.starting > 0 {
            return None;
        }
        Some((-1, Reason::Surplus { workers: sample.live(), keep, for_us: patience_us }))
    }

    fn next_look(&self, view: &View, slack_us: u64, workers: i64, margin: u32) -> Option<u64> {
        let sample = view.sample;
        let now = sample.now_us;
        let can_grow = view.room() > 0 && view.may_grow;
        if sample.queue.unwrap_or(0) > 0 && can_grow {
            return Some(now + (slack_us / 4).clamp(QUEUE_LOOK_MIN_US, QUEUE_LOOK_MAX_US));
        }
        if sample.live() <= view.settings.minimum && workers == 0 {
            return None;
        }
        if workers >= 0 {
            return Some(now + SURPLUS_LOOK_US);
        }
        let keep = self.needs.largest().saturating_add(margin).max(view.settings.minimum);
        let surplus = u64::from(sample.live().saturating_sub(keep).max(1));
        Some(now + (DESCENT_US / surplus).min(SURPLUS_LOOK_US))
    }
}

impl Cpu {
    fn learn(&mut self, now: CpuUse) {
        let busy = now.busy_us.saturating_sub(self.last.busy_us);
        if busy < CPU_WINDOW_US {
            return;
        }
        let used = now.used_us.saturating_sub(self.last.used_us).min(busy);
        let delayed = now.delayed_us.saturating_sub(self.last.delayed_us).min(busy - used);
        self.last = now;
        let computing = used.saturating_mul(1000) / (busy - delayed).max(1);
        let weight = busy.min(50 * CPU_WINDOW_US);
        let memory = 25 * CPU_WINDOW_US;
        self.computing_permille =
            Some(self.computing_permille.map_or(computing, |old| blend(old, computing, weight, memory)));
        self.delayed_permille = blend(self.delayed_permille, delayed.saturating_mul(1000) / busy, weight, memory);
    }

    /// The number of workers that the cores can use, once requests are seen to wait for a core.
    fn useful_workers(&self, cpus: u32) -> Option<u32> {
        let computing = self.computing_permille?;
        if self.delayed_permille < DELAYED_BUSY || cpus == 0 {
            return None;
        }
        let workers = (u64::from(cpus) * 1500).div_ceil(computing.max(1)) + 1;
        Some(u32::try_from(workers).unwrap_or(u32::MAX))
    }
}

impl Needs {
    fn note(&mut self, now_us: u64, need: u32, patience_us: u64) {
        while self.0.back().is_some_and(|&(_, older)| older <= need) {
            self.0.pop_back();
        }
        self.0.push_back((now_us, need));
        while self.0.front().is_some_and(|&(when, _)| when.saturating_add(patience_us) < now_us) {
            self.0.pop_front();
        }
    }

    fn largest(&self) -> u32 {
        self.0.front().map_or(0, |&(_, need)| need)
    }
}

/// What is left of the target wait once a worker has started.
fn slack_us(view: &View) -> u64 {
    view.settings.target_wait_us.saturating_sub(view.sample.boot_us).saturating_sub(REACTION_US)
}

fn wake(view: &View, margin: u32) -> Wake {
    if view.room() == 0 || !view.may_grow {
        return Wake::Never;
    }
    if view.sample.idle > 0 || margin > 0 {
        return Wake::SpareAtMost(margin);
    }
    // with nobody idle the next connection stays in the queue: that is the moment to know of, unless the timer looks
    if view.sample.queue.unwrap_or(0) > 0 { Wake::Never } else { Wake::QueueReadable }
}

/// An exponential mean: `new` counts with `weight / (weight + memory)`.
fn blend(old: u64, new: u64, weight: u64, memory: u64) -> u64 {
    let (old, new, weight, memory) = (u128::from(old), u128::from(new), u128::from(weight), u128::from(memory));
    u64::try_from((old * memory + new * weight) / (weight + memory)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Run, SECOND_US, sample, settings};
    use super::super::{Decision, Pace, Reason, Sample, Wake};
    use super::{Needs, patience_us};
    use crate::config::model::Policy;

    fn run(minimum: u32, maximum: u32) -> Run {
        Run::new(settings(Policy::Adaptive, Pace::Events, minimum, maximum))
    }

    fn queued(now_us: u64, busy: u32, queue: u32) -> Sample {
        Sample { queue: Some(queue), boot_us: 2_000, ..sample(now_us, busy, 0) }
    }

    #[test]
    fn connections_that_wait_on_an_unknown_application_get_a_worker_each() {
        let decided = run(1, 20).look(&queued(1_000, 1, 15));
        assert_eq!(decided.decision, Decision::Grow(15));
        assert!(matches!(decided.reason, Reason::Waiting { jobs: 16, workers: 1, needed: 16, .. }));
    }

    #[test]
    fn workers_that_are_starting_are_not_ordered_again() {
        let mut run = run(1, 20);
        run.look(&queued(1_000, 1, 15));
        assert_eq!(run.change(&Sample { starting: 15, ..queued(2_000, 1, 15) }), 0);
    }

    #[test]
    fn short_requests_may_queue_until_one_has_waited_for_the_slack() {
        let mut run = run(2, 20);
        run.look(&sample(0, 0, 2));
        let served = |now, queue| Sample { requests_total: 1000, busy_time_us: 1_000_000, ..queued(now, 2, queue) };
        assert_eq!(run.change(&served(SECOND_US, 5)), 0, "five of 1 ms on two workers wait 3 ms");
        assert_eq!(run.change(&served(SECOND_US + 7_000, 5)), 5, "but these have not moved for 7 ms");
    }

    #[test]
    fn a_request_in_hand_for_long_corrects_the_estimate() {
        let mut run = run(2, 20);
        run.look(&sample(0, 0, 2));
        let stuck =
            Sample { requests_total: 1000, busy_time_us: 1_000_000, busy_age_us: 400_000, ..queued(SECOND_US, 2, 5) };
        assert_eq!(run.change(&stuck), 5);
    }

    #[test]
    fn what_was_needed_is_kept_for_the_patience_and_then_left_one_by_one() {
        let mut run = run(2, 20);
        assert_eq!(run.change(&queued(0, 2, 4)), 4);
        let (mut now, mut live, mut left) = (100_000, 6, Vec::new());
        loop {
            let decided = run.look(&Sample { boot_us: 2_000, ..sample(now, 0, live) });
            if let Decision::Shrink(count) = decided.decision {
                assert_eq!(count, 1);
                live -= count;
                left.push(now);
            }
            match decided.next_look_us {
                Some(next) => now = next,
                None => break,
            }
        }
        assert_eq!((live, left.len()), (2, 4));
        assert!(left[0] >= 10 * SECOND_US && left[3] <= 13 * SECOND_US, "{left:?}");
    }

    #[test]
    fn without_load_at_the_minimum_it_sleeps_until_the_last_idle_worker_is_taken() {
        let decided = run(2, 20).look(&sample(0, 0, 2));
        assert_eq!((decided.next_look_us, decided.wake), (None, Wake::SpareAtMost(0)));
    }

    #[test]
    fn patience_grows_with_the_start_of_a_worker_up_to_two_minutes() {
        assert_eq!(patience_us(2_000, 10_000), 10 * SECOND_US);
        assert_eq!(patience_us(30_000, 10_000), 30 * SECOND_US);
        assert_eq!(patience_us(5 * SECOND_US, 10_000), 120 * SECOND_US);
    }

    #[test]
    fn the_largest_need_is_that_of_the_window() {
        let mut needs = Needs::default();
        for (now, need) in [(0, 5), (1, 3), (2, 4), (3, 1)] {
            needs.note(now, need, 2);
        }
        assert_eq!(needs.largest(), 4);
        needs.note(9, 1, 2);
        assert_eq!(needs.largest(), 1);
    }
}
