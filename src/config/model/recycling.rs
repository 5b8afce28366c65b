//! When a worker is replaced although nothing is wrong with it.
//!
//! A section of the configuration. Pure; the workers read it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// When a worker is replaced although nothing is wrong with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Recycling {
    /// `max-requests`; zero is off.
    pub max_requests: u64,
    /// `max-requests-delta`.
    pub max_requests_delta: u64,
    /// Whether that is zero because it was given; else a delta of zero spreads them over a tenth more.
    pub requests_together: bool,
    /// `min-worker-lifetime`.
    pub min_lifetime: Duration,
    /// `max-worker-lifetime`.
    pub max_lifetime: Option<Duration>,
    /// `max-worker-lifetime-delta`.
    pub max_lifetime_delta: Duration,
    /// The same for that.
    pub lifetimes_together: bool,
    /// `reload-on-rss`, in bytes.
    pub rss: Option<u64>,
    /// `reload-on-as`, in bytes.
    pub address_space: Option<u64>,
    /// `evil-reload-on-rss`, in bytes: the master kills it.
    pub evil_rss: Option<u64>,
    /// `evil-reload-on-as`, in bytes.
    pub evil_address_space: Option<u64>,
    /// `mem-collector-freq`: how often the master looks.
    pub collector_period: Duration,
    /// `reload-on-exception` and its relatives.
    pub exceptions: MonitoredExceptions,
}

impl Default for Recycling {
    fn default() -> Recycling {
        Recycling {
            max_requests: 0,
            max_requests_delta: 0,
            requests_together: false,
            min_lifetime: Duration::from_secs(10),
            max_lifetime: None,
            max_lifetime_delta: Duration::ZERO,
            lifetimes_together: false,
            rss: None,
            address_space: None,
            evil_rss: None,
            evil_address_space: None,
            collector_period: Duration::from_secs(3),
            exceptions: MonitoredExceptions::default(),
        }
    }
}

/// Failures of the application after which the worker is replaced. All texts are compared as wholes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MonitoredExceptions {
    /// `reload-on-exception`: whatever it is.
    pub any: bool,
    /// `reload-on-exception-type`, in order.
    pub types: Vec<String>,
    /// `reload-on-exception-value`, in order.
    pub values: Vec<String>,
    /// `reload-on-exception-repr`, in order.
    pub reprs: Vec<String>,
}
