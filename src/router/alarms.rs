//! When which connection has waited long enough. Pure; used in the router.
//!
//! A moment that moves further away is only noticed when the earlier one has come, so that a byte that arrives costs nothing
//! here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The alarms of all connections, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    by_time: BTreeSet<(u64, usize)>,
    /// When each one rings, and until when it really waits.
    by_number: BTreeMap<usize, (u64, u64)>,
}

impl Alarms {
    /// A connection waits until then.
    pub(super) fn set(&mut self, number: usize, until_us: u64) {
        match self.by_number.get_mut(&number) {
            Some((rings_us, waits_us)) if *rings_us <= until_us => *waits_us = until_us,
            Some((rings_us, _)) => {
                self.by_time.remove(&(*rings_us, number));
                self.ring_at(number, until_us);
            }
            None => self.ring_at(number, until_us),
        }
    }

    /// A connection is no more.
    pub(super) fn remove(&mut self, number: usize) {
        if let Some((rings_us, _)) = self.by_number.remove(&number) {
            self.by_time.remove(&(rings_us, number));
        }
    }

    /// When the first one rings.
    pub(super) fn next_us(&self) -> Option<u64> {
        self.by_time.first().map(|(rings_us, _)| *rings_us).filter(|rings_us| *rings_us < u64::MAX)
    }

    /// One that has waited long enough.
    pub(super) fn take_due(&mut self, now_us: u64) -> Option<usize> {
        while let Some((rings_us, number)) = self.by_time.first().copied().filter(|(rings_us, _)| *rings_us <= now_us) {
            self.by_time.remove(&(rings_us, number));
            let waits_us = self.by_number.get(&number).map_or(0, |(_, waits_us)| *waits_us);
            if waits_us <= now_us {
                self.by_number.remove(&number);
                return Some(number);
            }
            self.ring_at(number, waits_us);
        }
        None
    }

    fn ring_at(&mut self, number: usize, until_us: u64) {
        self.by_time.insert((until_us, number));
        self.by_number.insert(number, (until_us, until_us));
    }
}

/// A time as alarms count it.
pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rings_when_it_has_waited_long_enough_and_once() {
        let mut alarms = Alarms::default();
        alarms.set(1, 100);
        alarms.set(2, 50);
        alarms.set(3, u64::MAX);
        alarms.set(2, 200);
        assert_eq!((alarms.next_us(), alarms.take_due(99)), (Some(50), None));
        assert_eq!((alarms.next_us(), alarms.take_due(100), alarms.take_due(100)), (Some(100), Some(1), None));
        alarms.set(2, 150);
        assert_eq!((alarms.next_us(), alarms.take_due(150), alarms.take_due(500)), (Some(150), Some(2), None));
        alarms.set(3, 600);
        alarms.remove(3);
        assert_eq!((alarms.next_us(), alarms.take_due(u64::MAX)), (None, None));
    }
}
