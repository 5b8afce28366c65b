//! The judge of one trial: what both generations have answered comes in, again and again, and at some time a verdict comes
//! out. Pure.

use worker_protocol::scoreboard::Histogram;

use super::evidence::Evidence;
use super::failing::by_chance;
use super::growth::{Growth, Holding};
use super::slowness::{Course, Level, Milliseconds, PARTS, quantile_us};
use crate::config::model::{Canary, Undecided};

const SECOND_US: u64 = 1_000_000;

/// How often to look at the memory.
pub(crate) const WEIGH_EVERY_US: u64 = SECOND_US;

/// How often to look at what both have answered: so often that the parts of a trial can be told apart (`slowness`).
const LOOK_EVERY_US: u64 = SECOND_US / 10;
const LOOKS_MIN: u64 = 32;

/// How often, of all trials of a generation that fails as often as the old one, it is refused for failures: before the
/// end, and at the end. Together below one of a hundred.
const EARLY: f64 = 0.0005;
const AT_THE_END: f64 = 0.009;

/// The same for slowness, at each look and at the end, and in how many of the trial's parts it must be slower: by chance in
/// one of 65,536 trials, and in 17. That it must be twice as slow as well makes both rare.
const SLOW_EARLY: Level = Level { by_chance: 1e-6, parts: PARTS };
const SLOW_AT_THE_END: Level = Level { by_chance: 0.0005, parts: PARTS - 1 };

/// What one side has answered since the trial began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answered {
    /// Requests.
    pub(crate) requests: u64,
    /// Those of them that failed.
    pub(crate) failures: u64,
    /// How long they took.
    pub(crate) durations: Histogram,
}

/// One trial under way.
#[derive(Debug)]
pub(crate) struct Judge {
    rules: Canary,
    ends_us: u64,
    evidence: Evidence,
    growth: Growth,
    course: Course,
    /// Requests and failures as of the last look, the old generation's and the new one's.
    seen: [(u64, u64); 2],
}

impl Judge {
    /// Of a trial that begins now.
    pub(crate) fn new(rules: Canary, now_us: u64) -> Self {
        let ends_us = now_us.saturating_add(time_us(&rules));
        let (evidence, growth, course) = (Evidence::default(), Growth::default(), Course::default());
        Self { rules, ends_us, evidence, growth, course, seen: [(0, 0); 2] }
    }

    /// How often to look.
    pub(crate) fn look_every_us(&self) -> u64 {
        let time_us = time_us(&self.rules);
        (time_us / LOOKS_MIN).clamp(1_000, LOOK_EVERY_US)
    }

    /// What workers of both sides hold at a look that comes now, the old generation's first.
    pub(crate) fn weigh(&mut self, [old, new]: [(Holding, &Answered); 2]) {
        self.growth.note((old.0, old.1.requests), (new.0, new.1.requests));
    }

    /// A look at all that both sides have answered since the beginning. What speaks for the new generation, or against it;
    /// `None`: the trial goes on.
    pub(crate) fn look(&mut self, now_us: u64, old: &Answered, new: &Answered) -> Option<Result<String, String>> {
        self.gather(old, new);
        self.course.note(&old.durations, &new.durations);
        if self.evidence.by_chance() <= EARLY {
            return Some(Err(fails(old, new)));
        }
        let enough = new.requests >= self.rules.requests;
        if enough && let Some(slower) = self.course.slower(SLOW_EARLY) {
            return Some(Err(slower));
        }
        if now_us < self.ends_us {
            return None;
        }
        if !enough {
            return self.undecided(new.requests);
        }
        Some(self.conclude(old, new))
    }

    /// How far it is, and what both sides have answered by now.
    pub(crate) fn told(&self, now_us: u64, old: &Answered, new: &Answered) -> String {
        let time_us = time_us(&self.rules);
        let passed_s = now_us.saturating_sub(self.ends_us.saturating_sub(time_us)) / SECOND_US;
        format!("for {passed_s} of {} s: {}", self.rules.time.as_secs(), fails(old, new))
    }

