//! `spare`: keep spare workers, grow by a step when every worker is busy, shrink by one (uWSGI's manual, "The uWSGI
//! cheaper subsystem").
//!
//! On events the letter holds (a step when all are busy for `cheaper-overload`, one worker fewer for every
//! `cheaper-overload` check intervals with more than one spare), but an overload is timed in hundredths of a check
//! interval and looked at when the last spare worker is taken: 30 ms by default instead of uWSGI's four seconds.

use super::{Pace, Reason, View, Wish};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    overloaded_ticks: u64,
    idle_ticks: u64,
    overloaded_since_us: Option<u64>,
    surplus_since_us: Option<u64>,
}

pub(crate) fn look(memory: &mut Memory, view: &View) -> Wish {
    match view.settings.pace {
        Pace::Ticks => tick(memory, view),
        Pace::Events => event(memory, view),
    }
}

/// uWSGI 2.0's algorithm, once a check interval.
fn tick(memory: &mut Memory, view: &View) -> Wish {
    let (settings, sample) = (view.settings, view.sample);
    if view.spare() > 0 {
        memory.overloaded_ticks = memory.overloaded_ticks.saturating_sub(1);
    } else {
        memory.overloaded_ticks += 1;
        memory.idle_ticks = 0;
    }
    if view.may_grow && memory.overloaded_ticks > settings.overload {
        let for_us = memory.overloaded_ticks * settings.check_interval_us;
        memory.overloaded_ticks = 0;
        return wish(view, view.step(), Reason::AllBusy { busy: sample.busy, for_us }, None);
    }
    if memory.overloaded_ticks == 0 && view.spare() != 1 {
        memory.idle_ticks += 1;
        if sample.live() > settings.minimum && memory.idle_ticks.is_multiple_of(settings.overload.max(1)) {
            return wish(view, -1, Reason::TooManyIdle { idle: view.spare(), keep: 1 }, None);
        }
    }
    wish(view, 0, Reason::Steady, None)
}

fn event(memory: &mut Memory, view: &View) -> Wish {
    let now = view.sample.now_us;
    if view.spare() == 0 {
        memory.surplus_since_us = None;
        return overloaded(memory, view, now);
    }
    memory.overloaded_since_us = None;
    if view.sample.live() <= view.settings.minimum {
        memory.surplus_since_us = None;
        return wish(view, 0, Reason::Steady, None);
    }
    let tick = view.settings.check_interval_us;
    if view.spare() == 1 {
        // exactly one spare is stable; the time that counts as surplus stands still, as uWSGI's counter does
        memory.surplus_since_us = memory.surplus_since_us.map(|since| since.saturating_add(tick).min(now));
        return wish(view, 0, Reason::Steady, Some(now + tick));
    }
    let since = *memory.surplus_since_us.get_or_insert(now);
    let due = since + view.settings.overload.max(1).saturating_mul(tick);
    if now < due {
        return wish(view, 0, Reason::Steady, Some(due.min(now + tick)));
    }
    memory.surplus_since_us = Some(now);
    wish(view, -1, Reason::TooManyIdle { idle: view.spare(), keep: 1 }, Some(now + tick))
}

fn overloaded(memory: &mut Memory, view: &View, now: u64) -> Wish {
    let since = *memory.overloaded_since_us.get_or_insert(now);
    let due = since + view.settings.overload_us();
    if now < due || !view.may_grow {
        // while growth is forbidden (memory) the overload goes on counting and fires at once afterwards
        let next = if view.may_grow { due } else { now + view.settings.check_interval_us };
        return wish(view, 0, Reason::Steady, (view.room() > 0).then_some(next).or(idle_look(view, now)));
    }
    memory.overloaded_since_us = Some(now);
    let next = Some(now + view.settings.overload_us());
    wish(view, view.step(), Reason::AllBusy { busy: view.sample.busy, for_us: now.saturating_sub(since) }, next)
}

/// Above the minimum somebody must look from time to time whether the load has gone.
fn idle_look(view: &View, now: u64) -> Option<u64> {
    (view.sample.live() > view.settings.minimum).then_some(now + view.settings.check_interval_us)
}

