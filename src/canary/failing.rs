//! Does the new generation fail more often than the old one? The exact test of two rates of rare events, given their sum.
//!
//! When both fail equally often, each failure is the new generation's with the probability of its part of the requests,
//! so that its failures are binomially distributed among all (Przyborowski and Wilenski, "Homogeneity of results in
//! testing samples from Poisson series", Biometrika 31, 1940). Half of the probability of exactly what was seen counts
//! (the mid-P value), because a whole makes the test refuse far too seldom where failures are few. Pure.

use statrs::distribution::{Binomial, Discrete, DiscreteCDF};

/// How probable it is that the new generation has at least so many of all `events` if both have them equally often, given
/// its `share` of the requests, from 0 to 1. 1 where nothing can be said.
pub(super) fn by_chance(events: u64, of_new: u64, share: f64) -> f64 {
    let Ok(binomial) = Binomial::new(share, events) else { return 1.0 };
    if events == 0 || of_new > events {
        return 1.0;
    }
    binomial.sf(of_new) + binomial.pmf(of_new) / 2.0
}

#[cfg(test)]
mod tests {
    use super::by_chance;

    #[test]
    fn it_is_the_tail_of_the_binomial_distribution_by_hand() {
        // Of 3 events at a half: all three with 1/8, of which half counts.
        assert!((by_chance(3, 3, 0.5) - 0.0625).abs() < 1e-12);
        // At least two: 3/8 / 2 + 1/8.
        assert!((by_chance(3, 2, 0.5) - 0.3125).abs() < 1e-12);
        assert!((by_chance(10, 10, 0.1) - 0.5e-10).abs() < 1e-16);
    }

    #[test]
    fn without_events_or_with_an_impossible_share_nothing_is_said() {
        for (events, of_new, share) in [(0, 0, 0.1), (3, 4, 0.1), (3, 1, f64::NAN), (3, 1, 1.5)] {
            assert!((by_chance(events, of_new, share) - 1.0).abs() < f64::EPSILON);
        }
    }

    #[test]
    fn it_stands_with_a_million_events() {
        let chance = by_chance(1_000_000, 101_000, 0.1);
        assert!((0.0003..0.0006).contains(&chance), "{chance}");
    }
}
