//! Does the new generation answer more slowly than the old one, so that it matters and not by chance?
//!
//! Pure.

use worker_protocol::scoreboard::{BOUNDS_US, Histogram};

use super::failing::by_chance;

/// Slower by so much matters. (The buckets are a factor of 2 to 2.5 apart, so that less cannot be told for sure.)
const MATTERS: f64 = 2.0;

/// And the mean, which knows no buckets, must say it to this extent.
const MEAN_SAYS: f64 = 1.5;

/// Which parts of the requests are looked at.
const QUANTILES: [(f64, &str); 2] = [(0.5, "half"), (0.9, "a tenth")];

/// The sentence that says how much slower the new generation is; `None` when it is not, or when that happens by chance
/// with a probability above `level`.
pub(super) fn slower(old: &Histogram, new: &Histogram, level: f64) -> Option<String> {
    let (all_old, all_new) = (old.total(), new.total());
    if all_old == 0 || all_new == 0 || mean_us(new) < MEAN_SAYS * mean_us(old) {
        return None;
    }
    let share = all_new as f64 / (all_new as f64 + all_old as f64);
    QUANTILES.into_iter().find_map(|(quantile, part)| {
        let (before_us, now_us) = (quantile_us(old, quantile)?, quantile_us(new, quantile)?);
        let limit = BOUNDS_US.iter().position(|bound| *bound as f64 >= before_us)?;
        let (above_old, above_new) = (above(old, limit), above(new, limit));
        let chance = by_chance(above_old.saturating_add(above_new), above_new, share);
        (now_us >= MATTERS * before_us && chance <= level).then(|| {
            format!(
                "{part} of its {all_new} requests took longer than {}, of the old generation's {}",
                Milliseconds(now_us),
                Milliseconds(before_us)
            )
        })
    })
}

/// What is exceeded by all but this part of the durations, as if each bucket were evenly filled.
pub(super) fn quantile_us(durations: &Histogram, quantile: f64) -> Option<f64> {
    let wanted = durations.total() as f64 * quantile;
    let mut below = 0.0;
    for (index, count) in durations.counts.iter().enumerate() {
        let count = *count as f64;
        if count > 0.0 && below + count >= wanted {
            let from = index.checked_sub(1).map_or(0, |previous| BOUNDS_US[previous]) as f64;
            // Nothing bounds the last one; twice its lower bound is as far as it is followed.
            let to = BOUNDS_US.get(index).map_or(2.0 * from, |bound| *bound as f64);
            return Some(from + (to - from) * (wanted - below) / count);
        }
        below += count;
    }
    None
}

fn mean_us(durations: &Histogram) -> f64 {
    durations.sum_us as f64 / durations.total().max(1) as f64
}

/// Durations in the buckets behind this one.
fn above(durations: &Histogram, bucket: usize) -> u64 {
    durations.counts.iter().skip(bucket + 1).fold(0, |sum, count| sum.saturating_add(*count))
}

/// A time for people.
pub(super) struct Milliseconds(pub(super) f64);

impl std::fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = self.0 / 1_000.0;
        if ms < 10.0 { write!(f, "{ms:.1} ms") } else { write!(f, "{ms:.0} ms") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn durations(us: &[u64], times: u64) -> Histogram {
        let mut histogram = Histogram::default();
        (0..times).flat_map(|_| us).for_each(|us| histogram.count(*us));
        histogram
    }

    #[test]
    fn three_times_as_slow_is_noticed_whatever_the_buckets() {
        for us in [40, 90, 240, 260, 510, 1_010, 2_400, 5_100, 11_000, 24_000, 260_000, 1_100_000] {
            let (old, new) = (durations(&[us], 900), durations(&[3 * us], 100));
            let told = slower(&old, &new, 0.0005);
            // What is below the first bound with both of them is not told apart.
            assert_eq!(told.is_some(), 3 * us > BOUNDS_US[0], "{us}: {told:?}");
        }
    }

    #[test]
    fn a_little_slower_is_not_even_across_the_bound_of_a_bucket() {
        for us in BOUNDS_US {
            let (old, new) = (durations(&[us], 9_000), durations(&[us + us / 5], 1_000));
            assert_eq!(slower(&old, &new, 0.0005), None, "{us}");
        }
    }

    #[test]
    fn a_slow_tenth_is_noticed_and_a_few_slow_ones_are_not() {
        let old = durations(&[2_000; 20], 90);
        let slow_fifth = durations(&[[2_000; 8].as_slice(), &[60_000; 2]].concat(), 20);
        let told = slower(&old, &slow_fifth, 0.0005);
        assert!(told.as_ref().is_some_and(|told| told.starts_with("a tenth of its 200 requests")), "{told:?}");
        let first_ones = durations(&[[2_000; 99].as_slice(), &[900_000]].concat(), 2);
        assert_eq!(slower(&old, &first_ones, 0.0005), None);
    }

    #[test]
    fn quantiles_lie_where_they_should() {
        let even = durations(&[750, 2_000], 100);
        assert_eq!(quantile_us(&even, 0.5), Some(1_000.0));
        assert_eq!(quantile_us(&even, 0.75), Some(1_750.0));
        assert_eq!(quantile_us(&Histogram::default(), 0.5), None);
        assert_eq!(quantile_us(&durations(&[u64::MAX], 1), 1.0), Some(20_000_000.0));
    }
}
