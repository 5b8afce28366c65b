//! The second line behind the supervisors of workers, who mind the deadlines of requests: each says in its seat by when it
//! looks again, and here is decided which one has not. Not for what is done about it, see `deadlines.rs`. Master only.

use std::collections::BTreeMap;

use super::machine::Seat;

/// How late a look may be on a busy machine before it is missed.
const LATE_US: u64 = 500_000;

/// How much time there is from when the look was missed: after a stall of the whole machine we may be the first to wake.
const PATIENCE_US: u64 = 2_000_000;

/// Which looks are missed.
#[derive(Debug, Default)]
pub(super) struct SecondLine {
    /// The moment that was promised and has passed, and since when that is known.
    missed: BTreeMap<Seat, (u64, u64)>,
    next_us: Option<u64>,
    is_woken: bool,
}

impl SecondLine {
    /// When to look again though nothing happens.
    pub(super) fn due_us(&self) -> Option<u64> {
        self.next_us
    }

    /// A worker that had no deadline may have one now.
    pub(super) fn wake(&mut self) {
        self.is_woken = true;
    }

    /// Whether it is time to look.
    pub(super) fn is_due(&self, now_us: u64) -> bool {
        self.is_woken || self.next_us.is_some_and(|next_us| next_us <= now_us)
    }

    /// Those who have kept everybody waiting for too long. `promised`: by when each worker with deadlines looks.
    pub(super) fn look(&mut self, now_us: u64, promised: impl Iterator<Item = (Seat, u64)>) -> Vec<Seat> {
        let before = std::mem::take(&mut self.missed);
        (self.next_us, self.is_woken) = (None, false);
        let mut stuck = Vec::new();
        for (seat, look_us) in promised {
            let missed_us = look_us.saturating_add(LATE_US);
            let mut again_us = missed_us;
            if missed_us <= now_us {
                let known = before.get(&seat).filter(|(known_us, _)| *known_us == look_us);
                let since_us = known.map_or(now_us, |(_, since_us)| *since_us);
                again_us = since_us.saturating_add(PATIENCE_US);
                self.missed.insert(seat, (look_us, since_us));
                if again_us <= now_us {
                    stuck.push(seat);
                    // It is told once; should it live on, it is looked at again.
                    again_us = now_us.saturating_add(PATIENCE_US);
                }
            }
            self.next_us = Some(self.next_us.map_or(again_us, |next_us| next_us.min(again_us)));
        }
        stuck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_misses_its_own_look_and_stays_silent_is_stuck() {
        let mut line = SecondLine::default();
        let look = |line: &mut SecondLine, now_us, due_us| line.look(now_us, [(Seat(1), due_us)].into_iter());
        let due_us = 1_000_000;
        assert!(look(&mut line, 0, due_us).is_empty());
        assert_eq!(line.due_us(), Some(due_us + LATE_US));
        // A stall of the whole machine is nobody's fault.
        let late_us = due_us + 100_000_000;
        assert!(look(&mut line, late_us, due_us).is_empty());
        assert!(look(&mut line, late_us + PATIENCE_US - 1, due_us).is_empty());
        assert_eq!(look(&mut line, late_us + PATIENCE_US, due_us), [Seat(1)]);
        // Whoever looks in the end has another chance.
        assert!(look(&mut line, late_us + PATIENCE_US, due_us + 1).is_empty());
        assert!(line.look(late_us, [].into_iter()).is_empty());
        assert_eq!(line.due_us(), None);
        assert!(!line.is_due(u64::MAX));
        line.wake();
        assert!(line.is_due(0));
    }
}
