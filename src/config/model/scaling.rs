//! How many of the workers run at a time.
//!
//! A section of the configuration. Not for deciding (`crate::scaling`). Pure; the master reads it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::schedule::Period;
use super::word::words;

/// How many of the workers run at a time. Without any `cheaper*` option `initial == minimum == workers`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scaling {
    /// Whether the number of workers changes at all.
    pub enabled: bool,
    /// Which rule decides.
    pub policy: Policy,
    /// Fewest workers (`cheaper`).
    pub minimum: usize,
    /// Workers at start (`cheaper-initial`).
    pub initial: usize,
    /// Most workers added by one decision of uWSGI's policies (`cheaper-step`).
    pub step: usize,
    /// `cheaper-overload`, raw: its unit depends on the policy.
    pub overload: u64,
    /// `cheaper-idle` of `spare2`.
    pub idle: u64,
    /// `cheaper-rss-limit-soft`, in bytes.
    pub rss_soft: Option<u64>,
    /// `cheaper-rss-limit-hard`, in bytes.
    pub rss_hard: Option<u64>,
    /// Target waiting time of `adaptive` (`cheaper-target-wait`, ours; milliseconds in the configuration).
    pub target_wait: Duration,
    /// Options of `busyness`.
    pub busyness: Busyness,
    /// `check-interval`.
    pub check_interval: Duration,
    /// Start with no worker, wake at the first connection (`cheap`).
    pub cheap: bool,
    /// Go to no worker after so long without a request (`idle`).
    pub idle_after: Option<Duration>,
    /// Stop instead (`die-on-idle`).
    pub die_on_idle: bool,
    /// More workers at some times of the week (`cheaper-schedule`, ours).
    pub schedule: Vec<Period>,
    /// File for the decisions, one JSON line each (`cheaper-log`, ours).
    pub log: Option<PathBuf>,
}

impl Scaling {
    /// `cheaper-target-wait` without the line. The simulator's figures and pictures are of this target.
    pub const TARGET_WAIT: Duration = Duration::from_millis(10);
}

impl Default for Scaling {
    fn default() -> Scaling {
        Scaling {
            enabled: false,
            policy: Policy::Adaptive,
            minimum: 1,
            initial: 1,
            step: 1,
            overload: 3,
            idle: 10,
            rss_soft: None,
            rss_hard: None,
            target_wait: Scaling::TARGET_WAIT,
            busyness: Busyness::default(),
            check_interval: Duration::from_secs(1),
            cheap: false,
            idle_after: None,
            die_on_idle: false,
            schedule: Vec::new(),
            log: None,
        }
    }
}

words! {
    /// Which rule decides on the number of workers.
    Policy, "rule of scaling" {
        /// rhinod's own, driven by how long requests wait.
        Adaptive = "adaptive",
        /// uWSGI's default.
        Spare = "spare",
        /// Keeps `cheaper` workers idle.
        Spare2 = "spare2",
        /// By the length of the listen queue.
        Backlog = "backlog",
        /// By the share of time that workers are busy.
        Busyness = "busyness",
        /// Only the master fifo's `+` and `-`.
        Manual = "manual",
    }
}

/// Options of the policy `busyness`; units as in uWSGI's manual.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Busyness {
    /// Percent above which workers are added.
    pub max: u64,
    /// Percent below which workers are removed.
    pub min: u64,
    /// Windows of `cheaper-overload` seconds to wait before a removal.
    pub multiplier: u64,
    /// Added to the multiplier when a removal proved wrong.
    pub penalty: u64,
    /// `cheaper-busyness-verbose`: log every window.
    pub verbose: bool,
    /// Length of the queue that adds emergency workers.
    pub backlog_alert: u64,
    /// Emergency workers a decision.
    pub backlog_step: u64,
    /// Multiplier while there are emergency workers.
    pub backlog_multiplier: u64,
    /// Seconds of a queue above zero that add emergency workers.
    pub backlog_nonzero: u64,
}

impl Default for Busyness {
    fn default() -> Busyness {
        Busyness {
            max: 50,
            min: 25,
            multiplier: 10,
            penalty: 2,
            verbose: false,
            backlog_alert: 33,
            backlog_step: 1,
            backlog_multiplier: 3,
            backlog_nonzero: 60,
        }
    }
}
