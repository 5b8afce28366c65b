//! What bounds one request, and how clients are treated that did not wait for its answer.
//!
//! Two sections of the configuration. Pure; the workers read them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::network::{Network, Peer};

/// Bounds of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestLimits {
    /// Largest block of variables in bytes (`buffer-size`; default 65535, uWSGI's 4096).
    pub buffer_size: u16,
    /// Most variables (`max-vars`).
    pub vars_max: usize,
    /// Deadline for the whole head, and the longest silence while a body is read or a response written (`socket-timeout`).
    pub socket_timeout: Duration,
    /// Largest request body in bytes (`limit-post`); `None` has no limit.
    pub body_max: Option<u64>,
    /// Whether the whole body is there before the application runs (`post-buffering`).
    pub gathers: bool,
    /// Most bytes of it that stay in memory then; those of a longer one are in a file (`post-buffering`,
    /// `post-buffering-bufsize`).
    pub gathered_in_memory: u64,
    /// Bytes that are read at once of one that goes into a file (`post-buffering-bufsize`).
    pub gathering_bytes: usize,
    /// Bytes of a body that an application may read at once without a line in the log (`body-read-warning`).
    pub read_quietly: Option<u64>,
    /// Peers whose `X-Forwarded-*` headers are believed. Empty: nobody's.
    pub trusted_proxies: Vec<Network>,
    /// Peers from which web servers may come over TCP (`uwsgi-allow-from`, ours). Empty: everybody.
    pub web_servers: Vec<Network>,
    /// Requests that have waited for longer get 503 (`queue-timeout`, ours).
    pub queue_timeout: Option<Duration>,
    /// Paths of which that does not hold (`queue-timeout-except`, ours).
    pub queue_spared: Vec<String>,
}

impl Default for RequestLimits {
    fn default() -> RequestLimits {
        RequestLimits {
            buffer_size: u16::MAX,
            vars_max: 128,
            socket_timeout: Duration::from_secs(4),
            body_max: None,
            gathers: false,
            gathered_in_memory: 0,
            gathering_bytes: 8_192,
            read_quietly: Some(8 << 20),
            trusted_proxies: Vec::new(),
            web_servers: Vec::new(),
            queue_timeout: None,
            queue_spared: Vec::new(),
        }
    }
}

impl RequestLimits {
    /// Whether the `X-Forwarded-*` headers of a request from this peer (`REMOTE_ADDR`) are believed.
    #[inline(always)]
    pub fn trusts(&self, remote_addr: &[u8]) -> bool {
        !self.trusted_proxies.is_empty() && Peer::named(remote_addr).is_some_and(|peer| self.trusts_peer(peer))
    }

    /// Whether a web server may come from there, over a protocol in which it says who its clients are.
    pub fn admits(&self, peer: Peer) -> bool {
        self.web_servers.is_empty()
            || peer == Peer::Unix
            || self.web_servers.iter().any(|network| network.contains(peer))
    }

    /// Whether those of this peer are.
    pub fn trusts_peer(&self, peer: Peer) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(peer))
    }
}

/// How clients that went away before the response was complete are treated.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct VanishedClients {
    /// `ignore-write-errors`: failed writes are not logged.
    pub ignore_write_errors: bool,
    /// `ignore-sigpipe`: nor are clients that closed their end.
    pub ignore_sigpipe: bool,
    /// `disable-write-exception`: the application sees no exception.
    pub disable_write_exception: bool,
}
