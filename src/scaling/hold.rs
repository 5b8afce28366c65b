//! What the operator asked for by hand (SIGTTIN, SIGTTOU, the fifo's `+` and `-`) holds against the policy for a while:
//! one worker more is a floor, one fewer a ceiling, between the configured bounds. The last word counts. Pure.
//!
//! - Under `manual` nothing is held, since nothing but the operator moves the number.
//! - Memory limits are above a floor, and an instance that goes to sleep (`idle`, fifo `C`) as well.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::bounds::Limits;
use super::{Pace, Sample, Settings};
use crate::config::model::Policy;

/// How long the operator's word holds.
pub(crate) const HOLD_US: u64 = 600 * 1_000_000;

/// While more workers run than the ceiling allows: how often to look for an idle one.
const ABOVE_LOOK_US: u64 = 100_000;

/// A bound that the operator has set by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// No fewer workers than so many.
    Floor(u32),
    /// No more workers than so many.
    Ceiling(u32),
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = HOLD_US / 60_000_000;
        match self {
            Held::Floor(workers) => write!(f, "at least {workers} workers run for the next {minutes} minutes"),
            Held::Ceiling(workers) => write!(f, "at most {workers} workers run for the next {minutes} minutes"),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    held: Option<Holding>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Holding {
    bound: Held,
    until_us: u64,
}

impl Memory {
    pub(crate) fn held(&self) -> Option<Held> {
        self.held.map(|held| held.bound)
    }

    pub(crate) fn let_go(&mut self) {
        self.held = None;
    }

    /// When what is held ends, or sooner while it is not kept yet.
    pub(crate) fn next_look_us(&self, sample: &Sample) -> Option<u64> {
        let held = self.held?;
        let is_above = matches!(held.bound, Held::Ceiling(most) if sample.live() > most);
        Some(if is_above { held.until_us.min(sample.now_us + ABOVE_LOOK_US) } else { held.until_us })
    }
}

/// Takes in what the operator asks for at this look, and forgets what has been held for long enough.
pub(crate) fn hear(settings: &Settings, memory: &mut Memory, sample: &Sample) {
    memory.held = memory.held.filter(|held| sample.now_us < held.until_us);
    let changes_by_itself = settings.policy != Policy::Manual && settings.pace == Pace::Events;
    if sample.pending == 0 || !changes_by_itself {
        return;
    }
    let asked = i64::from(sample.live()) + i64::from(sample.pending);
    let most = i64::from(settings.maximum);
    let workers = asked.clamp(i64::from(settings.minimum).min(most), most) as u32;
    let bound = if sample.pending > 0 { Held::Floor(workers) } else { Held::Ceiling(workers) };
    memory.held = Some(Holding { bound, until_us: sample.now_us.saturating_add(HOLD_US) });
}

/// The settings with what is held. The operator's own request is judged by those of the configuration.
/// Where memory is short, a floor keeps those that are there and asks for no others.
pub(crate) fn narrowed<'a>(
    settings: &'a Settings,
    memory: &Memory,
    sample: &Sample,
    limits: Limits,
) -> Cow<'a, Settings> {
    let Some(bound) = memory.held().filter(|_| sample.pending == 0) else { return Cow::Borrowed(settings) };
    let Settings { minimum, maximum, .. } = *settings;
    match bound {
        Held::Floor(_) if matches!(limits, Limits::Shed { .. }) => Cow::Borrowed(settings),
        Held::Floor(workers) => {
            let workers = if limits.may_grow() { workers } else { workers.min(sample.live()) };
            Cow::Owned(Settings { minimum: workers.clamp(minimum, maximum), ..settings.clone() })
        }
        Held::Ceiling(workers) => {
            Cow::Owned(Settings { maximum: workers.clamp(minimum.max(1), maximum), ..settings.clone() })
        }
    }
}

