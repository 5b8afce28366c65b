//! The processes that take clients' connections for the workers: take TLS off them, or read their requests.
//!
//! A section of the configuration. Pure; the master and the router read it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::hearing::Hearing;
use super::listener::Address;

/// What holds for all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Routers {
    /// How many there are, where there is any (`http-processes`).
    pub processes: usize,
    /// Whether they read the requests of `http` and `https`, which takes an option that nothing else could obey.
    pub reads_requests: bool,
    /// Whom they ask (`http-to`); empty: the workers of this instance.
    pub to: Vec<Address>,
    /// How long a client may take for the TLS handshake and the first byte of a request; where requests are read, for a
    /// whole head (`http-headers-timeout`).
    pub head_patience: Duration,
    /// How long one may leave an answer unread that the worker has written, or that an offload thread sends; where requests
    /// are read, how long whoever is waited for may be silent (`http-timeout`).
    pub patience: Duration,
    /// How long connecting may take (`http-connect-timeout`); `None`: as long as a silence.
    pub connect_patience: Option<Duration>,
    /// How long one of those is left alone that cannot be connected to, while there are others (`http-gracetime`).
    pub grace: Duration,
    /// Most bytes of a request body that stay in memory (`http-buffer-size`).
    pub body_in_memory: u64,
    /// Variables of each request beside those of its head (`http-var`).
    pub variables: Vec<(String, String)>,
    /// `modifier1` and `modifier2` of each request (`http-modifier1`, `http-modifier2`).
    pub modifiers: (u8, u8),
    /// Whether the host that a client asks for is the server's name (`http-server-name-as-http-host`).
    pub named_by_host: bool,
    /// Whether nothing is said of workers who cannot be asked, or do not answer (`http-quiet`).
    pub quiet: bool,
    /// Whether answers are packed whose application asks for that (`http-auto-gzip`).
    pub packs: bool,
    /// Where each of them tells of itself (`http-stats`).
    pub statistics: Option<Address>,
    /// What they make of instances that announce themselves.
    pub hearing: Hearing,
}

impl Default for Routers {
    fn default() -> Routers {
        let minute = Duration::from_secs(60);
        Routers {
            processes: 1,
            reads_requests: false,
            to: Vec::new(),
            head_patience: minute,
            patience: minute,
            connect_patience: None,
            grace: Duration::from_secs(30),
            body_in_memory: 65_536,
            variables: Vec::new(),
            modifiers: (0, 0),
            named_by_host: false,
            quiet: false,
            packs: false,
            statistics: None,
            hearing: Hearing::default(),
        }
    }
}
