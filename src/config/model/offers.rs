//! What the instance offers to others beside answers to web requests, and to whom: functions of the application, caches,
//! and spoolers (uWSGI's manual, "uWSGI RPC Stack", "The uWSGI caching framework", "The uWSGI Spooler").
//!
//! A section of the configuration. Pure; the workers read it.

use serde::{Deserialize, Serialize};

use super::network::{Network, Peer};

/// What is offered, and to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Offers {
    /// Most functions that the application may register (`rpc-max`).
    pub functions_max: usize,
    /// Who may call them from outside (`rpc-allow-from`, ours). Empty: nobody.
    pub callers: Vec<Network>,
    /// Who may use the caches from outside (`cache-allow-from`, ours). Empty: nobody.
    pub cache_users: Vec<Network>,
    /// Who may have tasks run (`spool-allow-from`, ours). Empty: nobody.
    pub task_givers: Vec<Network>,
}

impl Default for Offers {
    fn default() -> Offers {
        Offers { functions_max: 64, callers: Vec::new(), cache_users: Vec::new(), task_givers: Vec::new() }
    }
}

impl Offers {
    /// Whether somebody is among these.
    pub fn include(allowed: &[Network], peer: Peer) -> bool {
        allowed.iter().any(|network| network.contains(peer))
    }
}