    fn gather(&mut self, old: &Answered, new: &Answered) {
        let now = [(old.requests, old.failures), (new.requests, new.failures)];
        let [before_old, before_new] = std::mem::replace(&mut self.seen, now);
        let since = |now: &Answered, before: (u64, u64)| {
            (now.requests.saturating_sub(before.0), now.failures.saturating_sub(before.1))
        };
        let (old, new) = (since(old, before_old), since(new, before_new));
        self.evidence.add(new.1, old.1, share(new.0, old.0));
    }

    fn conclude(&self, old: &Answered, new: &Answered) -> Result<String, String> {
        let failures = old.failures.saturating_add(new.failures);
        if by_chance(failures, new.failures, share(new.requests, old.requests)) <= AT_THE_END {
            return Err(fails(old, new));
        }
        match self.course.slower(SLOW_AT_THE_END).or_else(|| self.growth.grows()) {
            Some(why) => Err(why),
            None => Ok(format!("{}{}", fails(old, new), medians(old, new).unwrap_or_default())),
        }
    }

    fn undecided(&self, requests: u64) -> Option<Result<String, String>> {
        let told = format!("only {requests} requests came, and {} are to tell", self.rules.requests);
        match self.rules.undecided {
            Undecided::Commit => Some(Ok(told)),
            Undecided::KeepWaiting => None,
            Undecided::Rollback => Some(Err(told)),
        }
    }
}

/// How long a trial is.
fn time_us(rules: &Canary) -> u64 {
    u64::try_from(rules.time.as_micros()).unwrap_or(u64::MAX)
}

/// The new generation's part of the requests, from 0 to 1.
fn share(new: u64, old: u64) -> f64 {
    new as f64 / (new as f64 + old as f64)
}

fn fails(old: &Answered, new: &Answered) -> String {
    format!(
        "{} of its {} requests failed, of the old generation's {} in the same time {}",
        new.failures, new.requests, old.requests, old.failures
    )
}

