//! When requests begin: the budget of a run and its pace.
//!
//! Pure: the time is an argument, and the random arrivals come from a seed. Runs in the measuring process.

use std::time::Duration;

use fastrand::Rng;

use super::{Pace, Until};

/// Hands out the beginnings of requests, in order.
#[derive(Debug)]
pub(super) struct Arrivals {
    until: Until,
    started: u64,
    pace: State,
}

#[derive(Debug)]
enum State {
    Closed,
    Poisson { mean_s: f64, random: Rng, next_due: Duration },
}

impl Arrivals {
    pub(super) fn new(until: Until, pace: Pace) -> Self {
        let pace = match pace {
            Pace::Closed => State::Closed,
            Pace::Poisson { per_s, seed } => {
                let mut random = Rng::with_seed(seed);
                let mean_s = 1.0 / per_s.max(RATE_MIN_PER_S);
                let next_due = gap(mean_s, &mut random);
                State::Poisson { mean_s, random, next_due }
            }
        };
        Self { until, started: 0, pace }
    }

    /// If a request may begin at `now` (since the start of the run): the time from which its latency counts.
    pub(super) fn take(&mut self, now: Duration) -> Option<Duration> {
        if self.exhausted(now) {
            return None;
        }
        let due = match &mut self.pace {
            State::Closed => now,
            State::Poisson { next_due, .. } if *next_due > now => return None,
            State::Poisson { mean_s, random, next_due } => {
                let following = *next_due + gap(*mean_s, random);
                std::mem::replace(next_due, following)
            }
        };
        self.started += 1;
        Some(due)
    }

    /// Whether no request will begin any more.
    pub(super) fn exhausted(&self, now: Duration) -> bool {
        match (self.until, &self.pace) {
            (Until::Requests(count), _) => self.started >= count,
            (Until::Elapsed(end), State::Closed) => now >= end,
            // What fell due in time is sent although all connections were taken then.
            (Until::Elapsed(end), State::Poisson { next_due, .. }) => *next_due >= end,
        }
    }

    /// When the next request falls due, if that is a matter of time.
    pub(super) fn next_due(&self) -> Option<Duration> {
        match self.pace {
            State::Closed => None,
            State::Poisson { next_due, .. } => Some(next_due),
        }
    }
}

/// Below one request in a quarter of an hour a run would not end.
const RATE_MIN_PER_S: f64 = 0.001;

/// An exponentially distributed pause, of a number in (0, 1], so that its logarithm is finite.
fn gap(mean_s: f64, random: &mut Rng) -> Duration {
    Duration::from_secs_f64(-(1.0 - random.f64()).ln() * mean_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_closed_loop_hands_out_its_number_and_no_more() {
        let mut arrivals = Arrivals::new(Until::Requests(2), Pace::Closed);
        assert_eq!(arrivals.take(MS), Some(MS));
        assert!(!arrivals.exhausted(MS));
        assert_eq!(arrivals.take(MS * 5), Some(MS * 5));
        assert_eq!(arrivals.take(MS * 6), None);
        assert!(arrivals.exhausted(MS * 6));
    }

    #[test]
    fn a_closed_loop_ends_with_its_time() {
        let mut arrivals = Arrivals::new(Until::Elapsed(MS * 10), Pace::Closed);
        assert_eq!(arrivals.take(MS * 9), Some(MS * 9));
        assert_eq!(arrivals.take(MS * 10), None);
    }

    #[test]
    fn random_arrivals_have_the_rate_asked_for_and_depend_on_the_seed_only() {
        let due_times = |seed| {
            let mut arrivals =
                Arrivals::new(Until::Elapsed(Duration::from_secs(10)), Pace::Poisson { per_s: 1_000.0, seed });
            std::iter::from_fn(|| arrivals.take(Duration::from_secs(60))).collect::<Vec<_>>()
        };
        let times = due_times(1);
        assert!((9_600..10_400).contains(&times.len()), "{} arrivals, four standard deviations are 400", times.len());
        assert!(times.is_sorted() && times.iter().all(|due| *due < Duration::from_secs(10)));
        assert_eq!(times, due_times(1));
        assert_ne!(times, due_times(2));
    }

    #[test]
    fn a_late_request_counts_from_when_it_was_due() {
        let mut arrivals = Arrivals::new(Until::Requests(10), Pace::Poisson { per_s: 100.0, seed: 3 });
        let due = arrivals.next_due().expect("an open loop has a next one");
        assert_eq!(arrivals.take(due - Duration::from_nanos(1)), None);
        assert_eq!(arrivals.take(due + MS * 500), Some(due));
    }
}
