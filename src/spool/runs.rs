//! What is known of the runs of a task that has not been done at once. Pure; used in spoolers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// However often a task fails, it does not wait for longer, unless it was to wait for longer from the beginning.
const DELAY_MAX: Duration = Duration::from_secs(3_600);

/// After so many doublings nothing is doubled any more.
const DOUBLINGS_MAX: u64 = 20;

/// How often it has taken a process with it, and how often it was to be run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Runs {
    /// Processes that ended while they ran it.
    pub crashes: u64,
    /// Runs after which it was to be run again.
    pub failures: u64,
}

impl Runs {
    /// What was written of them; what cannot be read says nothing.
    pub fn read(text: &[u8]) -> Self {
        serde_json::from_slice(text).unwrap_or_default()
    }

    /// To be written.
    pub fn text(&self) -> String {
        serde_json::json!({"crashes": self.crashes, "failures": self.failures}).to_string()
    }

    /// A process has ended while it ran it. Whether it is not to be run any more; 0 allows any number.
    pub fn crash(&mut self, crashes_max: u64) -> bool {
        self.crashes = self.crashes.saturating_add(1);
        crashes_max > 0 && self.crashes >= crashes_max
    }

    /// It is to be run again: after how long; `None`: at the next look.
    pub fn fail(&mut self, first: Duration) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        let doublings = (self.failures - 1).min(DOUBLINGS_MAX) as u32;
        let delay = first.saturating_mul(1 << doublings).min(first.max(DELAY_MAX));
        Some(delay).filter(|delay| !delay.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_wait_up_to_an_hour() {
        let mut runs = Runs::default();
        let waits: Vec<_> =
            (0..12).filter_map(|_| runs.fail(Duration::from_secs(5))).map(|wait| wait.as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600]);
        assert_eq!(
            Runs { failures: u64::MAX, crashes: 0 }.fail(Duration::from_secs(7_200)),
            Some(Duration::from_secs(7_200))
        );
        assert_eq!(Runs::default().fail(Duration::ZERO), None);
    }

    #[test]
    fn the_third_process_is_the_last_one_where_three_are_too_many() {
        let mut runs = Runs::default();
        assert_eq!([runs.crash(3), runs.crash(3), runs.crash(3), runs.crash(0)], [false, false, true, false]);
        assert_eq!(Runs::read(runs.text().as_bytes()), runs);
    }

    #[test]
    fn what_is_no_note_says_nothing() {
        for text in ["", "{", "[]", "7", "{\"crashes\": -1}", "{\"crashes\": \"x\"}"] {
            assert_eq!(Runs::read(text.as_bytes()), Runs::default(), "{text}");
        }
    }
}
