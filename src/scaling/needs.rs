//! What was needed at any moment of the last while, so that bursts are remembered. Pure; used in the master and the simulator.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// The largest need of the last while: a monotonic queue, newest last, needs strictly decreasing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Needs(VecDeque<(u64, u32)>);

impl Needs {
    pub(super) fn note(&mut self, now_us: u64, need: u32, patience_us: u64) {
        while self.0.back().is_some_and(|&(_, older)| older <= need) {
            self.0.pop_back();
        }
        self.0.push_back((now_us, need));
        while self.0.front().is_some_and(|&(when, _)| when.saturating_add(patience_us) < now_us) {
            self.0.pop_front();
        }
    }

    pub(super) fn largest_since(&self, from_us: u64) -> u32 {
        self.0.iter().find(|&&(when, _)| when >= from_us).map_or(0, |&(_, need)| need)
    }

    pub(super) fn largest(&self) -> u32 {
        self.0.front().map_or(0, |&(_, need)| need)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_need_is_that_of_the_window() {
        let mut needs = Needs::default();
        for (now, need) in [(0, 5), (1, 3), (2, 4), (3, 1)] {
            needs.note(now, need, 2);
        }
        assert_eq!(needs.largest(), 4);
        needs.note(9, 1, 2);
        assert_eq!(needs.largest(), 1);
    }
}
