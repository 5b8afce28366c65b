//! How long the next one waits after those before it have died young, one after the other.
//!
//! Pure; used in the master.

use super::time::Time;
use serde::{Deserialize, Serialize};

/// How long to wait: the first step, twice as long with each further one, up to a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The first step.
    pub first_us: u64,
    /// The longest; 0 never waits.
    pub max_us: u64,
}

impl Pace {
    /// How long to wait after so many failures one after the other.
    #[must_use]
    pub fn delay_us(&self, failures: u32) -> u64 {
        let doublings = failures.saturating_sub(1).min(32);
        if failures == 0 { 0 } else { self.first_us.saturating_mul(1 << doublings).min(self.max_us) }
    }
}

/// The failures of one post.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackOff {
    failures: u32,
    not_before: Time,
}

impl BackOff {
    /// One died young. How long the next one waits.
    pub fn blame(&mut self, now: Time, pace: Pace) -> u64 {
        self.failures = self.failures.saturating_add(1);
        let delay_us = pace.delay_us(self.failures);
        self.not_before = now.plus_us(delay_us);
        delay_us
    }

    /// What was is forgotten.
    pub fn forgive(&mut self) {
        *self = BackOff::default();
    }

    /// Whether any failed since one did not.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failures > 0
    }

    /// When the next one may come.
    #[must_use]
    pub fn not_before(&self) -> Time {
        self.not_before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_up_to_its_bound() {
        let pace = |max_us| Pace { first_us: 10_000, max_us };
        let delays: Vec<u64> = (0..6).map(|failures| pace(100_000).delay_us(failures)).collect();
        assert_eq!(delays, [0, 10_000, 20_000, 40_000, 80_000, 100_000]);
        assert_eq!(pace(2_000_000).delay_us(u32::MAX), 2_000_000);
        assert_eq!(pace(0).delay_us(7), 0);
        assert_eq!(Pace { first_us: u64::MAX, max_us: 7 }.delay_us(9), 7);
    }

    #[test]
    fn one_that_did_well_ends_the_waiting() {
        let mut back_off = BackOff::default();
        let pace = Pace { first_us: 10, max_us: 1_000 };
        assert_eq!([back_off.blame(Time(100), pace), back_off.blame(Time(200), pace)], [10, 20]);
        assert_eq!((back_off.has_failed(), back_off.not_before()), (true, Time(220)));
        back_off.forgive();
        assert_eq!((back_off.has_failed(), back_off.not_before()), (false, Time(0)));
    }
}
