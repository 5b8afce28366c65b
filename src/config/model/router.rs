//! The processes that take TLS off connections and pass them on to the workers.
//!
//! A section of the configuration. Pure; the master and the router read it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What holds for all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Routers {
    /// How many there are, where there is any (`http-processes`).
    pub processes: usize,
    /// How long a client may take for the TLS handshake and the first byte of a request (`http-headers-timeout`).
    pub head_patience: Duration,
    /// How long one may leave an answer unread that the worker has written, or that an offload thread sends
    /// (`http-timeout`).
    pub patience: Duration,
}

impl Default for Routers {
    fn default() -> Routers {
        Routers { processes: 1, head_patience: Duration::from_secs(60), patience: Duration::from_secs(60) }
    }
}