fn wish(view: &View, workers: i64, reason: Reason, next_look_us: Option<u64>) -> Wish {
    let reason = if workers == 0 { Reason::Steady } else { reason };
    Wish { workers, reason, next_look_us, wake: view.wake_when_spare_at_most(0, next_look_us) }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Run, SECOND_US, sample, settings};
    use super::super::{Decision, Pace, Reason, Wake};
    use crate::config::model::Policy;

    fn ticks(minimum: u32, maximum: u32) -> Run {
        let mut run = Run::new(settings(Policy::Spare, Pace::Ticks, minimum, maximum));
        assert_eq!(run.change(&sample(0, 0, minimum)), 0, "the first call only sets the clock");
        run
    }

    fn events(minimum: u32, maximum: u32, step: u32) -> Run {
        let mut settings = settings(Policy::Spare, Pace::Events, minimum, maximum);
        settings.step = step;
        Run::new(settings)
    }

    #[test]
    fn by_ticks_all_busy_for_more_than_overload_runs_adds_a_step_again_and_again() {
        let mut run = ticks(2, 10);
        run.settings.step = 2;
        let changes: Vec<i64> = (1..=8).map(|tick| run.change(&sample(tick * SECOND_US, 2, 0))).collect();
        assert_eq!(changes, [0, 0, 0, 2, 0, 0, 0, 2]);
    }

    #[test]
    fn by_ticks_one_idle_sample_only_takes_one_off_the_count() {
        let mut run = ticks(2, 10);
        let busy = [2, 2, 2, 1, 2, 2];
        let changes: Vec<i64> =
            (1..).zip(busy).map(|(tick, busy)| run.change(&sample(tick * SECOND_US, busy, 2 - busy))).collect();
        assert_eq!(changes, [0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn by_ticks_one_worker_leaves_every_overload_runs_down_to_the_minimum() {
        let mut run = ticks(2, 10);
        let mut live = 5;
        let mut changes = Vec::new();
        for tick in 1..=12 {
            let change = run.change(&sample(tick * SECOND_US, 0, live));
            live = (i64::from(live) + change) as u32;
            changes.push(change);
        }
        assert_eq!(changes, [0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0, 0]);
    }

    #[test]
    fn exactly_one_spare_worker_is_stable_in_both_paces() {
        let mut slow = ticks(2, 10);
        let mut fast = events(2, 10, 1);
        for tick in 1..=30 {
            let seen = sample(tick * SECOND_US, 6, 1);
            assert_eq!((slow.change(&seen), fast.change(&seen)), (0, 0), "tick {tick}");
        }
    }

    #[test]
    fn on_events_an_overload_of_three_hundredths_of_a_second_adds_a_step() {
        let mut run = events(2, 10, 2);
        let first = run.look(&sample(1_000, 2, 0));
        assert_eq!((first.decision, first.next_look_us), (Decision::Hold, Some(31_000)));
        let second = run.look(&sample(31_000, 2, 0));
        assert_eq!(second.decision, Decision::Grow(2));
        assert_eq!(second.reason, Reason::AllBusy { busy: 2, for_us: 30_000 });
    }

    #[test]
    fn on_events_workers_that_start_count_as_spare_so_that_nothing_is_ordered_twice() {
        let mut run = events(2, 10, 2);
        run.look(&sample(0, 2, 0));
        assert_eq!(run.change(&sample(30_000, 2, 0)), 2);
        let mut starting = sample(60_000, 2, 0);
        starting.starting = 2;
        assert_eq!(run.change(&starting), 0);
    }

    #[test]
    fn on_events_the_surplus_leaves_at_uwsgis_pace_and_then_the_master_sleeps() {
        let mut run = events(2, 10, 1);
        let (mut now, mut live, mut removed) = (0, 4, Vec::new());
        loop {
            let decided = run.look(&sample(now, 0, live));
            if let Decision::Shrink(count) = decided.decision {
                live -= count;
                removed.push(now / SECOND_US);
            }
            match decided.next_look_us {
                Some(next) => now = next,
                None => break,
            }
        }
        assert_eq!((removed, live), (vec![3, 6], 2));
        assert_eq!(run.look(&sample(now, 0, 2)).wake, Wake::SpareAtMost(0));
    }
}
