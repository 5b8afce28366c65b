//! Does the new generation answer more slowly than the old one, so that it matters and not by chance?
//!
//! Requests of one worker that follow each other are no independent witnesses: where others take the processor away from it
//! for a moment, all that it answers then is late, and a canary may be one worker. So beside the test of all of them (`failing`)
//! there is one of the trial's parts, of equally many requests of the new generation: in nearly all of sixteen a larger part of its
//! requests must be late than of the old one's in the same time, which is as likely as not where both are equal (the sign test;
//! see `growth`). Pure.

use worker_protocol::scoreboard::{BOUNDS_US, Histogram};

use super::failing::by_chance;

/// Slower by so much matters. (The buckets are a factor of 2 to 2.5 apart, so that less cannot be told for sure.)
const MATTERS: f64 = 2.0;

/// And the mean, which knows no buckets, must say it to this extent.
const MEAN_SAYS: f64 = 1.5;

/// Which parts of the requests are looked at.
const QUANTILES: [(f64, &str); 2] = [(0.5, "half"), (0.9, "a tenth")];

/// Parts of a trial.
pub(super) const PARTS: usize = 16;

/// Most looks that are kept: of twice as many every second one is.
const LOOKS_MAX: usize = 256;

/// From when on it is no chance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    /// All requests together: at most so probable is it if both are equal and each request is on its own.
    pub(super) by_chance: f64,
    /// In at least so many of the [`PARTS`].
    pub(super) parts: usize,
}

/// How long both sides' requests have taken, at each look: the old generation's, the new one's.
#[derive(Debug, Clone, Default)]
pub(super) struct Course {
    looks: Vec<[Histogram; 2]>,
}

impl Course {
    /// A look at all that both have answered since the beginning.
    pub(super) fn note(&mut self, old: &Histogram, new: &Histogram) {
        self.looks.push([*old, *new]);
        if self.looks.len() >= 2 * LOOKS_MAX {
            // The last one stays.
            let mut kept = true;
            self.looks.retain(|_| {
                kept = !kept;
                kept
            });
        }
    }

    /// The sentence that says how much slower the new generation is; `None` when it is not, or when that may be chance.
    pub(super) fn slower(&self, level: Level) -> Option<String> {
        let [old, new] = self.looks.last()?;
        let (all_old, all_new) = (old.total(), new.total());
        if all_old == 0 || all_new == 0 || mean_us(new) < MEAN_SAYS * mean_us(old) {
            return None;
        }
        let share = all_new as f64 / (all_new as f64 + all_old as f64);
        let bounds = self.bounds(all_new)?;
        QUANTILES.into_iter().find_map(|(quantile, part)| {
            let (before_us, now_us) = (quantile_us(old, quantile)?, quantile_us(new, quantile)?);
            let limit = BOUNDS_US.iter().position(|bound| *bound as f64 >= before_us)?;
            let (above_old, above_new) = (above(old, limit), above(new, limit));
            let chance = by_chance(above_old.saturating_add(above_new), above_new, share);
            let is_slower = now_us >= MATTERS * before_us
                && chance <= level.by_chance
                && bounds.windows(2).filter(|part| is_ahead(part, limit)).count() >= level.parts;
            is_slower.then(|| {
                format!(
                    "{part} of its {all_new} requests took longer than {}, of the old generation's {}",
                    Milliseconds(now_us),
                    Milliseconds(before_us)
                )
            })
        })
    }

    /// The looks between the parts, with about equally many of so many requests of the new generation each; `None` when there were
    /// too few.
    fn bounds(&self, requests: u64) -> Option<Vec<[Histogram; 2]>> {
        let mut bounds = vec![<[Histogram; 2]>::default()];
        let mut from = 0;
        for part in 1..=PARTS as u64 {
            let wanted = requests.saturating_mul(part) / PARTS as u64;
            let index = from + self.looks.get(from..)?.iter().position(|[_, new]| new.total() >= wanted)?;
            bounds.push(self.looks[index]);
            from = index + 1;
        }
        Some(bounds)
    }
}