/// Why what the operator asked for changed nothing where nothing is held.
pub fn refusal(settings: &Settings, sample: &Sample) -> String {
    let Settings { minimum, maximum, .. } = *settings;
    match sample.pending > 0 {
        _ if minimum == maximum => format!("the number is fixed at {maximum} without `cheaper`"),
        true if sample.live() >= maximum => format!("no more than {maximum} may run"),
        true => "memory is short".to_owned(),
        false if sample.live() <= minimum => format!("no fewer than {minimum} may run"),
        false => "nobody is idle".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Run, SECOND_US, sample, settings};
    use super::super::{Decision, Pace, Reason, Sample};
    use super::{HOLD_US, Held};
    use crate::config::model::Policy;

    const CHANGING: [Policy; 5] = [Policy::Adaptive, Policy::Spare, Policy::Spare2, Policy::Backlog, Policy::Busyness];

    fn run(policy: Policy) -> Run {
        Run::new(settings(policy, Pace::Events, 1, 8))
    }

    /// Looks whenever the policy wants to, without a request, until `end_us`; how many workers there are then.
    fn quiet(run: &mut Run, mut workers: u32, from_us: u64, end_us: u64) -> u32 {
        let mut now_us = from_us;
        while now_us < end_us {
            let decided = run.look(&sample(now_us, 0, workers));
            workers = match decided.decision {
                Decision::Hold => workers,
                Decision::Grow(more) => workers + more,
                Decision::Shrink(fewer) => workers - fewer,
            };
            now_us = decided.next_look_us.unwrap_or(end_us).max(now_us + SECOND_US / 10);
        }
        workers
    }

    #[test]
    fn a_worker_asked_for_stays_for_ten_minutes_and_goes_then() {
        for policy in CHANGING {
            let mut run = run(policy);
            run.look(&sample(1, 0, 1));
            let asked = run.look(&Sample { pending: 2, ..sample(SECOND_US, 0, 1) });
            assert_eq!((asked.decision, asked.reason), (Decision::Grow(2), Reason::Asked { pending: 2 }), "{policy:?}");
            assert_eq!(run.memory.held(), Some(Held::Floor(3)));
            assert_eq!(quiet(&mut run, 3, 2 * SECOND_US, HOLD_US), 3, "{policy:?}");
            assert_eq!(quiet(&mut run, 3, HOLD_US, HOLD_US + 400 * SECOND_US), 1, "{policy:?}: it ends by itself");
            assert_eq!(run.memory.held(), None);
        }
    }

    #[test]
    fn a_worker_sent_away_does_not_come_back_with_the_next_requests() {
        for policy in CHANGING {
            let mut run = run(policy);
            run.look(&sample(1, 0, 4));
            let asked = run.look(&Sample { pending: -1, ..sample(SECOND_US, 1, 3) });
            assert_eq!(asked.decision, Decision::Shrink(1), "{policy:?}");
            assert_eq!(run.memory.held(), Some(Held::Ceiling(3)));
            let mut now_us = SECOND_US;
            while now_us < HOLD_US {
                now_us += SECOND_US;
                let crowd = Sample { queue: Some(50), oldest_wait_us: SECOND_US, ..sample(now_us, 3, 0) };
                assert!(run.change(&crowd) <= 0, "{policy:?} after {now_us} us");
            }
            let grown: i64 = (1..20)
                .map(|n| run.change(&Sample { queue: Some(200), ..sample(HOLD_US + (n + 1) * SECOND_US, 3, 0) }))
                .sum();
            assert!(grown > 0, "{policy:?}: it ends by itself");
        }
    }

    #[test]
    fn the_last_word_counts_between_the_configured_bounds() {
        let mut run = run(Policy::Adaptive);
        for (pending, live, held) in
            [(20, 3, Held::Floor(8)), (-1, 8, Held::Ceiling(7)), (-9, 7, Held::Ceiling(1)), (1, 1, Held::Floor(2))]
        {
            run.look(&Sample { pending, ..sample(SECOND_US, 0, live) });
            assert_eq!(run.memory.held(), Some(held));
        }
    }

    #[test]
    fn a_busy_worker_above_the_ceiling_goes_once_one_is_idle() {
        let mut run = run(Policy::Adaptive);
        let asked = run.look(&Sample { pending: -1, ..sample(SECOND_US, 4, 0) });
        assert_eq!(asked.decision, Decision::Hold);
        assert!(asked.next_look_us.is_some_and(|look| look <= SECOND_US + super::ABOVE_LOOK_US));
        assert_eq!(run.change(&sample(SECOND_US + 100_000, 3, 1)), -1);
    }

    #[test]
    fn memory_limits_and_sleep_are_above_a_floor() {
        let mut limited = settings(Policy::Adaptive, Pace::Events, 1, 8);
        (limited.rss_soft_bytes, limited.rss_hard_bytes) = (Some(1000), Some(2000));
        let mut run = Run::new(limited);
        run.look(&Sample { pending: 1, ..sample(SECOND_US, 0, 4) });
        assert_eq!(run.memory.held(), Some(Held::Floor(5)));
        assert_eq!(run.change(&Sample { rss_total_bytes: 2500, ..sample(2 * SECOND_US, 0, 5) }), -1);
        assert_eq!(run.change(&Sample { rss_total_bytes: 1500, ..sample(2 * SECOND_US + 1, 0, 4) }), 0);
        run.memory.fall_asleep(3 * SECOND_US);
        assert_eq!(run.change(&sample(3 * SECOND_US, 0, 4)), -4);
    }

    #[test]
    fn nothing_is_held_where_nothing_else_moves_the_number() {
        let mut run = run(Policy::Manual);
        run.look(&Sample { pending: 1, ..sample(SECOND_US, 0, 4) });
        assert_eq!(run.memory.held(), None);
    }

    #[test]
    fn what_changes_nothing_is_told_with_its_reason() {
        let bounded = settings(Policy::Manual, Pace::Events, 2, 4);
        let fixed = settings(Policy::Manual, Pace::Events, 4, 4);
        let told =
            |settings, pending, busy, idle| super::refusal(settings, &Sample { pending, ..sample(1, busy, idle) });
        assert_eq!(told(&fixed, 1, 0, 4), "the number is fixed at 4 without `cheaper`");
        assert_eq!(told(&bounded, 1, 0, 4), "no more than 4 may run");
        assert_eq!(told(&bounded, -1, 0, 2), "no fewer than 2 may run");
        assert_eq!(told(&bounded, -1, 3, 0), "nobody is idle");
        assert_eq!(told(&bounded, 1, 3, 0), "memory is short");
    }
}
