//! Where an instance tells of itself, and what.
//!
//! A section of the configuration. Not for telling (`crate::stats`, `master::statistics`). Pure; the master reads it, and
//! workers whether anybody asks what their requests are about.

use serde::{Deserialize, Serialize};

use super::listener::Address;

/// Where an instance tells of itself, and what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Statistics {
    /// Where uWSGI's document is told (`stats`).
    pub server: Option<Address>,
    /// Whether that is asked for over HTTP (`stats-http`).
    pub http: bool,
    /// Whether the document is one line (`stats-minified`).
    pub minified: bool,
    /// Whether it has the threads of each worker (without `stats-no-cores`).
    pub cores: bool,
    /// Whether the document has the application's metrics (`stats-no-metrics` takes them out).
    pub own_metrics: bool,
    /// Whether it has all variables of requests under way, cookies and credentials among them (`stats-variables`, ours).
    pub variables: bool,
    /// Where metrics are told over HTTP (`metrics`, ours).
    pub metrics: Option<Address>,
    /// Where HAProxy's agent is told (`agent-check`, ours).
    pub agent: Option<Address>,
}

impl Default for Statistics {
    fn default() -> Statistics {
        Statistics {
            server: None,
            http: false,
            minified: false,
            cores: true,
            own_metrics: true,
            variables: false,
            metrics: None,
            agent: None,
        }
    }
}

impl Statistics {
    /// Whether workers are to write down what their requests are about.
    pub fn describes_requests(&self) -> bool {
        self.server.is_some() && self.cores
    }
}
