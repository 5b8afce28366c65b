//! Bounds of the application's metrics (`metric-threshold`): looked at once a second where there are any. Master only.

use std::collections::BTreeMap;

use super::memories::Memories;
use crate::config::model::Threshold;

/// How often metrics are looked at.
const LOOK_EVERY_US: u64 = 1_000_000;

/// When metrics were looked at, and when which alarm was raised.
#[derive(Debug, Default)]
pub(super) struct ThresholdWatch {
    looked_us: u64,
    raised_us: BTreeMap<usize, u64>,
}

impl ThresholdWatch {
    /// When to look again.
    pub(super) fn due_us(&self) -> u64 {
        self.looked_us.saturating_add(LOOK_EVERY_US)
    }

    /// Looks, and says which are reached and by which value.
    pub(super) fn look<'t>(
        &mut self,
        thresholds: &'t [Threshold],
        memories: &Memories,
        now_us: u64,
    ) -> Vec<(&'t Threshold, i64)> {
        self.looked_us = now_us;
        let mut reached = Vec::new();
        for (place, threshold) in thresholds.iter().enumerate() {
            let value = memories.metric(&threshold.metric).filter(|value| *value >= threshold.value);
            if let Some(value) = value
                && self.may_raise(place, threshold, now_us)
            {
                reached.push((threshold, value));
            }
        }
        reached
    }

    /// Whether a threshold that is reached may raise its alarm now; then it has.
    fn may_raise(&mut self, place: usize, threshold: &Threshold, now_us: u64) -> bool {
        let between_us = u64::try_from(threshold.between.as_micros()).unwrap_or(u64::MAX);
        let may = self.raised_us.get(&place).is_none_or(|raised_us| now_us.saturating_sub(*raised_us) >= between_us);
        if may {
            self.raised_us.insert(place, now_us);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_alarm_waits_as_long_as_its_threshold_says() {
        let threshold = Threshold {
            metric: "a".to_owned(),
            value: 1,
            alarm: None,
            message: None,
            between: Duration::from_secs(10),
            reset: None,
        };
        let mut watch = ThresholdWatch::default();
        let raised = [5, 6, 14, 15, 16].map(|second| watch.may_raise(0, &threshold, second * 1_000_000));
        assert_eq!(raised, [true, false, false, true, false]);
        assert!(watch.may_raise(1, &threshold, 16_000_000), "each for itself");
    }
}
