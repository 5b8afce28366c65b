//! Listening sockets that instances share (uWSGI's manual, "Zerg mode"): from where they are taken, and to whom they are
//! given.
//!
//! A section of the configuration. Not for doing either (`master::zerg`). Pure; the master reads it.

use serde::{Deserialize, Serialize};
use worker_protocol::wire::Protocol;

use super::listener::{Address, Listener};

/// Sockets taken and given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Zerg {
    /// The servers and pools from which sockets are taken (`zerg`).
    pub from: Vec<Address>,
    /// What is spoken on them (`protocol`): only descriptors travel.
    pub protocol: Protocol,
    /// Whether the instance starts without them (`zerg-fallback`).
    pub fallback: bool,
    /// Where the instance gives its own sockets to whoever connects (`zerg-server`).
    pub server: Option<Address>,
    /// Sockets that it holds for others only (`zerg-pool`).
    pub pools: Vec<ZergPool>,
}

/// Sockets that are held for others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZergPool {
    /// Where they are given to whoever connects.
    pub door: Address,
    /// What they are.
    pub sockets: Vec<Listener>,
}

impl Zerg {
    /// What was taken and what is held stays as it is, whatever a reload says.
    pub(crate) fn stay(&mut self, started: &Zerg) {
        self.from.clone_from(&started.from);
        self.protocol = started.protocol;
        self.fallback = started.fallback;
        self.pools.clone_from(&started.pools);
    }
}
