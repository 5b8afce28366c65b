//! How many are replaced at once although they died young, because others have killed them: a burst, and so many a second
//! after it, over the whole instance.
//!
//! Not how long the next one waits where that is used up: see [`back_off`](super::back_off). Pure; used in the master.

use super::time::Time;

/// What is left of it. Kept as the moment at which all of it would be there again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowance {
    whole_at: Time,
}

impl Allowance {
    /// Takes one, if one is left: `burst` at a time, and one each `every_us` after that.
    pub fn take(&mut self, now: Time, burst: u32, every_us: u64) -> bool {
        let from = self.whole_at.max(now);
        let taken_us = from.since_us(now);
        if taken_us.saturating_add(every_us) > every_us.saturating_mul(u64::from(burst)) {
            return false;
        }
        self.whole_at = from.plus_us(every_us);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_had_at_once_and_the_rest_as_time_goes_by() {
        let mut allowance = Allowance::default();
        let mut take = |now| allowance.take(Time(now), 3, 10);
        assert_eq!([take(100), take(100), take(100), take(100)], [true, true, true, false]);
        assert_eq!([take(109), take(110), take(110)], [false, true, false]);
        assert_eq!([take(1_000), take(1_000), take(1_000), take(1_000)], [true, true, true, false]);
    }

    #[test]
    fn without_a_burst_there_is_nothing() {
        assert!(!Allowance::default().take(Time(7), 0, 10));
    }
}
