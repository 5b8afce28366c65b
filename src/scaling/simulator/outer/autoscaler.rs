//! How many instances there should be: the rule of Kubernetes' HorizontalPodAutoscaler for a metric of pods with an average
//! value, as its manual has it ("Horizontal Pod Autoscaling", algorithm details and configurable scaling behavior). Pure;
//! used in the simulator only: a server has no part in this decision.

use std::collections::VecDeque;

/// Its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Autoscaler {
    /// What each instance should have of the metric.
    pub target: u64,
    /// How far the ratio of what there is to that may be from one without anything being done, in thousandths.
    pub tolerance_permille: u64,
    /// Fewest instances.
    pub minimum: u32,
    /// Most instances.
    pub maximum: u32,
    /// From one look to the next.
    pub sync_us: u64,
    /// The number falls only to the highest that was recommended within this time.
    pub down_window_us: u64,
}

impl Default for Autoscaler {
    /// Kubernetes' defaults, and examples/kubernetes: 12 requests for each pod, two to twenty pods.
    fn default() -> Self {
        Autoscaler {
            target: 12,
            tolerance_permille: 100,
            minimum: 2,
            maximum: 20,
            sync_us: 15_000_000,
            down_window_us: 300_000_000,
        }
    }
}

/// What it remembers: recommendations, and when they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recommended(VecDeque<(u64, u32)>);

impl Autoscaler {
    /// How many instances there are to be. `metrics` are those of instances that are ready; `starting` are on their way.
    pub fn wanted(&self, remembered: &mut Recommended, now_us: u64, metrics: &[u64], starting: u32) -> u32 {
        let current = metrics.len() as u32 + starting;
        let recommended = self.raw(metrics, starting).clamp(self.minimum, self.maximum);
        let times = &mut remembered.0;
        while times.front().is_some_and(|&(when_us, _)| when_us.saturating_add(self.down_window_us) < now_us) {
            times.pop_front();
        }
        times.push_back((now_us, recommended));
        let highest = times.iter().map(|&(_, count)| count).max().unwrap_or(recommended);
        // no fall below what was recommended lately, no rise by more than double or four
        let steady = if recommended < current { highest.min(current) } else { recommended };
        steady.min(current.saturating_mul(2).max(current.saturating_add(4))).clamp(self.minimum, self.maximum)
    }

    /// What the ratio asks for. Instances that tell nothing yet are taken for idle where more are wanted, for just busy enough
    /// where fewer are: so what is on its way is not ordered twice, and a fall is not hasty.
    fn raw(&self, metrics: &[u64], starting: u32) -> u32 {
        let (ready, sum) = (metrics.len() as u64, metrics.iter().sum::<u64>());
        let current = ready + u64::from(starting);
        let target = self.target.max(1);
        let level = |sum: u64, count: u64| sum.saturating_mul(1000) / (target * count.max(1));
        let first = level(sum, ready);
        if ready == 0 || starting == 0 {
            return self.rounded(sum, first, current);
        }
        let sum = if first < 1000 { sum + target * u64::from(starting) } else { sum };
        let second = level(sum, current);
        if (first > 1000) == (second > 1000) { self.rounded(sum, second, current) } else { current as u32 }
    }

    fn rounded(&self, sum: u64, ratio_permille: u64, current: u64) -> u32 {
        if ratio_permille.abs_diff(1000) <= self.tolerance_permille {
            return current as u32;
        }
        u32::try_from(sum.div_ceil(self.target.max(1))).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: u64 = 1_000_000;

    fn wanted(metrics: &[u64], starting: u32) -> u32 {
        let autoscaler = Autoscaler { target: 100, minimum: 1, maximum: 50, ..Autoscaler::default() };
        autoscaler.wanted(&mut Recommended::default(), 0, metrics, starting)
    }

    #[test]
    fn the_examples_of_the_manual() {
        assert_eq!(wanted(&[200], 0), 2, "twice the target doubles");
        assert_eq!(wanted(&[50, 50], 0), 1, "half of it halves");
        assert_eq!((wanted(&[105, 109], 0), wanted(&[95, 91], 0)), (2, 2), "within the tolerance nothing happens");
        assert_eq!(wanted(&[90, 60, 60], 0), 3, "rounded up");
    }

    #[test]
    fn what_is_on_its_way_is_not_ordered_twice() {
        assert_eq!(wanted(&[200], 1), 2, "one that starts makes it enough");
        assert_eq!(wanted(&[400], 1), 4);
        assert_eq!(wanted(&[40], 1), 2, "nor taken away again at once");
    }

    #[test]
    fn it_rises_by_double_or_four_at_most_and_stays_between_its_bounds() {
        assert_eq!((wanted(&[9_000], 0), wanted(&[5_000; 4], 0)), (5, 8));
        assert_eq!((wanted(&[5_000; 40], 0), wanted(&[0; 4], 0)), (50, 1));
    }

    #[test]
    fn it_falls_when_the_window_is_over() {
        let autoscaler = Autoscaler { target: 100, minimum: 1, maximum: 50, ..Autoscaler::default() };
        let mut remembered = Recommended::default();
        assert_eq!(autoscaler.wanted(&mut remembered, 0, &[100; 5], 0), 5);
        for second in (15..=300).step_by(15) {
            assert_eq!(autoscaler.wanted(&mut remembered, second * SECOND_US, &[20; 5], 0), 5, "{second} s");
        }
        assert_eq!(autoscaler.wanted(&mut remembered, 301 * SECOND_US, &[20; 5], 0), 1);
    }
}
