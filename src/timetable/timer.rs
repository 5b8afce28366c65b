//! One timer: a signal that is raised again and again. Pure; used in the master.

use serde::{Deserialize, Serialize};

/// A signal that is raised every so often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// Which.
    pub signal: u8,
    /// How often.
    pub every_us: u64,
    /// How often still; `None`: for ever.
    pub left: Option<u32>,
    /// When next, in monotonic time.
    pub due_us: u64,
    /// How often it has been.
    #[serde(default)]
    pub raised: u64,
}

impl Timer {
    /// Whether it is the same timer, whenever it is due.
    pub(super) fn is_like(&self, other: &Timer) -> bool {
        self.signal == other.signal && self.every_us == other.every_us && self.left.is_some() == other.left.is_some()
    }

    /// Whether it goes off now. What it has missed, in a stall, is made up for by one.
    pub(super) fn goes_off(&mut self, now_us: u64) -> bool {
        if self.due_us > now_us || self.left == Some(0) {
            return false;
        }
        let missed = (now_us - self.due_us) / self.every_us.max(1);
        self.due_us += (missed + 1) * self.every_us.max(1);
        self.left = self.left.map(|left| left - 1);
        self.raised = self.raised.saturating_add(1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousand_timers_go_off_when_they_are_due_and_never_twice_over_three_days() {
        const DAY_US: u64 = 86_400_000_000;
        // From 10 ms to an hour; what is due every 10 ms is looked at for a minute only.
        for number in 0..1_000_u64 {
            let every_us = 10_000 + number * number * 3_600;
            let mut timer = Timer { signal: 1, every_us, left: None, due_us: every_us, raised: 0 };
            let end_us = (3 * DAY_US).min(every_us * 1_000);
            let (mut now_us, mut count) = (0, 0);
            while timer.due_us <= end_us {
                assert!(!timer.goes_off(timer.due_us - 1));
                now_us = timer.due_us;
                assert!(timer.goes_off(now_us) && !timer.goes_off(now_us));
                count += 1;
            }
            assert_eq!((count, now_us), (end_us / every_us, end_us / every_us * every_us));
        }
    }

    #[test]
    fn a_stall_is_made_up_for_by_one_and_a_number_of_times_is_a_number_of_times() {
        let mut timer = Timer { signal: 1, every_us: 10, left: Some(2), due_us: 10, raised: 0 };
        assert!(timer.goes_off(35));
        assert_eq!(timer.due_us, 40);
        assert!(!timer.goes_off(39) && timer.goes_off(40) && !timer.goes_off(50));
        assert_eq!(timer.raised, 2);
    }
}
