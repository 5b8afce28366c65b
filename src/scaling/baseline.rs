//! What the schedule's baseline of a moment means for a decision: the fewest workers, and when to look again. Pure.

use std::borrow::Cow;

use super::{Sample, Settings};

/// The settings with the baseline of the moment for the fewest workers, if that is more.
pub(crate) fn raised<'s>(settings: &'s Settings, sample: &Sample) -> Cow<'s, Settings> {
    let baseline = sample.baseline.map_or(0, |baseline| baseline.workers.min(settings.maximum));
    if baseline <= settings.minimum {
        return Cow::Borrowed(settings);
    }
    Cow::Owned(Settings { minimum: baseline, ..settings.clone() })
}

/// When to look again because of it.
pub(crate) fn next_look_us(sample: &Sample) -> Option<u64> {
    sample.baseline.map(|baseline| sample.now_us.saturating_add(baseline.until_us))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Run, SECOND_US, sample, settings};
    use super::super::{Baseline, Decision, Pace, Reason};
    use super::*;
    use crate::config::model::{Period, Policy};

    const WEEK_S: i64 = 7 * 24 * 3_600;

    fn period(days: &[usize], from: u16, to: u16, workers: u32) -> Period {
        let days = std::array::from_fn(|day| days.contains(&day));
        Period { days, from, to, workers, zone: None, line: "app.ini:1".to_owned() }
    }

    #[test]
    fn a_week_of_looks_has_the_baseline_at_each_moment_under_every_policy() {
        let office = [period(&[1, 2, 3, 4, 5], 8 * 60, 18 * 60, 8), period(&[0], 0, 60, 99)];
        for policy in
            [Policy::Manual, Policy::Spare, Policy::Spare2, Policy::Backlog, Policy::Busyness, Policy::Adaptive]
        {
            let mut run = Run::new(settings(policy, Pace::Events, 2, 10));
            let (mut workers, mut now_s) = (2_u32, 0_i64);
            while now_s < WEEK_S {
                let baseline = Baseline::of(office.iter().map(|period| (period, now_s)));
                let seen = Sample { baseline, ..sample((now_s as u64 + 1) * SECOND_US, 0, workers) };
                let decided = run.look(&seen);
                match decided.decision {
                    Decision::Grow(more) => {
                        assert_eq!(
                            decided.reason,
                            Reason::Scheduled { workers, baseline: workers + more },
                            "{policy:?}"
                        );
                        workers += more;
                    }
                    Decision::Shrink(fewer) => workers -= fewer,
                    Decision::Hold => {}
                }
                let expected = baseline.unwrap().workers.min(10);
                assert!(workers >= expected.max(2), "{policy:?}: {workers} of {expected} at {now_s}");
                let next_s = decided.next_look_us.unwrap() / SECOND_US;
                assert!(next_s <= (now_s + 3_601) as u64, "{policy:?}: somebody looks when it changes");
                now_s += (next_s as i64 - 1 - now_s).clamp(1, 3_600);
            }
        }
    }

    #[test]
    fn who_is_held_by_hand_is_held_above_it_and_sleep_is_deeper() {
        let mut run = Run::new(settings(Policy::Manual, Pace::Events, 2, 10));
        let baseline = Some(Baseline { workers: 4, until_us: SECOND_US });
        assert_eq!(run.change(&Sample { baseline, pending: -2, ..sample(1, 0, 5) }), -1, "not below the schedule");
        let mut settings = settings(Policy::Spare, Pace::Events, 2, 10);
        settings.idle_after_us = Some(SECOND_US);
        let mut run = Run::new(settings);
        run.look(&Sample { baseline, ..sample(1, 0, 4) });
        assert_eq!(run.change(&Sample { baseline, ..sample(3 * SECOND_US, 0, 4) }), -4);
    }
}
