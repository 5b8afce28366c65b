//! What every policy is given and what it may wish. Pure.

use super::{Reason, Sample, Settings, Wake};

/// What a policy is given: the sample, the settings, and whether growth is allowed at all (memory limits).
pub(crate) struct View<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) sample: &'a Sample,
    pub(crate) may_grow: bool,
}

impl View<'_> {
    /// Slots in which a worker could still be started.
    pub(crate) fn room(&self) -> u32 {
        self.settings.maximum.saturating_sub(self.sample.live().saturating_add(self.sample.retiring))
    }

    /// The most that one decision of uWSGI's policies adds.
    pub(crate) fn step(&self) -> i64 {
        i64::from(self.room().min(self.settings.step.max(1)))
    }

    /// Ready or about to be, and without a request: what uWSGI counts as idle.
    pub(crate) fn spare(&self) -> u32 {
        self.sample.idle + self.sample.starting
    }

    /// The usual wake-up of a policy that can still grow. What is the case already need not be waited for where a timer
    /// looks anyway: else every request of a busy server would wake the master.
    pub(crate) fn wake_when_spare_at_most(&self, spare: u32, next_look_us: Option<u64>) -> Wake {
        let known = self.sample.idle <= spare && next_look_us.is_some();
        if self.room() == 0 || !self.may_grow || known { Wake::Never } else { Wake::SpareAtMost(spare) }
    }
}

/// What a policy wishes before the bounds.
pub(crate) struct Wish {
    pub(crate) workers: i64,
    pub(crate) reason: Reason,
    pub(crate) next_look_us: Option<u64>,
    pub(crate) wake: Wake,
}
