//! What the policies are told once: the numbers of the configuration in the units that decisions use. Not the place where
//! option names or defaults live, nor where they are judged (that is `config`).

use crate::config::model::{self, Config, Policy};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longest duration of any setting: about 31 years.
const DURATION_MAX_US: u64 = 1_000_000_000_000_000;
/// Largest number without a unit of time, and largest number of seconds or ticks.
const COUNT_MAX: u64 = 1_000_000_000;
/// The target wait of `adaptive` when nothing else is said.
#[cfg(any(feature = "simulate", test))]
pub(super) const TARGET_WAIT_US: u64 = model::Scaling::TARGET_WAIT.as_micros() as u64;

/// The policies' settings. Counts are of workers, times are microseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Which rule decides.
    pub policy: Policy,
    /// Fewest workers.
    pub minimum: u32,
    /// Workers at start.
    pub initial: u32,
    /// Most workers.
    pub maximum: u32,
    /// Most workers added by one decision of uWSGI's policies; at least 1.
    pub step: u32,
    /// `cheaper-overload`: for `spare` hundredths of the check interval (3 is 30 ms), for `backlog` connections, for
    /// `busyness` seconds. With [`Pace::Ticks`] `spare` counts whole check intervals, as uWSGI does.
    pub overload: u64,
    /// `cheaper-idle` of `spare2`: check intervals.
    pub idle: u64,
    /// Sum of resident memory above which nothing grows, in bytes.
    pub rss_soft_bytes: Option<u64>,
    /// Sum of resident memory above which one worker a check interval is retired, in bytes.
    pub rss_hard_bytes: Option<u64>,
    /// The wait that `adaptive` tries not to exceed.
    pub target_wait_us: u64,
    /// `check-interval`: the pace of everything that uWSGI does once a second.
    pub check_interval_us: u64,
    /// Start with no worker and wait for the first connection.
    pub cheap: bool,
    /// Go to no worker after so long without a request.
    pub idle_after_us: Option<u64>,
    /// Stop the instance instead.
    pub die_on_idle: bool,
    /// Requests that one worker handles at once.
    pub threads: u32,
    /// Options of `busyness`.
    pub busyness: Busyness,
    /// Whether events or only ticks are answered.
    pub pace: Pace,
}

/// When a policy may decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// At every event.
    Events,
    /// Once a check interval, counting in intervals: uWSGI to the letter (uWSGI's manual, "The uWSGI cheaper
    /// subsystem"), for comparison in the simulator.
    Ticks,
}

/// Options of `busyness`, as in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Busyness {
    pub max_percent: u64,
    pub min_percent: u64,
    pub multiplier: u64,
    pub penalty: u64,
    pub backlog_alert: u64,
    pub backlog_step: u64,
    pub backlog_multiplier: u64,
    pub backlog_nonzero_s: u64,
}

/// The fewest workers are too large for the memory that they may have. The configuration is at fault; the text says what
/// to change. Everything else about it is judged before anything is started, in `config`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`cheaper = {minimum}` workers of {worker} bytes need {needed} bytes, more than `cheaper-rss-limit-soft` \
     ({soft} bytes): raise the limit or lower `cheaper`"
)]
pub struct MinimumDoesNotFit {
    /// `cheaper`.
    pub minimum: u32,
    /// Resident bytes of one worker.
    pub worker: u64,
    /// Bytes of the minimum.
    pub needed: u64,
    /// Soft limit in bytes.
    pub soft: u64,
}

