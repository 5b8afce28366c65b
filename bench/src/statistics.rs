//! Medians, spreads and ratios of repeated measurements.
//!
//! Pure. The machine's other work comes and goes, so contenders are measured in turns and compared within a round: the
//! ratio of a round is free of what both had in common. Runs in the measuring process.

use serde::Serialize;

/// The middle and the extremes of some values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The middle one (the mean of the two middle ones of an even number).
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// `None` without values. NaN is taken as larger than any number.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median =
            if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) };
        Some(Self { median, min, max })
    }

    /// The values divided by the baseline's of the same round. `None` without a common round.
    pub fn of_ratios(values: &[f64], baseline: &[f64]) -> Option<Self> {
        let ratios: Vec<f64> = values.iter().zip(baseline).map(|(value, base)| value / base).collect();
        Self::of(&ratios)
    }

    /// How far the extremes are apart, as a share of the median.
    pub fn width(&self) -> f64 {
        (self.max - self.min) / self.median
    }
}

/// How often a series of counts turned from growing to shrinking or back. Equal neighbours are no turn.
pub fn reversals(counts: &[usize]) -> usize {
    let directions: Vec<bool> =
        counts.windows(2).filter(|pair| pair[0] != pair[1]).map(|pair| pair[1] > pair[0]).collect();
    directions.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_of_the_sorted_values() {
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 100.0]), Some(Spread { median: 3.0, min: 1.0, max: 100.0 }));
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The second round was twice as slow for both.
        let ratios = Spread::of_ratios(&[11.0, 22.0, 12.0], &[10.0, 20.0, 10.0]).expect("three rounds");
        assert!((ratios.median - 1.1).abs() < 1e-9 && (ratios.max - 1.2).abs() < 1e-9);
        assert!((ratios.width() - 0.1 / 1.1).abs() < 1e-9);
        assert_eq!(Spread::of_ratios(&[1.0], &[]), None);
    }

    #[test]
    fn a_reversal_is_a_change_of_direction() {
        assert_eq!(reversals(&[2, 2, 3, 3, 5, 5]), 0);
        assert_eq!(reversals(&[2, 4, 4, 3, 3, 2]), 1);
        assert_eq!(reversals(&[2, 3, 2, 3, 2]), 3);
        assert_eq!(reversals(&[]), 0);
    }
}
