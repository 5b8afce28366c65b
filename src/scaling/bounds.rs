//! What no policy may break: minimum, maximum, the memory limits, and what the operator asks for. Applied once, outside
//! the policies (uWSGI's manual, "The uWSGI cheaper subsystem", its faults mended).
//!
//! - Never fewer workers than the minimum, whatever the fifo's `-` or a memory limit says.
//! - A removal that finds no idle worker is dropped, not remembered: it can never block growth.
//! - The policy is consulted at every look; a request of the operator only goes before its wish of that one look.

use super::{Bound, Decided, Decision, Pace, Reason, Sample, Settings, View, Wish};
use serde::{Deserialize, Serialize};

/// While more workers run than are allowed: how often to look for an idle one.
const ABOVE_LOOK_US: u64 = 100_000;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    shed_last_us: Option<u64>,
}

/// What memory allows at this look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limits {
    /// Growth, up to so many workers.
    Free(u32),
    /// No growth.
    Full(Bound),
    /// One worker has to go.
    Shed { rss_bytes: u64, limit_bytes: u64 },
}

impl Limits {
    pub(crate) fn may_grow(self) -> bool {
        matches!(self, Limits::Free(_))
    }
}

/// Reads the memory figures. The hard limit sheds at most one worker a check interval, as uWSGI's driver does.
pub(crate) fn limits(settings: &Settings, memory: &mut Memory, sample: &Sample) -> Limits {
    let rss_bytes = sample.rss_total_bytes;
    if let Some(limit_bytes) = settings.rss_hard_bytes
        && rss_bytes >= limit_bytes
        && sample.live() > settings.minimum.max(1)
    {
        let due =
            memory.shed_last_us.is_none_or(|last| sample.now_us >= last.saturating_add(settings.check_interval_us));
        if due && sample.idle > 0 {
            memory.shed_last_us = Some(sample.now_us);
            return Limits::Shed { rss_bytes, limit_bytes };
        }
        return Limits::Full(Bound::SoftLimit);
    }
    if settings.rss_soft_bytes.is_some_and(|limit| rss_bytes >= limit) {
        return Limits::Full(Bound::SoftLimit);
    }
    let soft = settings.rss_soft_bytes.filter(|_| settings.pace == Pace::Events);
    let below_soft = room_for(sample, soft.map(|limit| limit - rss_bytes), u64::div_ceil);
    let available = room_for(sample, sample.memory_available_bytes, |bytes, worker| bytes / worker);
    match (below_soft, available) {
        (0, _) => Limits::Full(Bound::SoftLimit),
        (_, 0) => Limits::Full(Bound::MemoryShort),
        // growth is wished though none is allowed: whoever allows it is told
        (soft, available) => Limits::Free(soft.min(available).min(below_allowance(sample))),
    }
}

fn below_allowance(sample: &Sample) -> u32 {
    sample.allowance.map_or(u32::MAX, |allowance| allowance.saturating_sub(sample.live()))
}

/// When to look again for a worker that has become idle: more run than are allowed.
pub(crate) fn next_look_us(sample: &Sample) -> Option<u64> {
    let is_above = sample.allowance.is_some_and(|allowance| sample.live() > allowance);
    is_above.then(|| sample.now_us.saturating_add(ABOVE_LOOK_US))
}

/// Workers that fit into so many bytes beside those that are starting, which have not taken their memory yet.
fn room_for(sample: &Sample, bytes: Option<u64>, divide: impl FnOnce(u64, u64) -> u64) -> u32 {
    match bytes {
        Some(bytes) if sample.worker_rss_bytes > 0 => {
            let fit = divide(bytes, sample.worker_rss_bytes);
            u32::try_from(fit).unwrap_or(u32::MAX).saturating_sub(sample.starting)
        }
        _ => u32::MAX,
    }
}

