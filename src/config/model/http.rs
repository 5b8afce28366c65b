//! How HTTP is spoken on the sockets that speak it.
//!
//! A section of the configuration. Pure; the workers read it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What holds on HTTP sockets, beside what bounds every request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpSockets {
    /// How long a client may be silent between two requests (`http-keepalive`); zero: each connection ends with its
    /// first answer.
    pub keep_alive: Duration,
    /// Whether answers name the server (`server-header`).
    pub names_server: bool,
    /// Whether each connection begins with a header of the PROXY protocol (`enable-proxy-protocol`).
    pub proxy_protocol: bool,
    /// Largest chunk that an application is given as one (`chunked-input-limit`).
    pub chunk_bytes_max: u64,
    /// How long it waits for one (`chunked-input-timeout`); `None`: the socket timeout.
    pub chunk_patience: Option<Duration>,
}

impl HttpSockets {
    /// How long clients may be silent unless the configuration says otherwise: longer than load balancers keep their
    /// own ends (60 seconds at AWS), as a connection must not end on this side just when they use it.
    pub const KEEP_ALIVE: Duration = Duration::from_secs(75);
}

impl Default for HttpSockets {
    fn default() -> HttpSockets {
        HttpSockets {
            keep_alive: HttpSockets::KEEP_ALIVE,
            names_server: true,
            proxy_protocol: false,
            chunk_bytes_max: 1 << 20,
            chunk_patience: None,
        }
    }
}
