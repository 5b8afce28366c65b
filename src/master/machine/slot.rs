//! One slot: whether a worker is wanted there, and how long the next one waits after deaths.
//!
//! Pure; used in the master.

use super::identity::Time;
use serde::{Deserialize, Serialize};

/// The first step of the back-off; each further one is twice as long.
const FIRST_DELAY_US: u64 = 10_000;

/// A worker's number, whoever holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slot {
    /// Whether a worker is wanted.
    pub(super) active: bool,
    /// How many workers it has had.
    pub(super) lives: u32,
    /// Deaths at once, one after the other.
    pub(super) failures: u32,
    /// When the next worker may be forked.
    pub(super) not_before: Time,
}

/// How long to wait after so many failures one after the other.
pub(super) fn delay_us(failures: u32, max_us: u64) -> u64 {
    let doublings = failures.saturating_sub(1).min(32);
    if failures == 0 { 0 } else { (FIRST_DELAY_US << doublings).min(max_us) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_up_to_its_bound() {
        let delays: Vec<u64> = (0..6).map(|failures| delay_us(failures, 100_000)).collect();
        assert_eq!(delays, [0, 10_000, 20_000, 40_000, 80_000, 100_000]);
        assert_eq!(delay_us(u32::MAX, 2_000_000), 2_000_000);
        assert_eq!(delay_us(7, 0), 0);
    }
}
