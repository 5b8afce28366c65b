//! `spare2`: keep `cheaper` workers idle (uWSGI's manual, "The uWSGI cheaper subsystem", from uWSGI's development
//! line).
//!
//! On events it grows as soon as a request leaves fewer idle than wanted, and shrinks one worker after
//! `cheaper-idle` check intervals with too many.

use super::{Pace, Reason, View, Wish};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    idle_ticks: u64,
    surplus_since_us: Option<u64>,
}

pub(crate) fn look(memory: &mut Memory, view: &View) -> Wish {
    let keep = view.settings.minimum;
    let idle = view.spare();
    if idle <= keep {
        memory.idle_ticks = 0;
        memory.surplus_since_us = None;
        let missing = i64::from(keep - idle).min(view.step());
        let workers = if view.may_grow { missing } else { 0 };
        return wish(view, workers, Reason::TooFewIdle { idle, keep });
    }
    let due = match view.settings.pace {
        Pace::Ticks => due_by_ticks(memory, view),
        Pace::Events => due_by_time(memory, view),
    };
    wish(view, if due { -1 } else { 0 }, Reason::TooManyIdle { idle, keep })
}

fn due_by_ticks(memory: &mut Memory, view: &View) -> bool {
    memory.idle_ticks += 1;
    if memory.idle_ticks < view.settings.idle {
        return false;
    }
    memory.idle_ticks = 0;
    true
}

fn due_by_time(memory: &mut Memory, view: &View) -> bool {
    let now = view.sample.now_us;
    let since = *memory.surplus_since_us.get_or_insert(now);
    if now < since + view.settings.idle.saturating_mul(view.settings.check_interval_us) {
        return false;
    }
    memory.surplus_since_us = Some(now);
    true
}

fn wish(view: &View, workers: i64, reason: Reason) -> Wish {
    let (now, tick) = (view.sample.now_us, view.settings.check_interval_us);
    let next_look_us = (view.sample.live() > view.settings.minimum).then_some(now + tick);
    let reason = if workers == 0 { Reason::Steady } else { reason };
    let wake = view.wake_when_spare_at_most(view.settings.minimum.saturating_sub(1), next_look_us);
    Wish { workers, reason, next_look_us, wake }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Run, SECOND_US, sample, settings};
    use super::super::{Decision, Pace, Wake};
    use crate::config::model::Policy;

    fn run(pace: Pace, step: u32) -> Run {
        let mut settings = settings(Policy::Spare2, pace, 3, 12);
        settings.step = step;
        settings.idle = 4;
        let mut run = Run::new(settings);
        if pace == Pace::Ticks {
            run.look(&sample(0, 0, 3));
        }
        run
    }

    #[test]
    fn too_few_idle_workers_are_made_up_by_at_most_a_step() {
        for pace in [Pace::Ticks, Pace::Events] {
            assert_eq!(run(pace, 8).change(&sample(SECOND_US, 5, 1)), 2);
            assert_eq!(run(pace, 1).change(&sample(SECOND_US, 5, 0)), 1);
            assert_eq!(run(pace, 8).change(&sample(SECOND_US, 11, 0)), 1, "the maximum");
            assert_eq!(run(pace, 8).change(&sample(SECOND_US, 5, 3)), 0);
        }
    }

    #[test]
    fn one_worker_leaves_after_cheaper_idle_ticks_with_too_many() {
        let mut run = run(Pace::Ticks, 1);
        let changes: Vec<i64> = (1..=8).map(|tick| run.change(&sample(tick * SECOND_US, 2, 5))).collect();
        assert_eq!(changes, [0, 0, 0, -1, 0, 0, 0, -1]);
    }

    #[test]
    fn a_sample_with_as_many_as_wanted_begins_the_count_anew() {
        for pace in [Pace::Ticks, Pace::Events] {
            let mut run = run(pace, 1);
            let idle = [5, 5, 5, 3, 5, 5, 5];
            for (tick, idle) in (1..).zip(idle) {
                assert_eq!(run.change(&sample(tick * SECOND_US, 2, idle)), 0, "tick {tick}");
            }
        }
    }

    #[test]
    fn on_events_it_wants_to_know_when_a_request_leaves_too_few_idle() {
        let decided = run(Pace::Events, 1).look(&sample(0, 0, 3));
        assert_eq!(
            (decided.decision, decided.wake, decided.next_look_us),
            (Decision::Hold, Wake::SpareAtMost(2), None)
        );
    }
}
