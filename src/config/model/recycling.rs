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
    /// `min-worker-lifetime`.
    pub min_lifetime: Duration,
    /// `max-worker-lifetime`.
    pub max_lifetime: Option<Duration>,
    /// `max-worker-lifetime-delta`.
    pub max_lifetime_delta: Duration,
    /// `reload-on-rss`, in bytes.
    pub rss: Option<u64>,
    /// `reload-on-as`, in bytes.
    pub address_space: Option<u64>,
    /// `reload-on-exception` and its relatives.
    pub exceptions: MonitoredExceptions,
}

impl Default for Recycling {
    fn default() -> Recycling {
        Recycling {
            max_requests: 0,
            max_requests_delta: 0,
            min_lifetime: Duration::from_secs(10),
            max_lifetime: None,
            max_lifetime_delta: Duration::ZERO,
            rss: None,
            address_space: None,
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
