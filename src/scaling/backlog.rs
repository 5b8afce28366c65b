//! `backlog`: by the number of connections that wait for accept (uWSGI's manual, "The uWSGI cheaper subsystem"). Here
//! it works on unix sockets too, since their queue is measured.
//!
//! On events it looks when nobody is idle and a listening socket is readable, then every hundredth of a check
//! interval while the queue lasts; it shrinks one worker a check interval while the queue is short, as uWSGI does.

use super::{Pace, Reason, View, Wake, Wish};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// uWSGI reads the queue after the policy has run, so the policy knows the queue of the tick before.
    last_queue: u32,
    low_since_us: Option<u64>,
}

pub(crate) fn look(memory: &mut Memory, view: &View) -> Wish {
    let queue = match view.settings.pace {
        Pace::Ticks => std::mem::replace(&mut memory.last_queue, view.sample.queue.unwrap_or(0)),
        Pace::Events => view.sample.queue.unwrap_or(0),
    };
    let limit = view.settings.overload;
    if u64::from(queue) > limit {
        memory.low_since_us = None;
        let workers = if view.may_grow { view.step() } else { 0 };
        return wish(view, workers, Reason::QueueLong { queue, limit }, queue);
    }
    if u64::from(queue) == limit || view.sample.live() <= view.settings.minimum {
        memory.low_since_us = None;
        return wish(view, 0, Reason::Steady, queue);
    }
    let workers = if low_long_enough(memory, view) { -1 } else { 0 };
    wish(view, workers, Reason::QueueShort { queue, limit }, queue)
}

/// uWSGI drops one worker a tick; on events the pace is the same.
fn low_long_enough(memory: &mut Memory, view: &View) -> bool {
    if view.settings.pace == Pace::Ticks {
        return true;
    }
    let now = view.sample.now_us;
    let since = *memory.low_since_us.get_or_insert(now);
    if now < since + view.settings.check_interval_us {
        return false;
    }
    memory.low_since_us = Some(now);
    true
}

fn wish(view: &View, workers: i64, reason: Reason, queue: u32) -> Wish {
    let (now, tick) = (view.sample.now_us, view.settings.check_interval_us);
    let above = (view.sample.live() > view.settings.minimum).then_some(now + tick);
    let can_grow = view.room() > 0 && view.may_grow;
    let next_look_us = if queue > 0 && can_grow { Some(now + tick / 100) } else { above };
    let reason = if workers == 0 { Reason::Steady } else { reason };
    let wake = match (can_grow, view.sample.idle) {
        (false, _) => Wake::Never,
        (true, 0) => Wake::QueueReadable,
        (true, _) => Wake::SpareAtMost(0),
    };
    // a readable queue would wake again and again; the timer looks instead
    let wake = if queue > 0 && wake == Wake::QueueReadable { Wake::Never } else { wake };
    Wish { workers, reason, next_look_us, wake }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Run, SECOND_US, sample, settings};
    use super::super::{Decision, Pace, Sample, Wake};
    use crate::config::model::Policy;

    fn queued(now_us: u64, busy: u32, idle: u32, queue: u32) -> Sample {
        Sample { queue: Some(queue), ..sample(now_us, busy, idle) }
    }

    #[test]
    fn by_ticks_it_acts_on_the_queue_of_the_tick_before() {
        let mut run = Run::new(settings(Policy::Backlog, Pace::Ticks, 1, 10));
        run.look(&queued(0, 3, 0, 0));
        let queues = [9, 9, 3, 3, 4];
        let changes: Vec<i64> =
            (1..).zip(queues).map(|(tick, queue)| run.change(&queued(tick * SECOND_US, 3, 1, queue))).collect();
        assert_eq!(changes, [-1, 1, 1, 0, 0]);
    }

    #[test]
    fn on_events_a_long_queue_grows_at_once_and_is_looked_at_again_soon() {
        let mut run = Run::new(settings(Policy::Backlog, Pace::Events, 1, 10));
        let decided = run.look(&queued(500, 3, 0, 4));
        assert_eq!((decided.decision, decided.next_look_us), (Decision::Grow(1), Some(10_500)));
        assert_eq!(run.change(&queued(10_500, 4, 0, 3)), 0, "as long as the limit: hold");
    }

    #[test]
    fn on_events_a_short_queue_drops_one_a_check_interval_and_then_sleeps() {
        let mut run = Run::new(settings(Policy::Backlog, Pace::Events, 1, 10));
        assert_eq!(run.change(&queued(0, 0, 3, 0)), 0);
        assert_eq!(run.change(&queued(SECOND_US / 2, 0, 3, 0)), 0);
        assert_eq!(run.change(&queued(SECOND_US, 0, 3, 0)), -1);
        assert_eq!(run.change(&queued(2 * SECOND_US, 0, 2, 0)), -1);
        let decided = run.look(&queued(3 * SECOND_US, 0, 1, 0));
        assert_eq!(
            (decided.decision, decided.next_look_us, decided.wake),
            (Decision::Hold, None, Wake::SpareAtMost(0))
        );
    }

    #[test]
    fn a_removal_that_found_nobody_idle_does_not_block_growth() {
        // uWSGI: one worker wanted, three busy, an empty queue; then twelve connections wait for ever
        let mut run = Run::new(settings(Policy::Backlog, Pace::Ticks, 1, 10));
        run.look(&queued(0, 3, 0, 0));
        assert_eq!(run.change(&queued(SECOND_US, 3, 0, 0)), 0, "nobody is idle");
        assert_eq!(run.change(&queued(2 * SECOND_US, 3, 0, 12)), 0);
        assert_eq!(run.change(&queued(3 * SECOND_US, 3, 0, 12)), 1);
    }
}
