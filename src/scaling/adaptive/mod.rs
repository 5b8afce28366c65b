//! `adaptive`, rhinod's own policy and the default: as many workers as keep the wait under a target.
//!
//! # The rule
//!
//! Let `j` be the requests in hand and in the queue, `S` the time one takes, and *slack* the part of the target wait
//! that is left once a worker has started (target - boot - reaction). With `n` workers the last of `j` requests waits
//! about `(j - n) * S / n`; this stays within the slack as long as
//!
//! ```text
//! n >= need(j) = j * S / (S + slack)
//! ```
//!
//! So short requests may queue (ten of 1 ms are cheaper than ten workers), long ones get a worker each. The estimate is
//! corrected by what is seen: requests in hand for longer than `S` raise `S`, and a connection that has waited for the
//! slack (anything queued at an earlier look and not overtaken is still queued: Shenango's rule, which is CoDel's
//! minimum over a window seen from the other side) makes `need(j) = j`.
//!
//! - **Grow** at once by `need - workers`, for the `j` that will still be there when a new worker is ready; in doubling
//!   waves as long as it is unknown whether requests compute or wait.
//! - **Reserve**: where a start takes a good part of the target wait, nobody can be helped by a start, so
//!   `load + beta * sqrt(load)` workers are kept (Halfin and Whitt's staffing); beta is larger the shorter the target is
//!   against the service time.
//! - **Cores**: a share `u` of a request's time is computing, so `cpus / u` workers keep all cores busy. Once requests
//!   are seen to wait for a core, nothing grows past one and a half times that.
//! - **Shrink** one by one when no moment of the last [`patience_us`] needed so many, so that bursts are remembered. A
//!   worker that is missed within ten seconds of leaving is regretted: up to three more are kept for some minutes.

mod cores;
mod traffic;

use super::needs::Needs;
use super::{Reason, View, Wake, Wish, bounds};
use cores::Cores;
use serde::{Deserialize, Serialize};
use traffic::Traffic;

/// What a decision takes to have an effect besides the start of the worker: waking, reading, ordering.
const REACTION_US: u64 = 500;
/// The shortest and longest pause between two looks at a queue.
const QUEUE_LOOK_MIN_US: u64 = 2_000;
const QUEUE_LOOK_MAX_US: u64 = 20_000;
/// How long after growth full cores may be due to the growth itself.
const FORKING_US: u64 = 500_000;
/// Pauses between two looks above the minimum, a tenth of the patience: they sample the need, and find the end of a load.
const SURPLUS_LOOK_MIN_US: u64 = 20_000;
const SURPLUS_LOOK_MAX_US: u64 = 100_000;
/// Once a surplus is proven, all of it is retired within about this time, one worker a look.
const DESCENT_US: u64 = 2_000_000;
/// How long a need is remembered at a target of 10 ms and with quick starts.
const PATIENCE_US: u64 = 10_000_000;
const PATIENCE_MIN_US: u64 = 30_000;
const PATIENCE_MAX_US: u64 = 60_000_000;
/// Most workers that are kept since others were missed, and how long each of them is remembered.
const REGRET_MAX: u32 = 3;
const REGRET_MEMORY_US: u64 = 120_000_000;
/// Beta of the reserve where any wait is late.
const BETA_MAX_MILLI: u64 = 3_000;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    traffic: Traffic,
    cores: Cores,
    needs: Needs,
    looked_last_us: Option<u64>,
    grown_last_us: Option<u64>,
    shrunk_last_us: Option<u64>,
    regret: u32,
    regret_since_us: u64,
}

/// What one look found out.
struct Finding {
    /// How long the head of the queue has waited for certain.
    waited_us: u64,
    /// Workers for the requests here now.
    need: u32,
    /// Workers that the load asks for where starts are slow.
    reserve: u32,
    patience_us: u64,
}

pub(crate) fn look(memory: &mut Memory, view: &View) -> Wish {
    let finding = memory.find(view);
    let (workers, reason) =
        memory.grow(view, &finding).or_else(|| memory.shrink(view, &finding)).unwrap_or((0, Reason::Steady));
    let next_look_us = memory.next_look(view, &finding, workers);
    let wake = wake(view, finding.reserve, next_look_us);
    let (next_look_us, wake) = memory.unhurried(view, workers, next_look_us, wake);
    Wish { workers, reason, next_look_us, wake }
}

