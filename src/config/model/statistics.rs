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
    /// Permission bits of its socket, if that is a file (`chmod-stats`, ours).
    pub mode: Option<u32>,
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
            mode: None,
            metrics: None,
            agent: None,
        }
    }
}

impl Statistics {
    /// Permission bits of the document's socket: it tells what requests are about, so that users beside owner and group get
    /// nothing unless that was asked for, whatever `chmod-socket` says of sockets for clients.
    pub fn mode(&self, chmod_socket: Option<u32>, umask: Option<u32>) -> u32 {
        const OWNER: u32 = 0o600;
        const OWNER_AND_GROUP: u32 = 0o660;
        let usual = || match (chmod_socket, umask) {
            (Some(bits), _) => bits & OWNER_AND_GROUP,
            (None, Some(umask)) => OWNER_AND_GROUP & !umask,
            (None, None) => OWNER,
        };
        self.mode.unwrap_or_else(usual)
    }

    /// Whether workers are to write down what their requests are about.
    pub fn describes_requests(&self) -> bool {
        self.server.is_some() && self.cores
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_told_nothing_unless_that_was_asked_for() {
        let usual = Statistics::default();
        assert_eq!(usual.mode(Some(0o666), Some(0)), 0o660);
        assert_eq!(usual.mode(Some(0o600), Some(0)), 0o600);
        assert_eq!(usual.mode(None, Some(0o002)), 0o660);
        assert_eq!(usual.mode(None, Some(0o022)), 0o640);
        assert_eq!(usual.mode(None, None), 0o600);
        assert_eq!(Statistics { mode: Some(0o666), ..usual }.mode(Some(0o600), Some(0o077)), 0o666);
    }
}