impl Settings {
    /// The settings of a configuration, which has been judged: numbers that no judgement lets pass are cut down.
    pub fn of(config: &Config) -> Settings {
        let (scaling, bounds) = (&config.scaling, config.bounds());
        Settings {
            policy: if scaling.enabled { scaling.policy } else { Policy::Manual },
            minimum: bounds.minimum(),
            initial: bounds.initial(),
            maximum: bounds.maximum(),
            step: u32::try_from(scaling.step).unwrap_or(u32::MAX).clamp(1, bounds.maximum()),
            overload: scaling.overload.clamp(1, COUNT_MAX),
            idle: scaling.idle.clamp(1, COUNT_MAX),
            rss_soft_bytes: scaling.rss_soft,
            rss_hard_bytes: scaling.rss_hard,
            target_wait_us: micros(scaling.target_wait),
            check_interval_us: micros(scaling.check_interval).max(1),
            cheap: scaling.cheap,
            idle_after_us: scaling.idle_after.map(micros),
            die_on_idle: scaling.die_on_idle,
            threads: config.threads.clamp(1, 65_535) as u32,
            busyness: Busyness::from(&scaling.busyness),
            pace: Pace::Events,
        }
    }

    /// Whether the numbers are in the range that [`Settings::of`] gives, for settings read from a log.
    ///
    /// # Errors
    /// The name of the field that is out of range.
    pub fn check(&self) -> Result<(), &'static str> {
        let busyness = &self.busyness;
        let counts = [self.overload, self.idle, busyness.multiplier, busyness.penalty, busyness.backlog_step];
        let more = [busyness.backlog_multiplier, busyness.backlog_nonzero_s];
        if self.maximum == 0 || self.maximum > 65_535 || self.minimum > self.maximum || self.threads > 65_535 {
            return Err("the number of workers");
        }
        if self.target_wait_us.max(self.idle_after_us.unwrap_or(0)) > DURATION_MAX_US {
            return Err("a duration of the settings");
        }
        if self.check_interval_us == 0 || self.check_interval_us > DURATION_MAX_US {
            return Err("the check interval");
        }
        if counts.iter().chain(&more).any(|&count| count > COUNT_MAX) {
            return Err("a count of the settings");
        }
        Ok(())
    }

    /// Whether the policy reads [`Sample::workers`](super::Sample::workers).
    pub fn needs_worker_times(&self) -> bool {
        self.policy == Policy::Busyness
    }

    /// Whether the policy reads [`Sample::cpu`](super::Sample::cpu) and the memory figures.
    pub fn needs_cpu(&self) -> bool {
        self.policy == Policy::Adaptive && self.minimum < self.maximum
    }

    /// Whether resident memory must be sampled for the limits.
    pub fn needs_rss(&self) -> bool {
        self.rss_soft_bytes.is_some()
    }

    /// To be called once the size of a worker is known: does the minimum fit the soft limit?
    ///
    /// # Errors
    /// [`MinimumDoesNotFit`].
    pub fn check_memory(&self, worker_rss_bytes: u64) -> Result<(), MinimumDoesNotFit> {
        let needed = worker_rss_bytes.saturating_mul(u64::from(self.minimum));
        match self.rss_soft_bytes {
            Some(soft) if needed > soft => {
                Err(MinimumDoesNotFit { minimum: self.minimum, worker: worker_rss_bytes, needed, soft })
            }
            _ => Ok(()),
        }
    }

    /// How long `spare` lets an overload last before it grows.
    pub(crate) fn overload_us(&self) -> u64 {
        self.overload.saturating_mul(self.check_interval_us / 100)
    }
}

impl From<&model::Busyness> for Busyness {
    fn from(given: &model::Busyness) -> Self {
        Busyness {
            max_percent: given.max,
            min_percent: given.min,
            multiplier: given.multiplier.min(COUNT_MAX),
            penalty: given.penalty.min(COUNT_MAX),
            backlog_alert: given.backlog_alert,
            backlog_step: given.backlog_step.min(COUNT_MAX),
            backlog_multiplier: given.backlog_multiplier.min(COUNT_MAX),
            backlog_nonzero_s: given.backlog_nonzero.min(COUNT_MAX),
        }
    }
}

/// Capped, so that sums of a time and a setting cannot overflow.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).min(DURATION_MAX_US)
}
