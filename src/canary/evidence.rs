//! Evidence that may be looked at as often as one likes: whether the new generation fails so much more often that the
//! trial need not go on.
//!
//! A bet against "both fail equally often": each failure is the new generation's with the probability of its share, unless
//! it fails several times as often. For each of a few ratios the likelihoods of both are divided and multiplied up; the
//! mean of these products is a martingale as long as both fail equally often, and exceeds 1/p *ever* with a probability
//! of at most p (Ville's inequality; Ramdas and others, "Game-theoretic statistics and safe anytime-valid inference",
//! Statistical Science 38, 2023). Pure.

/// How many times as often the new generation fails, in each of the bets.
const RATIOS: [f64; 4] = [2.0, 4.0, 8.0, 16.0];

/// What the bets have won so far, as logarithms.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    won: [f64; RATIOS.len()],
}

impl Evidence {
    /// Takes in failures of both sides from a time in which the new generation had this share of the requests.
    pub(super) fn add(&mut self, of_new: u64, of_old: u64, share: f64) {
        if !(share > 0.0 && share < 1.0) {
            return;
        }
        let (of_new, of_old) = (of_new as f64, of_old as f64);
        for (won, ratio) in self.won.iter_mut().zip(RATIOS) {
            *won += of_new * ratio.ln() - (of_new + of_old) * (ratio * share + 1.0 - share).ln();
        }
    }

    /// At most so probable is it ever to have seen as much if both fail equally often.
    pub(super) fn by_chance(&self) -> f64 {
        let mean = self.won.iter().map(|won| won.exp()).sum::<f64>() / RATIOS.len() as f64;
        (1.0 / mean).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Evidence;

    #[test]
    fn a_generation_that_fails_at_its_first_requests_is_noticed_after_a_handful() {
        let mut evidence = Evidence::default();
        let failures = (1..).find(|_| {
            evidence.add(1, 0, 0.1);
            evidence.by_chance() < 0.0005
        });
        assert_eq!(failures, Some(5));
    }

    #[test]
    fn failures_in_proportion_are_no_evidence() {
        let mut evidence = Evidence::default();
        for _ in 0..1_000 {
            evidence.add(1, 9, 0.1);
            assert!(evidence.by_chance() > 0.2);
        }
    }

    #[test]
    fn a_time_in_which_only_one_side_had_requests_says_nothing() {
        let mut evidence = Evidence::default();
        evidence.add(50, 0, 1.0);
        evidence.add(0, 50, 0.0);
        evidence.add(1, 1, f64::NAN);
        assert!((evidence.by_chance() - 1.0).abs() < f64::EPSILON);
    }
}