/// How long a need is remembered. At the default target of 10 ms: 10 s. A larger target says that memory counts for more
/// than waits: the time falls with its cube (20 ms: 1.25 s), to 30 ms. Where starting a worker takes as
/// long as the target or longer, leaving is dear: 10 s times the ratio, at most a minute. Without load the minimum is
/// nearly reached after this time and two seconds; from 10 s on the last few workers stay for three times as long.
pub fn patience_us(boot_us: u64, target_wait_us: u64) -> u64 {
    let target_us = target_wait_us.clamp(1_000, 1_000_000);
    let by_target = PATIENCE_US * 1_000_000_000 / (target_us.max(10_000) / 10).pow(3);
    let ratio_permille = (boot_us.min(60_000_000) * 1000 / target_us).min(1_000_000);
    let by_boot = PATIENCE_US / 1000 * ratio_permille * ratio_permille.min(1000) / 1000;
    by_target.max(by_boot).clamp(PATIENCE_MIN_US, PATIENCE_MAX_US)
}

/// How long the last few workers stay. A few too many may be chance, and retiring them soon would only be regretted.
fn memory_us(patience_us: u64) -> u64 {
    if patience_us >= PATIENCE_US { 3 * patience_us } else { patience_us }
}

impl Memory {
    fn find(&mut self, view: &View) -> Finding {
        let (sample, settings) = (view.sample, view.settings);
        self.traffic.learn(sample);
        if let Some(cpu) = sample.cpu {
            self.cores.learn(cpu);
        }
        self.forget_regret(sample.now_us);
        let waited_us = self.traffic.waited(sample);
        let patience_us = patience_us(self.traffic.boot_us(), settings.target_wait_us);
        // whether fewer would have done is a question of the target, not of how long a start takes
        let sufficient = self.traffic.workers_within(sample, u64::from(sample.jobs()), settings.target_wait_us);
        self.needs.note(sample.now_us, workers(sufficient, settings.threads), memory_us(patience_us));
        Finding { waited_us, need: self.need(view, waited_us), reserve: self.reserve(view), patience_us }
    }

    /// What is left of the target wait once a worker has started.
    fn slack_us(&self, view: &View) -> u64 {
        view.settings.target_wait_us.saturating_sub(self.traffic.boot_us()).saturating_sub(REACTION_US)
    }

    /// Workers that serve within the slack what will still be here when a worker ordered now is ready.
    fn need(&self, view: &View, waited_us: u64) -> u32 {
        let sample = view.sample;
        let threads = view.settings.threads;
        let slack_us = self.slack_us(view);
        let waited_us = waited_us.saturating_add(REACTION_US);
        // whoever has waited that long proves the estimate of what leaves by itself wrong
        if waited_us >= slack_us.max(self.traffic.boot_us()) {
            return workers(u64::from(sample.jobs()), threads);
        }
        let jobs = self.traffic.jobs_after_boot(sample, u64::from(sample.live()) * u64::from(threads));
        workers(self.traffic.workers_within(sample, jobs, slack_us), threads)
    }

    /// `load + beta * sqrt(load)`, phased in where a start takes between a quarter of the target wait and all of it.
    fn reserve(&self, view: &View) -> u32 {
        let target_us = view.settings.target_wait_us.max(1);
        let boot_permille = (self.traffic.boot_us().saturating_mul(1000) / target_us).min(1000);
        let Some(service_us) = self.traffic.service_us() else { return 0 };
        if boot_permille <= 250 {
            return 0;
        }
        let weight_permille = (boot_permille - 250) * 1000 / 750;
        let beta_milli = BETA_MAX_MILLI.saturating_mul(service_us) / (service_us.saturating_add(2 * target_us)).max(1);
        let load_milli = self.traffic.load_milli();
        let root_milli = load_milli.saturating_mul(1000).isqrt();
        let level_milli = load_milli.saturating_add(root_milli.saturating_mul(beta_milli) / 1000);
        workers((level_milli.saturating_mul(weight_permille) / 1000).div_ceil(1000), view.settings.threads)
    }

    fn grow(&mut self, view: &View, finding: &Finding) -> Option<(i64, Reason)> {
        let sample = view.sample;
        let live = sample.live();
        let wanted = finding.need.max(finding.reserve).min(view.settings.maximum);
        if wanted <= live || !view.may_grow || view.room() == 0 {
            return None;
        }
        if let Some(useful) = self.cores.useful_workers(sample.cpus)
            && live >= useful
        {
            return Some((0, self.cores.reason(wanted, useful, sample.cpus)));
        }
        let useful = self.cores.useful_workers(sample.cpus).unwrap_or(u32::MAX);
        let wave = self.cores.wave(sample, view.settings.maximum);
        let growth = (wanted - live).min(useful - live).min(wave);
        if growth == 0 {
            return None;
        }
        self.regret(view);
        self.cores.ordered();
        self.grown_last_us = Some(sample.now_us);
        Some((i64::from(growth), self.growth_reason(view, finding)))
    }

