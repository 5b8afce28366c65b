//! `busyness`: by the share of time that workers are busy, over windows of `cheaper-overload` seconds, with emergency
//! workers while the queue is long (uWSGI's manual, "The uWSGI cheaper subsystem").
//!
//! On events the windows stay; only the emergency rules are looked at when the queue becomes readable. Without any
//! traffic it sleeps, and a window that began asleep starts anew at the first request.

use super::{Pace, Reason, Sample, View, Wake, Wish};
use serde::{Deserialize, Serialize};

/// `workers` is at most 65535; a sample that says otherwise (a damaged log) must not cost memory.
const SLOT_MAX: usize = 65_535;
const SECOND_US: u64 = 1_000_000;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    running: Option<State>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    multiplier: u64,
    window_since_us: u64,
    next_cheap_us: u64,
    last_cheaped_us: u64,
    last_action: Action,
    tolerance: u64,
    emergency_workers: u64,
    emergency_last_us: Option<u64>,
    queue_since_us: Option<u64>,
    requests_last: u64,
    asleep: bool,
    slots: Vec<Slot>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Action {
    None,
    Spawn,
    Cheap,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Slot {
    last_us: u64,
    was_busy: bool,
}

pub(crate) fn look(memory: &mut Memory, view: &View) -> Wish {
    let state = memory.running.get_or_insert_with(|| State::new(view));
    if std::mem::take(&mut state.asleep) {
        state.restart_window(view.sample);
    }
    state.note_busy(view.sample);
    let (workers, reason) = state.decide(view);
    state.wish(view, workers, reason)
}

impl State {
    fn new(view: &View) -> Self {
        // uWSGI's window begins with the master, one tick before the policy runs for the first time
        let began = match view.settings.pace {
            Pace::Ticks => view.sample.now_us.saturating_sub(view.settings.check_interval_us),
            Pace::Events => view.sample.now_us,
        };
        let mut state = State {
            multiplier: view.settings.busyness.multiplier,
            window_since_us: began,
            next_cheap_us: 0,
            last_cheaped_us: 0,
            last_action: Action::None,
            tolerance: 0,
            emergency_workers: 0,
            emergency_last_us: None,
            queue_since_us: None,
            requests_last: view.sample.requests_total,
            asleep: false,
            slots: Vec::new(),
        };
        state.set_next(view, began);
        state
    }

    fn restart_window(&mut self, sample: &Sample) {
        self.window_since_us = sample.now_us;
        for slot in &mut self.slots {
            slot.was_busy = false;
        }
    }

    fn note_busy(&mut self, sample: &Sample) {
        for worker in &sample.workers {
            let index = worker.slot as usize;
            if index > SLOT_MAX {
                continue;
            }
            if index >= self.slots.len() {
                self.slots.resize(index + 1, Slot::default());
            }
            self.slots[index].was_busy |= worker.busy;
        }
    }

    fn decide(&mut self, view: &View) -> (i64, Reason) {
        let now = view.sample.now_us;
        if now.saturating_sub(self.window_since_us) >= view.settings.overload.saturating_mul(SECOND_US) {
            self.window_since_us = now;
            let average = self.close_window(view);
            return self.judge(view, average);
        }
        self.watch_queue(view)
    }

    /// The average busyness of the window in percent, each worker clipped to 100; begins the next window.
    fn close_window(&mut self, view: &View) -> u64 {
        let window_us = view.settings.overload.saturating_mul(SECOND_US).max(1);
        let mut sum = 0;
        for worker in &view.sample.workers {
            let Some(slot) = self.slots.get_mut(worker.slot as usize) else { continue };
            let spent = worker.running_us.saturating_sub(slot.last_us);
            let percent = (spent.saturating_mul(100) / window_us).min(100);
            // a request that spans the whole window has not added to the running time yet
            sum += if spent == 0 && slot.was_busy { 100 } else { percent };
            *slot = Slot { last_us: worker.running_us, was_busy: false };
        }
        sum.checked_div(view.sample.workers.len() as u64).unwrap_or(0)
    }

    fn judge(&mut self, view: &View, average_percent: u64) -> (i64, Reason) {
        let busyness = &view.settings.busyness;
        let steady = (0, Reason::Average { average_percent });
        if average_percent > busyness.max_percent {
            let reason = Reason::Busyness { average_percent, max_percent: busyness.max_percent };
            return (self.grow(view), reason);
        }
        if self.queue_alert(view) {
            return self.emergency(view, alert(view));
        }
        if view.sample.live() == 1 {
            return steady;
        }
        if average_percent >= busyness.min_percent {
            self.between(view);
            return steady;
        }
        self.tolerance = 0;
        if view.sample.live() <= view.settings.minimum || view.sample.now_us < self.next_cheap_us {
            return steady;
        }
        self.cheap(view);
        (-1, Reason::NotBusy { average_percent, min_percent: busyness.min_percent })
    }

    fn grow(&mut self, view: &View) -> i64 {
        self.tolerance = 0;
        let workers = if view.may_grow { view.step() } else { 0 };
        if workers > 0 {
            self.last_action = Action::Spawn;
            let since_cheaped_us = view.sample.now_us.saturating_sub(self.last_cheaped_us);
            if since_cheaped_us / view.settings.overload.max(1) / SECOND_US <= self.multiplier {
                self.multiplier += view.settings.busyness.penalty;
            } else {
                self.lower_multiplier(view);
            }
            self.set_next(view, view.sample.now_us);
        }
        workers
    }

    fn cheap(&mut self, view: &View) {
        if self.last_action == Action::Cheap {
            self.lower_multiplier(view);
        }
        self.set_next(view, view.sample.now_us);
        self.last_cheaped_us = view.sample.now_us;
        self.last_action = Action::Cheap;
        self.emergency_workers = self.emergency_workers.saturating_sub(1);
    }

    fn between(&mut self, view: &View) {
        self.emergency_workers = self.emergency_workers.saturating_sub(1);
        self.tolerance += 1;
        if self.tolerance >= 3 {
            self.set_next(view, view.sample.now_us);
        } else {
            self.next_cheap_us += view.settings.overload.saturating_mul(SECOND_US);
        }
    }

    /// The rules of every run between two window ends.
    fn watch_queue(&mut self, view: &View) -> (i64, Reason) {
        let now = view.sample.now_us;
        let queue = view.sample.queue.unwrap_or(0);
        if self.queue_alert(view) {
            return self.emergency(view, alert(view));
        }
        if queue == 0 {
            self.queue_since_us = None;
            return (0, Reason::Steady);
        }
        let since = *self.queue_since_us.get_or_insert(now);
        let limit_us = view.settings.busyness.backlog_nonzero_s.saturating_mul(SECOND_US);
        if !view.may_grow || now.saturating_sub(since) < limit_us {
            return (0, Reason::Steady);
        }
        self.queue_since_us = Some(now);
        self.emergency(view, Reason::QueueStanding { queue, for_us: now.saturating_sub(since) })
    }

    /// uWSGI asks once a tick; on events a hundredth of a tick keeps emergency workers from coming faster than they
    /// can start.
    fn queue_alert(&self, view: &View) -> bool {
        let now = view.sample.now_us;
        let pause_us = match view.settings.pace {
            Pace::Ticks => 0,
            Pace::Events => view.settings.check_interval_us / 100,
        };
        let rested = self.emergency_last_us.is_none_or(|last| now >= last + pause_us);
        let queue = u64::from(view.sample.queue.unwrap_or(0));
        view.may_grow && rested && queue > view.settings.busyness.backlog_alert && below_maximum(view)
    }

    fn emergency(&mut self, view: &View, reason: Reason) -> (i64, Reason) {
        self.multiplier = view.settings.busyness.multiplier;
        self.last_action = Action::Spawn;
        self.emergency_last_us = Some(view.sample.now_us);
        let workers = u64::from(view.room()).min(view.settings.busyness.backlog_step);
        self.set_next(view, view.sample.now_us);
        self.emergency_workers += workers;
        (workers as i64, reason)
    }

    fn set_next(&mut self, view: &View, now_us: u64) {
        let windows =
            if self.emergency_workers > 0 { view.settings.busyness.backlog_multiplier } else { self.multiplier };
        self.next_cheap_us = now_us + view.settings.overload.saturating_mul(windows).saturating_mul(SECOND_US);
    }

    fn lower_multiplier(&mut self, view: &View) {
        if self.multiplier > view.settings.busyness.multiplier {
            self.multiplier -= 1;
        }
    }

    fn wish(&mut self, view: &View, workers: i64, reason: Reason) -> Wish {
        let (now, sample) = (view.sample.now_us, view.sample);
        let reason = if workers == 0 && !reason.ends_window() { Reason::Steady } else { reason };
        let quiet = sample.busy == 0 && sample.queue.unwrap_or(0) == 0 && sample.requests_total == self.requests_last;
        self.requests_last = sample.requests_total;
        if quiet && workers == 0 && sample.live() <= view.settings.minimum {
            self.asleep = true;
            let wake = view.wake_when_spare_at_most(sample.idle.saturating_sub(1), None);
            return Wish { workers, reason, next_look_us: None, wake };
        }
        let next_look_us = Some(now + view.settings.check_interval_us);
        let nobody_idle = sample.idle == 0 && sample.queue.unwrap_or(0) == 0 && view.room() > 0 && view.may_grow;
        let wake = if nobody_idle { Wake::QueueReadable } else { view.wake_when_spare_at_most(0, next_look_us) };
        Wish { workers, reason, next_look_us, wake }
    }
}

fn below_maximum(view: &View) -> bool {
    view.sample.live() < view.settings.maximum
}

fn alert(view: &View) -> Reason {
    Reason::QueueAlert { queue: view.sample.queue.unwrap_or(0), alert: view.settings.busyness.backlog_alert }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Run, SECOND_US, sample, settings};
    use super::super::{Decision, Pace, Reason, Sample, WorkerTime};
    use crate::config::model::Policy;

    /// Workers of which each is busy for so many percent of every second.
    fn seen(tick: u64, percents: &[u64], queue: u32) -> Sample {
        let busy = percents.iter().filter(|&&percent| percent > 50).count() as u32;
        let workers = (0..).zip(percents).map(|(slot, percent)| WorkerTime {
            slot,
            running_us: tick * percent * SECOND_US / 100,
            busy: *percent > 50,
        });
        let idle = percents.len() as u32 - busy;
        Sample { workers: workers.collect(), queue: Some(queue), ..sample(tick * SECOND_US, busy, idle) }
    }

    fn run(minimum: u32) -> Run {
        let mut run = Run::new(settings(Policy::Busyness, Pace::Ticks, minimum, 10));
        run.look(&seen(0, &[], 0));
        run
    }

    fn changes(run: &mut Run, ticks: std::ops::RangeInclusive<u64>, percents: &[u64]) -> Vec<(u64, i64)> {
        ticks.map(|tick| (tick, run.change(&seen(tick, percents, 0)))).filter(|&(_, change)| change != 0).collect()
    }

    #[test]
    fn an_average_above_the_maximum_adds_a_step_each_window() {
        assert_eq!(changes(&mut run(2), 1..=9, &[60, 60]), [(3, 1), (6, 1), (9, 1)]);
    }

    #[test]
    fn an_average_between_the_limits_changes_nothing() {
        assert_eq!(changes(&mut run(1), 1..=60, &[40, 30]), []);
    }

    #[test]
    fn a_removal_waits_for_the_cool_down_of_ten_windows() {
        assert_eq!(changes(&mut run(1), 1..=70, &[10, 10, 10]), [(30, -1), (60, -1)]);
    }

    #[test]
    fn a_request_that_spans_the_window_counts_as_busy() {
        let mut run = run(2);
        let stuck = |tick: u64| {
            let workers = vec![WorkerTime { slot: 0, running_us: 0, busy: true }; 1];
            Sample { workers, ..sample(tick * SECOND_US, 2, 0) }
        };
        assert_eq!([run.change(&stuck(1)), run.change(&stuck(2)), run.change(&stuck(3))], [0, 0, 1]);
    }

    #[test]
    fn a_long_queue_adds_emergency_workers_every_run() {
        let mut run = run(2);
        let decided = run.look(&seen(1, &[100, 100], 34));
        assert_eq!(decided.decision, Decision::Grow(1));
        assert_eq!(decided.reason, Reason::QueueAlert { queue: 34, alert: 33 });
        assert_eq!(run.change(&seen(2, &[100, 100], 34)), 1);
    }

    #[test]
    fn a_queue_that_never_empties_adds_an_emergency_worker_after_a_minute() {
        let mut run = run(2);
        let added: Vec<u64> = (1..=63).filter(|&tick| run.change(&seen(tick, &[40, 40], 1)) > 0).collect();
        // between two window ends only: the tick on which the minute is over may be a window's end
        assert_eq!(added, [61]);
    }

    #[test]
    fn without_traffic_it_sleeps_and_the_first_request_does_not_count_as_a_full_window() {
        let mut run = Run::new(settings(Policy::Busyness, Pace::Events, 2, 10));
        assert_eq!(run.look(&seen(1, &[0, 0], 0)).next_look_us, None);
        let mut woken = seen(500, &[0, 0], 0);
        (woken.busy, woken.idle, woken.workers[0].busy) = (1, 1, true);
        let decided = run.look(&woken);
        assert_eq!((decided.decision, decided.next_look_us), (Decision::Hold, Some(501 * SECOND_US)));
    }
}