fn medians(old: &Answered, new: &Answered) -> Option<String> {
    let [old, new] = [old, new].map(|side| quantile_us(&side.durations, 0.5).map(Milliseconds));
    Some(format!("; half of them took up to {}, and {}", new?, old?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: u64 = 1_000_000;

    fn rules() -> Canary {
        Canary { portion: None, time: Duration::from_secs(20), requests: 500, undecided: Undecided::Commit }
    }

    fn answered(requests: u64, failures: u64) -> Answered {
        let mut durations = Histogram::default();
        (0..requests).for_each(|_| durations.count(2_000));
        Answered { requests, failures, durations }
    }

    #[test]
    fn equals_pass_at_the_end_and_not_before() {
        let mut judge = Judge::new(rules(), 0);
        assert_eq!(judge.look(19 * SECOND, &answered(9_000, 90), &answered(1_000, 10)), None);
        let verdict = judge.look(20 * SECOND, &answered(9_500, 95), &answered(1_100, 11)).expect("a verdict");
        let told = "11 of its 1100 requests failed, of the old generation's 9500 in the same time 95; half of them took \
                    up to 1.8 ms, and 1.8 ms";
        assert_eq!(verdict.expect("it passes"), told);
    }

    #[test]
    fn what_it_tells_meanwhile_is_how_far_it_is_and_what_both_have_answered() {
        let judge = Judge::new(rules(), 5 * SECOND);
        let told = "for 7 of 20 s: 1 of its 100 requests failed, of the old generation's 900 in the same time 8";
        assert_eq!(judge.told(12 * SECOND + 900_000, &answered(900, 8), &answered(100, 1)), told);
        assert!(judge.told(65 * SECOND, &answered(0, 0), &answered(0, 0)).starts_with("for 60 of 20 s: 0 of its 0 "));
        assert!(judge.told(0, &answered(0, 0), &answered(0, 0)).starts_with("for 0 of 20 s: "));
    }

    #[test]
    fn one_that_fails_one_request_in_five_is_refused_before_the_end() {
        let mut judge = Judge::new(rules(), 0);
        let verdict = judge.look(SECOND, &answered(450, 0), &answered(50, 10)).expect("a verdict");
        assert!(verdict.expect_err("refused").starts_with("10 of its 50 requests failed"));
    }

    #[test]
    fn one_that_takes_three_times_as_long_is_refused_as_soon_as_there_are_enough_requests() {
        let mut judge = Judge::new(rules(), 0);
        let (mut old, mut slow) = (answered(0, 0), answered(0, 0));
        for look in 1..50 {
            (old.requests, slow.requests) = (90 * look, 10 * look);
            (0..90).for_each(|_| old.durations.count(2_000));
            (0..10).for_each(|_| slow.durations.count(6_000));
            assert_eq!(judge.look(look * SECOND / 10, &old, &slow), None);
        }
        (0..10).for_each(|_| slow.durations.count(6_000));
        slow.requests = 500;
        let verdict = judge.look(5 * SECOND, &old, &slow).expect("a verdict");
        assert!(verdict.expect_err("refused").starts_with("half of its 500 requests took longer than"));
    }

    #[test]
    fn it_looks_ten_times_a_second_and_more_often_in_a_short_trial() {
        for (time_ms, every_ms) in [(0, 1), (1_600, 50), (20_000, 100), (u64::MAX, 100)] {
            let judge = Judge::new(Canary { time: Duration::from_millis(time_ms), ..rules() }, 0);
            assert_eq!(judge.look_every_us(), every_ms * 1_000, "{time_ms}");
        }
    }

    /// How many of so many trials are refused on a machine on which others take the processor away: now and then all that a
    /// worker answers takes 20 ms more for a while. Each of eight old workers and the canary answers five requests between two looks,
    /// the new one each after so many times 5 ms.
    fn refused_on_a_busy_machine(trials: u64, times: u64) -> usize {
        let mut dice = fastrand::Rng::with_seed(22);
        let refused = |_: &u64| {
            let rules = Canary { time: Duration::from_millis(1_600), requests: 50, ..rules() };
            let mut judge = Judge::new(rules, 0);
            let (mut old, mut new) = (Answered::default(), Answered::default());
            let mut is_late = [false; 9];
            let verdict = (1..).find_map(|look| {
                for (worker, is_late) in is_late.iter_mut().enumerate() {
                    *is_late = if *is_late { dice.u8(..4) > 0 } else { dice.u8(..100) == 0 };
                    let (side, times) = if worker == 0 { (&mut new, times) } else { (&mut old, 1) };
                    for _ in 0..5 {
                        side.requests += 1;
                        side.durations.count(times * (5_100 + dice.u64(..500)) + u64::from(*is_late) * 20_000);
                    }
                }
                judge.look(look * judge.look_every_us(), &old, &new)
            });
            verdict.expect("a verdict").is_err()
        };
        (0..trials).filter(refused).count()
    }

    #[test]
    fn on_a_busy_machine_as_well_less_than_one_equal_generation_in_a_hundred_is_refused_and_a_slow_one_is_found() {
        assert!(refused_on_a_busy_machine(2_000, 1) <= 20);
        assert!(refused_on_a_busy_machine(500, 3) >= 495);
    }

    #[test]
    fn one_that_takes_ever_more_memory_is_refused_at_the_end() {
        let mut judge = Judge::new(Canary { time: Duration::from_secs(60), ..rules() }, 0);
        for look in 1..60 {
            let (old, new) = (answered(90 * look, 0), answered(10 * look, 0));
            let [mut of_old, mut of_new] = [Holding::default(); 2];
            of_old.add(40 << 20, 100_000);
            of_new.add((20 + look) << 20, new.requests);
            judge.weigh([(of_old, &old), (of_new, &new)]);
            assert_eq!(judge.look(look * SECOND, &old, &new), None);
        }
        let verdict = judge.look(60 * SECOND, &answered(5_400, 0), &answered(600, 0)).expect("a verdict");
        let told = "its workers hold 79 MiB of their own and gain 104.9 kB with each request; of the old generation's, which \
                    have answered more, none holds more than 40 MiB";
        assert_eq!(verdict.expect_err("refused"), told);
    }

    #[test]
    fn where_too_few_requests_came_the_configuration_says_what_is_done() {
        for (undecided, expected) in
            [(Undecided::Commit, Some(true)), (Undecided::KeepWaiting, None), (Undecided::Rollback, Some(false))]
        {
            let mut judge = Judge::new(Canary { undecided, ..rules() }, 0);
            let verdict = judge.look(20 * SECOND, &answered(900, 9), &answered(100, 1));
            assert_eq!(verdict.map(|verdict| verdict.is_ok()), expected);
            let later = judge.look(90 * SECOND, &answered(9_000, 90), &answered(1_000, 10));
            assert_eq!(later.map(|verdict| verdict.is_ok()), Some(true));
        }
    }

    #[test]
    fn figures_that_go_back_or_are_absurd_are_survived() {
        let mut judge = Judge::new(rules(), 0);
        let absurd = Answered { requests: u64::MAX, failures: u64::MAX, durations: Histogram::default() };
        judge.look(1, &absurd, &absurd);
        judge.look(2, &answered(0, 0), &answered(0, 0));
        judge.look(u64::MAX, &answered(0, 0), &absurd);
    }

    /// How many of `runs` trials with these rates of failures end in a refusal, with 2,000 requests of the canary's at this
    /// share, looked at every 50. Workers of both sides grow alike with their requests.
    fn refusals(runs: u64, share: f64, (old_rate, new_rate): (f64, f64)) -> u64 {
        let mut dice = fastrand::Rng::with_seed(22);
        let requests_of_old = (50.0 / share - 50.0) as u64;
        let refused = |_: &u64| {
            let mut judge = Judge::new(Canary { time: Duration::from_secs(40), ..rules() }, 0);
            let (mut old, mut new) = (Answered::default(), Answered::default());
            let mut held = [20_u64 << 20; 2];
            let verdict = (1..=40).find_map(|look| {
                old.failures += failures(&mut dice, requests_of_old, old_rate);
                new.failures += failures(&mut dice, 50, new_rate);
                (old.requests, new.requests) = (look * requests_of_old, look * 50);
                held[0] += dice.u64(..8 << 20) * requests_of_old / 50;
                held[1] += dice.u64(..8 << 20);
                let [mut of_old, mut of_new] = [Holding::default(); 2];
                of_old.add(held[0], 10_000 + old.requests);
                of_new.add(held[1], new.requests);
                judge.weigh([(of_old, &old), (of_new, &new)]);
                judge.look(look * SECOND, &old, &new)
            });
            verdict.expect("a verdict").is_err()
        };
        (0..runs).filter(refused).count() as u64
    }

    /// How many of so many requests fail.
    fn failures(dice: &mut fastrand::Rng, requests: u64, rate: f64) -> u64 {
        let (mut failures, mut at) = (0, 0.0);
        loop {
            at += (1.0 + (1.0 - dice.f64()).ln() / (1.0 - rate).ln()).floor();
            if at > requests as f64 {
                return failures;
            }
            failures += 1;
        }
    }

    #[test]
    fn of_equal_generations_less_than_one_in_a_hundred_is_refused() {
        // Of so many runs two standard deviations more than one in a hundred may be.
        let (runs, most) = (4_000, 40 + 12);
        for (share, rate) in [(0.02, 0.01), (0.1, 0.001), (0.1, 0.01), (0.5, 0.1)] {
            let refused = refusals(runs, share, (rate, rate));
            assert!(refused <= most, "at a share of {share} and a rate of {rate}: {refused} of {runs}");
        }
    }

    #[test]
    fn a_doubling_of_one_failure_in_a_hundred_is_found_within_2000_requests() {
        for (share, at_least) in [(0.05, 900), (0.1, 890)] {
            let found = refusals(1_000, share, (0.01, 0.02));
            assert!(found >= at_least, "at a share of {share}: {found} of 1000");
        }
    }
}