/// Whether between two looks a larger part of the new generation's requests was later than this bucket.
fn is_ahead(part: &[[Histogram; 2]], bucket: usize) -> bool {
    let [before, after] = part else { return false };
    let grown = |side: usize, figure: &dyn Fn(&Histogram) -> u64| {
        u128::from(figure(&after[side]).saturating_sub(figure(&before[side])))
    };
    let [old, new] = [0, 1].map(|side| (grown(side, &|all| above(all, bucket)), grown(side, &Histogram::total)));
    new.0.saturating_mul(old.1) > old.0.saturating_mul(new.1)
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
    use worker_protocol::scoreboard::BUCKETS;

    use super::*;

    fn durations(us: &[u64], times: u64) -> Histogram {
        let mut histogram = Histogram::default();
        (0..times).flat_map(|_| us).for_each(|us| histogram.count(*us));
        histogram
    }

    const LEVEL: Level = Level { by_chance: 0.0005, parts: PARTS - 1 };

    /// What is told after so many looks between which both have answered so often.
    fn told([old, new]: [(&[u64], u64); 2], looks: u64) -> Option<String> {
        let mut course = Course::default();
        (1..=looks).for_each(|look| course.note(&durations(old.0, look * old.1), &durations(new.0, look * new.1)));
        course.slower(LEVEL)
    }

    #[test]
    fn three_times_as_slow_is_noticed_whatever_the_buckets() {
        for us in [40, 90, 240, 260, 510, 1_010, 2_400, 5_100, 11_000, 24_000, 260_000, 1_100_000] {
            let told = told([(&[us], 45), (&[3 * us], 5)], 20);
            // What is below the first bound with both of them is not told apart.
            assert_eq!(told.is_some(), 3 * us > BOUNDS_US[0], "{us}: {told:?}");
        }
    }

    #[test]
    fn a_little_slower_is_not_even_across_the_bound_of_a_bucket() {
        for us in BOUNDS_US {
            assert_eq!(told([(&[us], 450), (&[us + us / 5], 50)], 20), None, "{us}");
        }
    }

    #[test]
    fn a_slow_tenth_is_noticed_and_a_few_slow_ones_are_not() {
        let slow_fifth = [[2_000; 8].as_slice(), &[60_000; 2]].concat();
        let told_of = told([(&[2_000; 20], 9), (&slow_fifth, 2)], 20);
        assert!(told_of.as_ref().is_some_and(|told| told.starts_with("a tenth of its 400 requests")), "{told_of:?}");
        let first_ones = [[2_000; 99].as_slice(), &[900_000]].concat();
        assert_eq!(told([(&[2_000; 20], 9), (&first_ones, 2)], 20), None);
    }

    #[test]
    fn what_is_slow_for_a_moment_only_or_was_hardly_looked_at_is_not() {
        let [fast, slow] = [durations(&[2_000], 1_000), durations(&[9_000], 1_000)];
        let mut course = Course::default();
        let (mut old, mut new) = (Histogram::default(), Histogram::default());
        for look in 0..40 {
            old.add(&fast);
            new.add(if look < 25 { &slow } else { &fast });
            course.note(&old, &new);
        }
        assert_eq!(course.slower(LEVEL), None);
        assert_eq!(told([(&[2_000], 900), (&[9_000], 100)], 10), None, "too few looks");
        assert!(told([(&[2_000], 900), (&[9_000], 100)], 17).is_some());
    }

    #[test]
    fn long_trials_are_kept_in_bounds_and_absurd_figures_survived() {
        let mut course = Course::default();
        let slow = |look: u64| (durations(&[2_000], 9 * look), durations(&[9_000], look));
        for look in 0..2_000 {
            let (old, new) = slow(look % 100);
            course.note(&old, &new);
        }
        assert!(course.looks.len() < 2 * LOOKS_MAX);
        let absurd = Histogram { counts: [u64::MAX; BUCKETS], sum_us: u64::MAX };
        course.note(&Histogram { sum_us: 0, ..absurd }, &absurd);
        course.slower(LEVEL);
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
