//! Whether to look for the next connection for a moment before sleeping. Worker only; pure.
//!
//! Falling asleep and being woken costs a worker about 2 us, and the web server that wakes it 3 to 5 us more in the
//! middle of its own work. A web server that takes requests in batches connects every few microseconds, and a worker
//! with a small application is done before the next connection is there: it would sleep between any two of them. So it
//! looks again for a moment, but only as long as at least every other look finds something. When they do not, it sleeps
//! at once and tries again after a while, the later the more often that was in vain.

/// How long a moment is, in microseconds: what sleeping and waking cost both sides.
pub(super) const MOMENT_US: u64 = 5;

/// Looks in vain, beyond those that found something, that end a trial.
const TRIAL: u32 = 8;

/// No more looks that found something are saved up than this.
const CREDIT_MAX: u32 = 32;

/// Waits without a look after a trial that failed: at first, and after many of them.
const PAUSE_MIN: u32 = 64;
const PAUSE_MAX: u32 = 4_096;

/// What the looks so far say of the next one.
#[derive(Debug)]
pub(super) struct Eagerness {
    credit: u32,
    /// The length of the next pause, and what is left of this one, in waits.
    pause: u32,
    waits_left: u32,
}

impl Default for Eagerness {
    fn default() -> Self {
        Self { credit: TRIAL, pause: PAUSE_MIN, waits_left: PAUSE_MIN }
    }
}

impl Eagerness {
    /// Whether to look before the next sleep.
    pub(super) fn looks(&self) -> bool {
        self.waits_left == 0
    }

    /// A wait without a look ended.
    pub(super) fn waited(&mut self) {
        self.waits_left = self.waits_left.saturating_sub(1);
    }

    /// A connection came while it looked.
    pub(super) fn found(&mut self) {
        self.credit = (self.credit + 1).min(CREDIT_MAX);
        if self.credit == CREDIT_MAX {
            self.pause = PAUSE_MIN;
        }
    }

    /// None did.
    pub(super) fn missed(&mut self) {
        self.credit -= 1;
        if self.credit == 0 {
            self.credit = TRIAL;
            self.waits_left = self.pause;
            self.pause = (2 * self.pause).min(PAUSE_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Eagerness, PAUSE_MAX, PAUSE_MIN, TRIAL};

    /// Looks and waits until the next look is due; how many waits that took.
    fn fail_a_trial(eagerness: &mut Eagerness) -> u32 {
        (0..TRIAL).for_each(|_| eagerness.missed());
        let mut waits = 0;
        while !eagerness.looks() {
            eagerness.waited();
            waits += 1;
        }
        waits
    }

    fn eager() -> Eagerness {
        let mut eagerness = Eagerness::default();
        (0..PAUSE_MIN).for_each(|_| eagerness.waited());
        assert!(eagerness.looks());
        eagerness
    }

    #[test]
    fn it_looks_as_long_as_every_other_look_finds_something() {
        let mut eagerness = eager();
        for _ in 0..10_000 {
            eagerness.missed();
            eagerness.found();
            assert!(eagerness.looks());
        }
        for _ in 0..10_000 {
            eagerness.found();
        }
        assert_eq!(fail_a_trial(&mut eagerness), 0, "what it saved up carries it over a lull");
    }

    #[test]
    fn it_stops_when_two_of_three_are_in_vain() {
        let mut eagerness = eager();
        let looks = (1..).find(|look| {
            if look % 3 == 0 {
                eagerness.found()
            } else {
                eagerness.missed()
            }
            !eagerness.looks()
        });
        assert!(looks.is_some_and(|looks| looks <= 3 * TRIAL), "{looks:?}");
    }

    #[test]
    fn the_more_trials_fail_the_rarer_they_are_until_one_succeeds() {
        let mut eagerness = eager();
        let pauses: Vec<u32> = (0..8).map(|_| fail_a_trial(&mut eagerness)).collect();
        assert_eq!(pauses, [64, 128, 256, 512, 1_024, 2_048, PAUSE_MAX, PAUSE_MAX]);
        (0..100).for_each(|_| eagerness.found());
        while eagerness.looks() {
            eagerness.missed();
        }
        assert_eq!(eagerness.waits_left, PAUSE_MIN);
    }
}
