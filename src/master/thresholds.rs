//! Bounds of the application's metrics (`metric-threshold`): looked at once a second where there are any. Master only.

use std::collections::BTreeMap;

use super::driver::Driver;
use crate::config::model::Threshold;
use crate::sys::clock::monotonic_us;

/// How often metrics are looked at.
const LOOK_EVERY_US: u64 = 1_000_000;

/// When metrics were looked at, and when which alarm was raised.
#[derive(Debug, Default)]
pub(super) struct ThresholdWatch {
    looked_us: u64,
    raised_us: BTreeMap<usize, u64>,
}

impl ThresholdWatch {
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

impl Driver<'_> {
    /// When to look at the metrics.
    pub(super) fn thresholds_due_us(&self) -> Option<u64> {
        let waits = !self.in_force.config.metrics.thresholds.is_empty() && !self.machine.is_stopping();
        waits.then(|| self.threshold_watch.looked_us.saturating_add(LOOK_EVERY_US))
    }

    /// Looks at the metrics, if it is time.
    pub(super) fn mind_thresholds(&mut self) {
        let now_us = monotonic_us();
        if self.thresholds_due_us().is_none_or(|due_us| due_us > now_us) {
            return;
        }
        self.threshold_watch.looked_us = now_us;
        for (place, threshold) in self.in_force.config.metrics.thresholds.clone().iter().enumerate() {
            let value = self.in_force.memories.metric(&threshold.metric);
            let Some(value) = value.filter(|value| *value >= threshold.value) else { continue };
            if !self.threshold_watch.may_raise(place, threshold, now_us) {
                continue;
            }
            if let Some(alarm) = &threshold.alarm {
                let message = threshold.message.clone();
                let message = message.unwrap_or_else(|| format!("the metric {} is {value}", threshold.metric));
                self.raise_alarms(std::slice::from_ref(alarm), &message);
            }
            if let Some(reset) = threshold.reset {
                self.in_force.memories.set_metric(&threshold.metric, reset);
            }
        }
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
