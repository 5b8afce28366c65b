//! One decision: the memory limits, the policy, the idle mode, and the bounds around them. Pure.

use serde::{Deserialize, Serialize};

use super::policy::{View, Wish};
use super::{Decided, Decision, Held, Pace, Reason, Sample, Settings, Wake};
use super::{adaptive, backlog, baseline, bounds, busyness, hold, idle, manual, spare, spare2};
use crate::config::model::Policy;

/// What the policies remember between two samples. A value: the same memory and sample give the same outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    last_run_us: Option<u64>,
    bounds: bounds::Memory,
    #[serde(default)]
    hold: hold::Memory,
    idle: idle::Memory,
    policy: PolicyMemory,
}

impl Memory {
    /// The operator wants no worker until a connection comes (fifo `C`).
    pub fn fall_asleep(&mut self, now_us: u64) {
        self.hold.let_go();
        self.idle.fall_asleep(now_us);
    }

    /// What the operator asked for by hand and still holds.
    pub fn held(&self) -> Option<Held> {
        self.hold.held()
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct PolicyMemory {
    adaptive: adaptive::Memory,
    spare: spare::Memory,
    spare2: spare2::Memory,
    backlog: backlog::Memory,
    busyness: busyness::Memory,
}

/// Decides once. Costs no allocation in the usual case and well under 100 microseconds for 1,000 workers.
pub fn step(settings: &Settings, mut memory: Memory, sample: &Sample) -> (Memory, Decided) {
    if settings.pace == Pace::Ticks
        && let Some(wait) = between_ticks(settings, &mut memory, sample)
    {
        return (memory, wait);
    }
    memory.last_run_us = Some(sample.now_us);
    let settings = &*baseline::raised(settings, sample);
    let limits = bounds::limits(settings, &mut memory.bounds, sample);
    hold::hear(settings, &mut memory.hold, sample);
    let settings = &*hold::narrowed(settings, &memory.hold, sample, limits);
    let view = View { settings, sample, may_grow: limits.may_grow() };
    let wish = wish(&mut memory, &view);
    let mut decided = bounds::apply(&view, limits, idle::minimum(settings, &memory.idle), wish);
    decided.next_look_us = bounds::earliest(decided.next_look_us, memory.hold.next_look_us(sample));
    decided.next_look_us = bounds::earliest(decided.next_look_us, baseline::next_look_us(sample));
    decided.next_look_us = bounds::earliest(decided.next_look_us, bounds::next_look_us(sample));
    if settings.pace == Pace::Ticks {
        decided.next_look_us = Some(sample.now_us + settings.check_interval_us);
        decided.wake = Wake::Never;
    }
    (memory, decided)
}

/// uWSGI's driver: nothing happens before a whole check interval has passed, and the first call only sets the clock.
fn between_ticks(settings: &Settings, memory: &mut Memory, sample: &Sample) -> Option<Decided> {
    let last = *memory.last_run_us.get_or_insert(sample.now_us);
    let due = last + settings.check_interval_us;
    (sample.now_us < due).then_some(Decided {
        decision: Decision::Hold,
        wished: 0,
        reason: Reason::BetweenTicks,
        bound: None,
        next_look_us: Some(due),
        wake: Wake::Never,
    })
}

/// The idle mode comes first, then the policy; both always run, so that their memories keep up.
fn wish(memory: &mut Memory, view: &View) -> Wish {
    let policy = &mut memory.policy;
    let own = match view.settings.policy {
        Policy::Adaptive => adaptive::look(&mut policy.adaptive, view),
        Policy::Spare => spare::look(&mut policy.spare, view),
        Policy::Spare2 => spare2::look(&mut policy.spare2, view),
        Policy::Backlog => backlog::look(&mut policy.backlog, view),
        Policy::Busyness => busyness::look(&mut policy.busyness, view),
        Policy::Manual => manual::look(view),
    };
    idle::look(&mut memory.idle, view, own)
}
