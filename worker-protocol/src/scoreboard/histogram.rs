//! How long requests took and waited, counted in buckets: their bounds, and the counts of many put together.
//!
//! The bounds are those of every histogram of an instance, so that histograms of different workers and lives can be added.
//! Pure; workers count, the master adds.

/// Upper bounds in microseconds, each included; the last bucket, which has none, takes what is longer.
pub const BOUNDS_US: [u64; BUCKETS - 1] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000,
];

/// How many buckets there are.
pub const BUCKETS: usize = 16;

/// Durations in buckets, and their sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Histogram {
    /// How many durations are in each bucket, and in no lower one.
    pub counts: [u64; BUCKETS],
    /// All durations together, in microseconds.
    pub sum_us: u64,
}

/// The bucket that a duration belongs to.
#[inline]
pub(super) fn bucket(took_us: u64) -> usize {
    BOUNDS_US.iter().position(|bound| took_us <= *bound).unwrap_or(BUCKETS - 1)
}

impl Histogram {
    /// Counts a duration.
    pub fn count(&mut self, took_us: u64) {
        let counted = &mut self.counts[bucket(took_us)];
        *counted = counted.saturating_add(1);
        self.sum_us = self.sum_us.saturating_add(took_us);
    }

    /// Adds what another one has counted.
    pub fn add(&mut self, other: &Histogram) {
        for (own, more) in self.counts.iter_mut().zip(other.counts) {
            *own = own.saturating_add(more);
        }
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
    }

    /// How many durations there are.
    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket_and_what_exceeds_it_to_the_next() {
        for (index, bound) in BOUNDS_US.into_iter().enumerate() {
            assert_eq!((bucket(bound), bucket(bound + 1)), (index, index + 1));
        }
        assert_eq!((bucket(0), bucket(u64::MAX)), (0, BUCKETS - 1));
    }

    #[test]
    fn counts_and_sums_end_at_the_largest_number() {
        let mut full = Histogram { counts: [u64::MAX; BUCKETS], sum_us: u64::MAX };
        full.add(&full.clone());
        full.count(3);
        assert_eq!((full.total(), full.sum_us), (u64::MAX, u64::MAX));
    }
}
