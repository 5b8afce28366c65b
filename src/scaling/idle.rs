//! No workers at all: `cheap` (start with none), `idle` (go to none after a while without requests) and `die-on-idle`
//! (uWSGI's manual, "uWSGI Options"). Runs beside every policy.

use super::{Reason, Settings, View, Wake, Wish, bounds};
use serde::{Deserialize, Serialize};

/// While asleep and workers are still leaving: how often to look.
const LEAVING_LOOK_US: u64 = 100_000;

/// How often to look for requests within the time without them: the instance goes to sleep at most that part late.
const LOOKS: u64 = 8;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    begun: bool,
    asleep: bool,
    requests_last: u64,
    quiet_since_us: u64,
}

impl Memory {
    /// No worker is wanted until a connection comes.
    pub(crate) fn fall_asleep(&mut self, now_us: u64) {
        self.begun = true;
        self.asleep = true;
        self.quiet_since_us = now_us;
    }
}

/// The fewest workers that may run now: none while asleep, else the configured minimum and at least one.
pub(crate) fn minimum(settings: &Settings, memory: &Memory) -> u32 {
    if memory.asleep { 0 } else { settings.minimum.max(1) }
}

/// Lets the policy's own wish pass unless the instance sleeps, falls asleep or wakes.
pub(crate) fn look(memory: &mut Memory, view: &View, own: Wish) -> Wish {
    if !memory.begun {
        *memory = Memory {
            begun: true,
            asleep: view.settings.cheap && view.sample.live() == 0,
            requests_last: view.sample.requests_total,
            quiet_since_us: view.sample.now_us,
        };
    }
    if memory.asleep && view.sample.pending > 0 {
        // Whoever asks for workers wakes the instance: the minimum is made up.
        memory.asleep = false;
        memory.quiet_since_us = view.sample.now_us;
    }
    if memory.asleep {
        return sleeping(memory, view);
    }
    match view.settings.idle_after_us {
        Some(idle_after_us) => watch(memory, view, own, idle_after_us),
        None => own,
    }
}

fn sleeping(memory: &mut Memory, view: &View) -> Wish {
    let queue = view.sample.queue.unwrap_or(0);
    let live = view.sample.live();
    if queue > 0 {
        memory.asleep = false;
        memory.quiet_since_us = view.sample.now_us;
        let workers = i64::from(view.settings.minimum.max(1).saturating_sub(live));
        let next_look_us = Some(view.sample.now_us + LEAVING_LOOK_US);
        return Wish { workers, reason: Reason::Awakened { queue }, next_look_us, wake: Wake::SpareAtMost(0) };
    }
    let reason = match live {
        0 => Reason::Steady,
        _ => Reason::Idle { for_us: view.sample.now_us.saturating_sub(memory.quiet_since_us), ends: false },
    };
    let next_look_us = (live > 0).then_some(view.sample.now_us + LEAVING_LOOK_US);
    Wish { workers: -i64::from(live), reason, next_look_us, wake: Wake::QueueReadable }
}

fn watch(memory: &mut Memory, view: &View, own: Wish, idle_after_us: u64) -> Wish {
    let sample = view.sample;
    if sample.busy > 0 || sample.queue.unwrap_or(0) > 0 || sample.requests_total != memory.requests_last {
        memory.requests_last = sample.requests_total;
        memory.quiet_since_us = sample.now_us;
    }
    let due = memory.quiet_since_us.saturating_add(idle_after_us);
    if sample.now_us < due {
        let soon = sample.now_us.saturating_add((idle_after_us / LOOKS).max(1));
        return Wish { next_look_us: bounds::earliest(own.next_look_us, Some(due.min(soon))), ..own };
    }
    let for_us = sample.now_us.saturating_sub(memory.quiet_since_us);
    if view.settings.die_on_idle {
        return Wish { workers: 0, reason: Reason::Idle { for_us, ends: true }, next_look_us: None, wake: own.wake };
    }
    memory.fall_asleep(memory.quiet_since_us);
    let next_look_us = Some(sample.now_us + LEAVING_LOOK_US);
    let reason = Reason::Idle { for_us, ends: false };
    Wish { workers: -i64::from(sample.live()), reason, next_look_us, wake: Wake::QueueReadable }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Run, SECOND_US, sample, settings};
    use super::super::{Decision, Pace, Reason, Sample, Wake};
    use super::LOOKS;
    use crate::config::model::Policy;

    #[test]
    fn cheap_sleeps_without_workers_until_a_connection_comes() {
        let mut settings = settings(Policy::Adaptive, Pace::Events, 2, 10);
        settings.cheap = true;
        let mut run = Run::new(settings);
        let decided = run.look(&sample(0, 0, 0));
        assert_eq!((decided.decision, decided.next_look_us, decided.wake), (Decision::Hold, None, Wake::QueueReadable));
        let decided = run.look(&Sample { queue: Some(1), ..sample(SECOND_US, 0, 0) });
        assert_eq!((decided.decision, decided.reason), (Decision::Grow(2), Reason::Awakened { queue: 1 }));
    }

    fn idle_after_three_seconds(die_on_idle: bool) -> Run {
        let mut settings = settings(Policy::Adaptive, Pace::Events, 2, 10);
        settings.idle_after_us = Some(3 * SECOND_US);
        settings.die_on_idle = die_on_idle;
        Run::new(settings)
    }

    #[test]
    fn idle_takes_every_worker_away_and_only_requests_restart_its_timer() {
        let mut run = idle_after_three_seconds(false);
        assert_eq!(run.look(&sample(0, 0, 2)).next_look_us, Some(3 * SECOND_US / LOOKS));
        let served = Sample { requests_total: 1, ..sample(2 * SECOND_US, 0, 2) };
        assert_eq!(run.change(&served), 0);
        let just_before = Sample { requests_total: 1, ..sample(5 * SECOND_US - 1, 0, 2) };
        assert_eq!(run.look(&just_before).next_look_us, Some(5 * SECOND_US));
        let decided = run.look(&Sample { requests_total: 1, ..sample(5 * SECOND_US, 0, 2) });
        assert_eq!(decided.decision, Decision::Shrink(2));
        assert_eq!(decided.reason, Reason::Idle { for_us: 3 * SECOND_US, ends: false });
        let asleep = run.look(&Sample { requests_total: 1, ..sample(6 * SECOND_US, 0, 0) });
        assert_eq!((asleep.decision, asleep.next_look_us, asleep.wake), (Decision::Hold, None, Wake::QueueReadable));
    }

    #[test]
    fn an_operator_puts_it_to_sleep_and_wakes_it() {
        let mut run = Run::new(settings(Policy::Adaptive, Pace::Events, 2, 10));
        assert_eq!(run.change(&sample(0, 0, 2)), 0);
        run.memory.fall_asleep(SECOND_US);
        assert_eq!(run.change(&sample(SECOND_US, 0, 2)), -2);
        assert_eq!(run.change(&sample(2 * SECOND_US, 0, 0)), 0);
        let asked = Sample { pending: 1, ..sample(3 * SECOND_US, 0, 0) };
        assert_eq!(run.look(&asked).reason, Reason::BelowMinimum { workers: 0, minimum: 2 });
    }

    #[test]
    fn die_on_idle_only_says_so() {
        let mut run = idle_after_three_seconds(true);
        run.look(&sample(0, 0, 2));
        let decided = run.look(&sample(3 * SECOND_US, 0, 2));
        assert_eq!(decided.decision, Decision::Hold);
        assert!(decided.reason.ends_instance());
    }
}
