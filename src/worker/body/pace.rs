//! How long a whole body may take. Pure; worker only.
//!
//! The longest silence alone bounds nothing: whoever sends a byte every other second would hold a thread for ever.

/// Bytes a second below which a body is too slow for a thread to wait for it.
const SLOWEST_BYTES_PER_S: u64 = 500;

/// A body on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    since_us: u64,
    /// How long it may take in any case.
    patience_us: u64,
}

impl Pace {
    pub(crate) fn from(now_us: u64, patience_us: u64) -> Self {
        Self { since_us: now_us, patience_us }
    }

    /// Whether so many bytes are too few by now.
    pub(crate) fn is_too_slow(&self, now_us: u64, bytes: u64) -> bool {
        let earned_us = bytes.saturating_mul(1_000_000 / SLOWEST_BYTES_PER_S);
        now_us.saturating_sub(self.since_us) > self.patience_us.saturating_add(earned_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_drips_is_too_slow_and_who_sends_steadily_is_not_however_long_it_takes() {
        let pace = Pace::from(1_000_000, 4_000_000);
        assert!(!pace.is_too_slow(5_000_000, 4) && pace.is_too_slow(6_000_000, 5), "a byte a second");
        for second in 1..10_000_u64 {
            assert!(!pace.is_too_slow(1_000_000 + second * 1_000_000, second * SLOWEST_BYTES_PER_S));
        }
        assert!(!pace.is_too_slow(0, 0), "a clock of another start");
        assert!(!pace.is_too_slow(u64::MAX, u64::MAX));
    }
}