    fn growth_reason(&self, view: &View, finding: &Finding) -> Reason {
        let workers = view.sample.live();
        if finding.need <= workers {
            let load_milli = self.traffic.load_milli();
            return Reason::Reserve { workers, reserve: finding.reserve, load_milli };
        }
        Reason::Waiting {
            jobs: view.sample.jobs(),
            workers,
            needed: finding.need,
            waited_us: finding.waited_us,
            service_us: self.traffic.service_us().unwrap_or(0),
            target_us: view.settings.target_wait_us,
        }
    }

    /// A worker is missed that was retired a moment ago: keep one more for a while.
    fn regret(&mut self, view: &View) {
        let now = view.sample.now_us;
        let steady = patience_us(self.traffic.boot_us(), view.settings.target_wait_us) >= PATIENCE_US;
        if steady && self.shrunk_last_us.is_some_and(|shrunk| now < shrunk.saturating_add(PATIENCE_US)) {
            self.regret = (self.regret + 1).min(REGRET_MAX);
            self.regret_since_us = now;
        }
    }

    fn forget_regret(&mut self, now_us: u64) {
        if self.regret > 0 && now_us >= self.regret_since_us.saturating_add(REGRET_MEMORY_US) {
            self.regret -= 1;
            self.regret_since_us = now_us;
        }
    }

    /// Workers to keep: the largest need remembered, the reserve, and what was regretted (nothing without load).
    fn keep(&self, view: &View, finding: &Finding) -> u32 {
        let load_root = u32::try_from((self.traffic.load_milli() / 1000).isqrt()).unwrap_or(u32::MAX);
        // a load that is gone takes its workers along, all but the few that may be chance
        let recent = self.needs.largest_since(view.sample.now_us.saturating_sub(finding.patience_us));
        let few = recent.saturating_add(1 + recent.isqrt());
        let remembered = self.needs.largest().min(few).saturating_add(self.regret.min(load_root));
        remembered.max(finding.reserve).max(view.settings.minimum)
    }

    fn shrink(&mut self, view: &View, finding: &Finding) -> Option<(i64, Reason)> {
        let sample = view.sample;
        let keep = self.keep(view, finding);
        let rested = self.grown_last_us.is_none_or(|grown| sample.now_us >= grown.saturating_add(finding.patience_us));
        if sample.live() <= keep || !rested || sample.starting > 0 {
            return None;
        }
        if sample.idle > 0 {
            self.shrunk_last_us = Some(sample.now_us);
        }
        Some((-1, Reason::Surplus { workers: sample.live(), keep, for_us: finding.patience_us }))
    }

    fn queue_pause_us(&self, view: &View) -> u64 {
        (self.slack_us(view) / 4).clamp(QUEUE_LOOK_MIN_US, QUEUE_LOOK_MAX_US)
    }

    /// Short requests take the last idle worker thousands of times a second. Two looks in quick succession that found
    /// nothing to do are followed by a pause that only the timer ends; a queue of that age is still within the slack.
    fn unhurried(&mut self, view: &View, workers: i64, next_us: Option<u64>, wake: Wake) -> (Option<u64>, Wake) {
        let now = view.sample.now_us;
        let pause_us = self.queue_pause_us(view);
        let hurried = self.looked_last_us.replace(now).is_some_and(|last| now < last.saturating_add(pause_us));
        if !hurried || workers != 0 || wake == Wake::Never {
            return (next_us, wake);
        }
        (bounds::earliest(next_us, Some(now + pause_us)), Wake::Never)
    }

    fn next_look(&self, view: &View, finding: &Finding, workers: i64) -> Option<u64> {
        let (sample, now) = (view.sample, view.sample.now_us);
        let pause_us = (finding.patience_us / 10).clamp(SURPLUS_LOOK_MIN_US, SURPLUS_LOOK_MAX_US);
        let cores_full = self.cores.useful_workers(sample.cpus).is_some_and(|useful| sample.live() >= useful);
        if sample.queue.unwrap_or(0) > 0 && view.room() > 0 && view.may_grow {
            if !cores_full {
                return Some(now + self.queue_pause_us(view));
            }
            // The forks of a burst take the cores as well, but not for long.
            if self.grown_last_us.is_some_and(|grown| now < grown.saturating_add(FORKING_US)) {
                return Some(now + QUEUE_LOOK_MAX_US);
            }
        }
        if workers < 0 {
            let surplus = u64::from(sample.live().saturating_sub(self.keep(view, finding)).max(1));
            return Some(now + (DESCENT_US / surplus).min(pause_us));
        }
        let nobody_waits = sample.queue.unwrap_or(0) == 0 || view.room() == 0;
        let quiet = sample.live() <= view.settings.minimum && workers == 0 && nobody_waits;
        let below_reserve = sample.busy > 0 && sample.live() < finding.reserve.saturating_add(1);
        (!quiet || below_reserve).then_some(now + pause_us)
    }
}

/// Requests at once to workers.
fn workers(requests: u64, threads: u32) -> u32 {
    u32::try_from(requests.div_ceil(u64::from(threads.max(1)))).unwrap_or(u32::MAX)
}

