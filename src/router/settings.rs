//! What the master gives a router: the sockets that it takes connections from, with their certificates, and those that it
//! passes them on to. Written in the master, read in the router.

use std::os::fd::RawFd;

use serde::{Deserialize, Serialize};
use worker_protocol::wire::Protocol;

use crate::config::model::{Logging, RequestLimits, Routers, Tls};

/// The argument that makes a binary a router; the number of the descriptor with its settings follows.
pub(crate) const ROUTER_ARGUMENT: &str = "__router";

/// All that a router needs.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) doors: Vec<SecureDoor>,
    pub(crate) gates: Vec<Gate>,
    pub(crate) routers: Routers,
    /// Whether each connection begins with a header of the PROXY protocol.
    pub(crate) proxy_protocol: bool,
    /// Who is believed.
    pub(crate) limits: RequestLimits,
    pub(crate) logging: Logging,
}

#[cfg(feature = "tls")]
impl Settings {
    /// The name of the workers' socket for a protocol.
    pub(super) fn gate(&self, protocol: Protocol) -> Option<&[u8]> {
        self.gates.iter().find(|gate| gate.protocol == protocol).map(|gate| gate.name.as_slice())
    }
}

/// A socket that clients connect to.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SecureDoor {
    /// Passed by its number.
    pub(crate) descriptor: RawFd,
    pub(crate) name: String,
    pub(crate) protocol: Protocol,
    pub(crate) tls: Tls,
}

/// A socket that workers listen on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Gate {
    pub(crate) protocol: Protocol,
    /// Of Linux' abstract namespace (unix(7)).
    pub(crate) name: Vec<u8>,
}
