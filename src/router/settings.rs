//! What the master gives a router: the sockets that it takes connections from, with their certificates, and those that it
//! passes them on to. Written in the master, read in the router.

use std::os::fd::RawFd;

use serde::{Deserialize, Serialize};
use worker_protocol::wire::Protocol;

use crate::config::model::{HttpSockets, Logging, RequestLimits, Routers, Tls, ToHttps};

/// The argument that makes a binary a router; the number of the descriptor with its settings follows.
pub(crate) const ROUTER_ARGUMENT: &str = "__router";

/// All that a router needs.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) doors: Vec<RoutedDoor>,
    pub(crate) gates: Vec<Gate>,
    pub(crate) routers: Routers,
    pub(crate) http: HttpSockets,
    /// Who is believed, and how large requests may be.
    pub(crate) limits: RequestLimits,
    /// Headers of its own answers.
    pub(crate) added: Vec<(String, String)>,
    pub(crate) logging: Logging,
    /// Where it tells of itself, if it does.
    pub(crate) telling: Option<Telling>,
    /// Where instances announce themselves, if they do.
    #[serde(default)]
    pub(crate) listening: Option<Listening>,
    /// On which the master says where the log goes meanwhile; passed by its number.
    pub(crate) control: RawFd,
}

/// A socket that clients connect to.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RoutedDoor {
    /// Passed by its number.
    pub(crate) descriptor: RawFd,
    pub(crate) name: String,
    pub(crate) protocol: Protocol,
    /// Whether its requests are read in the router.
    pub(crate) reads_requests: bool,
    /// Where everybody is sent on who comes there, if that is all that is done.
    pub(crate) to_https: Option<ToHttps>,
    pub(crate) tls: Option<Tls>,
}

/// Where a router tells of itself, and how.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Telling {
    /// The socket, passed by its number.
    pub(crate) descriptor: RawFd,
    /// Whether a request is waited for, and answered over HTTP (`stats-http`).
    pub(crate) over_http: bool,
    /// Whether the document is one line (`stats-minified`).
    pub(crate) minified: bool,
    /// Its own number among all routers, from 1.
    pub(crate) router: u32,
}

/// Where instances announce themselves; all passed by their numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Listening {
    /// Sockets for datagrams.
    pub(crate) sockets: Vec<RawFd>,
    /// In which routers of the instance tell each other.
    pub(crate) journal: RawFd,
}

/// What certificate a door shows from now on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Certified {
    /// The door.
    pub(crate) name: String,
    pub(crate) tls: Tls,
}

/// A socket that workers listen on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Gate {
    pub(crate) protocol: Protocol,
    /// Of Linux' abstract namespace (unix(7)).
    pub(crate) name: Vec<u8>,
}