/// A timer that runs anyway makes early wake-ups for the reserve superfluous.
fn wake(view: &View, reserve: u32, next_look_us: Option<u64>) -> Wake {
    let sample = view.sample;
    if view.room() == 0 || !view.may_grow {
        return Wake::Never;
    }
    if sample.idle > 0 {
        let spare = if next_look_us.is_none() { reserve.saturating_sub(sample.busy).min(sample.idle - 1) } else { 0 };
        return Wake::SpareAtMost(spare);
    }
    // with nobody idle the next connection stays in the queue: that is the moment to know of, unless the timer looks
    if sample.queue.unwrap_or(0) > 0 { Wake::Never } else { Wake::QueueReadable }
}

#[cfg(test)]
mod tests {
    use super::patience_us;
    use crate::config::model::Policy;
    use crate::scaling::fixture::{Run, SECOND_US, sample, settings};
    use crate::scaling::{CpuUse, Decision, Pace, Reason, Sample, Wake};

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
    fn what_was_needed_is_kept_for_the_patience_and_the_last_few_for_thrice_as_long() {
        let mut run = run(2, 20);
        assert_eq!(run.change(&queued(0, 2, 8)), 8);
        let (mut now, mut live, mut left) = (100_000, 10, Vec::new());
        loop {
            let decided = run.look(&Sample { boot_us: 2_000, ..sample(now, 0, live) });
            if let Decision::Shrink(count) = decided.decision {
                assert_eq!(count, 1, "one by one");
                live -= count;
                left.push(now / SECOND_US);
            }
            match decided.next_look_us {
                Some(next) => now = next,
                None => break,
            }
        }
        assert_eq!(live, 2);
        assert!(left.iter().all(|second| (10..=12).contains(second)), "nothing is needed now, so all go: {left:?}");
    }

    #[test]
    fn few_workers_too_many_stay_for_thrice_the_patience() {
        let mut run = run(2, 20);
        assert_eq!(run.change(&queued(0, 2, 8)), 8);
        let mut left = Vec::new();
        for tenth in 1..400 {
            let now = tenth * SECOND_US / 10;
            // eight in hand from the first second on: two of ten are too many
            let seen = Sample { boot_us: 2_000, busy_age_us: SECOND_US, ..sample(now, 8, 2 - left.len() as u32) };
            if run.change(&seen) < 0 {
                left.push(now / SECOND_US);
            }
        }
        assert_eq!(left, [30, 30]);
    }

    #[test]
    fn looks_in_quick_succession_are_followed_by_a_pause() {
        let mut run = run(2, 20);
        let served = |now, requests_total| Sample { requests_total, ..sample(now, 1, 1) };
        assert_eq!(run.look(&served(0, 1)).wake, Wake::SpareAtMost(0));
        let hurried = run.look(&served(500, 2));
        assert_eq!((hurried.wake, hurried.next_look_us), (Wake::Never, Some(2_875)));
        let rested = run.look(&served(2_875, 9));
        assert_eq!((rested.wake, rested.next_look_us), (Wake::SpareAtMost(0), None));
    }

    #[test]
    fn cores_that_a_burst_of_forks_has_taken_are_looked_at_again_soon() {
        let mut run = run(2, 20);
        let cpu = |busy_us| Some(CpuUse { busy_us, used_us: busy_us / 2, delayed_us: busy_us / 2 });
        assert!(run.change(&Sample { cpu: cpu(0), ..queued(0, 2, 14) }) > 0);
        let full = |now_us| Sample { cpu: cpu(100_000), ..queued(now_us, 6, 10) };
        let decided = run.look(&full(5_000));
        assert!(matches!(decided.reason, Reason::CoresBusy { .. }), "{decided:?}");
        assert_eq!(decided.next_look_us, Some(25_000));
        assert_eq!(run.look(&full(SECOND_US)).next_look_us, Some(SECOND_US + 100_000));
    }

    #[test]
    fn without_load_at_the_minimum_it_sleeps_until_the_last_idle_worker_is_taken() {
        let decided = run(2, 20).look(&sample(0, 0, 2));
        assert_eq!((decided.next_look_us, decided.wake), (None, Wake::SpareAtMost(0)));
    }

    #[test]
    fn patience_grows_with_the_start_of_a_worker_up_to_a_minute_and_falls_with_the_target() {
        assert_eq!(patience_us(2_000, 10_000), 10 * SECOND_US);
        assert_eq!(patience_us(30_000, 10_000), 30 * SECOND_US);
        assert_eq!(patience_us(5 * SECOND_US, 10_000), 60 * SECOND_US);
        assert_eq!(patience_us(2_000, 20_000), 1_250_000);
        assert_eq!(patience_us(2_000, 200_000), 30_000);
    }
}
