//! Metrics of the application: numbers with names, which its processes share (uWSGI's manual, "The Metrics subsystem").
//!
//! A section of the configuration. Not for what is done with their values (`crate::metrics`). Pure; master and members read it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// All metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metrics {
    /// `metric`, in their order.
    pub list: Vec<Metric>,
    /// `metric-threshold`.
    pub thresholds: Vec<Threshold>,
    /// `metrics-dir`: where each has a file.
    pub directory: Option<PathBuf>,
    /// `metrics-dir-restore`: each begins with what stands in its file.
    pub restore: bool,
}

/// A metric.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metric {
    /// What it is called.
    pub name: String,
    /// What it stands for.
    pub kind: MetricKind,
    /// What SNMP would call it: told in the document of `stats`.
    pub oid: String,
    /// What it is at first.
    pub initial: i64,
}

/// What a metric stands for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetricKind {
    /// What only grows.
    #[default]
    Counter,
    /// What goes up and down.
    Gauge,
    /// The same, by another name.
    Absolute,
}

/// A bound of a metric, and what is done when it is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threshold {
    /// The name of the metric.
    pub metric: String,
    /// The bound.
    pub value: i64,
    /// The alarm that is raised.
    #[serde(default)]
    pub alarm: Option<String>,
    /// With which message.
    #[serde(default)]
    pub message: Option<String>,
    /// For so long it is not raised again.
    #[serde(default)]
    pub between: Duration,
    /// What the metric is set to then.
    #[serde(default)]
    pub reset: Option<i64>,
}

/// What the memory of all metrics is called.
pub const MEMORY: &str = "metrics";
