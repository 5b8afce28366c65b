//! When to look at how large the log is: once a second while it grows, ever more seldom while it does not, so that an idle
//! instance sleeps. The looking is in `rotation`. Pure; master only.

/// Time between two looks at a log that grows.
const LOOK_US: u64 = 1_000_000;

/// The longest time between two looks at one that does not.
const LOOK_MAX_US: u64 = 30_000_000;

/// When to look at how large the log is.
#[derive(Debug, Default)]
pub(super) struct SizeWatch {
    look_us: Option<u64>,
    pause_us: u64,
    seen_bytes: u64,
}

impl SizeWatch {
    /// When the next look is due.
    pub(super) fn due_us(&self) -> Option<u64> {
        self.look_us
    }

    /// There is nothing to look at.
    pub(super) fn rest(&mut self) {
        self.look_us = None;
    }

    /// Notes a look: soon again if the log has grown since the last one, ever later if not.
    pub(super) fn looked(&mut self, now_us: u64, bytes: u64) {
        let grows = bytes != self.seen_bytes;
        self.pause_us = if grows { LOOK_US } else { (self.pause_us * 2).clamp(LOOK_US, LOOK_MAX_US) };
        (self.seen_bytes, self.look_us) = (bytes, Some(now_us.saturating_add(self.pause_us)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_does_not_grow_is_looked_at_ever_more_seldom() {
        let mut watch = SizeWatch::default();
        watch.looked(0, 10);
        assert_eq!(watch.due_us(), Some(LOOK_US));
        for _ in 0..10 {
            watch.looked(0, 10);
        }
        assert_eq!(watch.due_us(), Some(LOOK_MAX_US));
        watch.looked(0, 11);
        assert_eq!(watch.due_us(), Some(LOOK_US));
    }
}