/// Turns the policy's wish into what the master does.
pub(crate) fn apply(view: &View, limits: Limits, minimum: u32, wish: Wish) -> Decided {
    let (sample, settings) = (view.sample, view.settings);
    let live = sample.live();
    let wished = wish.workers;
    // waking from no workers at all is below the minimum too, but has a reason of its own
    let awakened = matches!(wish.reason, Reason::Awakened { .. });
    let forced = if awakened { None } else { forced(view, limits, minimum) };
    let first = volunteered(view, minimum).or(forced).or_else(|| asked(view, limits, minimum));
    let (workers, reason) = first.unwrap_or((wished, wish.reason));
    let (decision, bound) = match reason {
        Reason::Volunteered { volunteers } => released(view, minimum, volunteers),
        _ => bounded(view, limits, minimum, workers),
    };
    let mut next_look_us = wish.next_look_us;
    if settings.rss_hard_bytes.is_some() && !limits.may_grow() && live > minimum {
        next_look_us = earliest(next_look_us, Some(sample.now_us + settings.check_interval_us));
    }
    Decided { decision, wished: workers, reason, bound, next_look_us, wake: wish.wake }
}

/// The earlier of two looks, either of which may be absent.
pub(crate) fn earliest(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// What has to happen whatever the policy thinks.
fn forced(view: &View, limits: Limits, minimum: u32) -> Option<(i64, Reason)> {
    let (live, maximum) = (view.sample.live(), view.settings.maximum);
    if live < minimum {
        let is_scheduled = view.sample.baseline.is_some_and(|baseline| baseline.workers >= minimum);
        let reason = match is_scheduled {
            true => Reason::Scheduled { workers: live, baseline: minimum },
            false => Reason::BelowMinimum { workers: live, minimum },
        };
        return Some((i64::from(minimum - live), reason));
    }
    if live > maximum {
        return Some((-i64::from(live - maximum), Reason::AboveMaximum { workers: live, maximum }));
    }
    match (limits, view.sample.allowance.map(|allowance| allowance.max(minimum))) {
        (Limits::Shed { rss_bytes, limit_bytes }, _) => Some((-1, Reason::HardLimit { rss_bytes, limit_bytes })),
        (_, Some(allowance)) if live > allowance => {
            Some((-i64::from(live - allowance), Reason::AboveAllowance { workers: live, allowance }))
        }
        _ => None,
    }
}

/// Workers that asked to go, if any of them may. First of all, since whatever else is due can be done at the next look.
fn volunteered(view: &View, minimum: u32) -> Option<(i64, Reason)> {
    let volunteers = view.sample.volunteers;
    let (decision, _) = released(view, minimum, volunteers);
    (decision != Decision::Hold).then_some((-i64::from(volunteers), Reason::Volunteered { volunteers }))
}

/// The operator's request, if any of it can be carried out now; what cannot is dropped.
fn asked(view: &View, limits: Limits, minimum: u32) -> Option<(i64, Reason)> {
    let pending = view.sample.pending;
    let (decision, _) = bounded(view, limits, minimum, i64::from(pending));
    (decision != Decision::Hold).then_some((i64::from(pending), Reason::Asked { pending }))
}

fn bounded(view: &View, limits: Limits, minimum: u32, workers: i64) -> (Decision, Option<Bound>) {
    let count = u32::try_from(workers.unsigned_abs()).unwrap_or(u32::MAX);
    match workers {
        0 => (Decision::Hold, None),
        1.. => grown(view, limits, minimum, count),
        _ => shrunk(view, minimum, count),
    }
}

fn grown(view: &View, limits: Limits, minimum: u32, count: u32) -> (Decision, Option<Bound>) {
    let below_minimum = minimum.saturating_sub(view.sample.live());
    let (allowed, limit) = match limits {
        Limits::Free(fits) => (fits.max(below_minimum), memory_bound(view)),
        Limits::Full(bound) => (below_minimum, bound),
        Limits::Shed { .. } => (below_minimum, Bound::SoftLimit),
    };
    let room = view.room();
    let (most, bound) = if allowed < room { (allowed, limit) } else { (room, Bound::Maximum) };
    let granted = count.min(most);
    let decision = if granted == 0 { Decision::Hold } else { Decision::Grow(granted) };
    (decision, (granted < count).then_some(bound))
}

fn memory_bound(view: &View) -> Bound {
    let fits = below_allowance(view.sample);
    if fits < u32::MAX
        && room_for(view.sample, view.sample.memory_available_bytes, |bytes, worker| bytes / worker) >= fits
    {
        return Bound::Allowance;
    }
    if view.settings.rss_soft_bytes.is_some() { Bound::SoftLimit } else { Bound::MemoryShort }
}

fn shrunk(view: &View, minimum: u32, count: u32) -> (Decision, Option<Bound>) {
    let above = view.sample.live().saturating_sub(minimum);
    let idle = view.sample.idle;
    let (most, bound) = if idle < above { (idle, Bound::NobodyIdle) } else { (above, Bound::Minimum) };
    shrink(count, most, bound)
}

/// Who asks to go may be busy; but those who serve must be enough without him, whoever is on his way.
fn released(view: &View, minimum: u32, volunteers: u32) -> (Decision, Option<Bound>) {
    let serving = view.sample.busy.saturating_add(view.sample.idle);
    shrink(volunteers, serving.saturating_sub(minimum), Bound::Minimum)
}

fn shrink(count: u32, most: u32, bound: Bound) -> (Decision, Option<Bound>) {
    let granted = count.min(most);
    let decision = if granted == 0 { Decision::Hold } else { Decision::Shrink(granted) };
    (decision, (granted < count).then_some(bound))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Run, SECOND_US, sample, settings};
    use super::super::{Bound, Decision, Pace, Reason, Sample};
    use crate::config::model::Policy;

    fn manual(minimum: u32, maximum: u32) -> Run {
        Run::new(settings(Policy::Manual, Pace::Events, minimum, maximum))
    }

    fn asked(pending: i32, busy: u32, idle: u32) -> Sample {
        Sample { pending, ..sample(1, busy, idle) }
    }

    #[test]
    fn the_operator_moves_the_number_between_the_bounds_only() {
        assert_eq!(manual(2, 10).change(&asked(3, 1, 2)), 3);
        assert_eq!(manual(2, 10).change(&asked(30, 1, 2)), 7);
        assert_eq!(manual(2, 10).change(&asked(-2, 1, 4)), -2);
        let decided = manual(2, 10).look(&asked(-3, 0, 2));
        assert_eq!((decided.decision, decided.reason), (Decision::Hold, Reason::Steady), "never below the minimum");
    }

    #[test]
    fn a_request_that_cannot_be_met_does_not_silence_the_policy() {
        let mut run = Run::new(settings(Policy::Spare2, Pace::Events, 2, 10));
        let decided = run.look(&asked(-5, 2, 0));
        assert_eq!(decided.decision, Decision::Grow(1));
        assert_eq!(decided.reason, Reason::TooFewIdle { idle: 0, keep: 2 });
    }

    #[test]
    fn fewer_than_the_minimum_are_made_up_by_any_policy() {
        for policy in [Policy::Manual, Policy::Spare, Policy::Backlog, Policy::Busyness, Policy::Adaptive] {
            let mut run = Run::new(settings(policy, Pace::Events, 4, 10));
            let decided = run.look(&sample(1, 1, 0));
            assert_eq!(decided.decision, Decision::Grow(3), "{policy:?}");
            assert_eq!(decided.reason, Reason::BelowMinimum { workers: 1, minimum: 4 });
        }
    }

    #[test]
    fn only_idle_workers_are_removed() {
        let decided = manual(1, 10).look(&asked(-4, 3, 2));
        assert_eq!((decided.decision, decided.bound), (Decision::Shrink(2), Some(Bound::NobodyIdle)));
        assert_eq!(manual(1, 10).look(&asked(-4, 3, 0)).decision, Decision::Hold);
    }

    #[test]
    fn who_asks_to_go_goes_though_busy_but_not_below_the_minimum() {
        for policy in [Policy::Manual, Policy::Spare, Policy::Backlog, Policy::Busyness, Policy::Adaptive] {
            let volunteers = |count, busy| Sample { volunteers: count, ..sample(1, busy, 0) };
            let mut run = Run::new(settings(policy, Pace::Events, 2, 10));
            let decided = run.look(&volunteers(1, 3));
            assert_eq!(decided.decision, Decision::Shrink(1), "{policy:?}");
            assert_eq!(decided.reason, Reason::Volunteered { volunteers: 1 });
            let decided = run.look(&volunteers(3, 4));
            assert_eq!((decided.decision, decided.bound), (Decision::Shrink(2), Some(Bound::Minimum)), "{policy:?}");
            assert!(run.change(&volunteers(1, 2)) >= 0, "{policy:?}: never below the minimum");
            let starting = Sample { starting: 3, ..volunteers(1, 2) };
            assert!(run.change(&starting) >= 0, "{policy:?}: who is on his way serves nobody yet");
        }
    }

    fn limited(soft: u64, hard: Option<u64>) -> Run {
        let mut settings = settings(Policy::Spare2, Pace::Events, 2, 10);
        (settings.rss_soft_bytes, settings.rss_hard_bytes) = (Some(soft), hard);
        Run::new(settings)
    }

    fn resident(now_us: u64, idle: u32, rss_total_bytes: u64) -> Sample {
        Sample { rss_total_bytes, ..sample(now_us, 3, idle) }
    }

    #[test]
    fn the_soft_limit_stops_growth_and_the_hard_limit_sheds_one_an_interval() {
        let mut run = limited(1000, Some(2000));
        assert_eq!(run.change(&resident(1, 1, 999)), 1);
        assert_eq!(run.change(&resident(2, 1, 1000)), 0);
        let decided = run.look(&resident(3, 1, 2000));
        assert_eq!(decided.decision, Decision::Shrink(1));
        assert_eq!(decided.reason, Reason::HardLimit { rss_bytes: 2000, limit_bytes: 2000 });
        assert_eq!(run.change(&resident(4, 1, 2000)), 0, "one a check interval");
        assert_eq!(run.change(&resident(3 + SECOND_US, 1, 2000)), -1);
    }

    #[test]
    fn the_hard_limit_stops_at_the_minimum() {
        let mut run = limited(1000, Some(2000));
        assert_eq!(run.change(&Sample { rss_total_bytes: 9000, ..sample(1, 0, 2) }), 0);
    }

    #[test]
    fn growth_ends_where_the_emperor_allows_no_more_and_what_is_missing_is_known() {
        let mut run = manual(2, 10);
        let decided = run.look(&Sample { allowance: Some(4), ..asked(5, 1, 1) });
        assert_eq!((decided.decision, decided.bound, decided.unmet()), (Decision::Grow(2), Some(Bound::Allowance), 3));
        let mut run = Run::new(settings(Policy::Adaptive, Pace::Events, 1, 10));
        let waiting =
            |now_us, busy, queue| Sample { allowance: Some(1), queue: Some(queue), ..sample(now_us, busy, 0) };
        let decided = run.look(&waiting(1_000, 1, 5));
        assert_eq!((decided.decision, decided.unmet()), (Decision::Hold, 5));
        assert!(decided.next_look_us.is_some(), "it goes on asking while somebody waits");
    }

    #[test]
    fn what_is_taken_away_are_idle_workers_and_none_below_the_minimum() {
        let above = |busy, idle| Sample { allowance: Some(1), ..sample(1, busy, idle) };
        for policy in [Policy::Manual, Policy::Spare, Policy::Backlog, Policy::Busyness, Policy::Adaptive] {
            let decided = Run::new(settings(policy, Pace::Events, 2, 10)).look(&above(4, 1));
            assert_eq!(decided.decision, Decision::Shrink(1), "{policy:?}");
            assert_eq!(decided.reason, Reason::AboveAllowance { workers: 5, allowance: 2 });
            assert!(decided.next_look_us.is_some(), "{policy:?}: somebody looks for the next idle one");
            let decided = Run::new(settings(policy, Pace::Events, 2, 10)).look(&above(1, 1));
            assert!(!matches!(decided.decision, Decision::Shrink(_)), "{policy:?}: not below the minimum");
        }
    }

    #[test]
    fn growth_ends_where_memory_does() {
        let mut run = Run::new(settings(Policy::Manual, Pace::Events, 2, 10));
        let short = Sample { memory_available_bytes: Some(350), worker_rss_bytes: 100, ..asked(8, 1, 1) };
        let decided = run.look(&short);
        assert_eq!((decided.decision, decided.bound), (Decision::Grow(3), Some(Bound::MemoryShort)));
    }
}
