//! Where the instance listens, and what is spoken there.
//!
//! A section of the configuration. Not for opening sockets (`sys::listeners`). Pure; the master opens them, and every
//! process may read of them.

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::tls::Tls;
pub use worker_protocol::wire::Protocol;

/// One listening socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// Where it listens.
    pub address: Address,
    /// What is spoken on it.
    #[serde(default)]
    pub protocol: Protocol,
    /// Several sockets on one TCP address (`reuse-port`).
    #[serde(default)]
    pub reuse_port: bool,
    /// Whether TCP holds a connection back until its first bytes are there (`no-defer-accept`: it does not).
    #[serde(default = "holds_back")]
    pub defer_accept: bool,
    /// Whether it is opened before privileges are dropped (`shared-socket`), where that makes a difference: on TCP ports.
    #[serde(default)]
    pub early: bool,
    /// The numbers of the workers that serve it (`map-socket`); empty: all.
    #[serde(default)]
    pub workers: Vec<u32>,
    /// Whether other instances listen there as well, which are given the socket (`zerg-server`, `zerg-pool`).
    #[serde(default)]
    pub for_zergs: bool,
    /// Its certificate, if TLS is spoken there; the router serves it then.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// Whether the router reads the requests that come there.
    #[serde(default)]
    pub reads_requests: bool,
    /// Where the router sends everybody on who comes there (`http-to-https`), if it is there for that.
    #[serde(default)]
    pub to_https: Option<ToHttps>,
}

/// The same, by https.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToHttps {
    /// At this port of the host that was asked for; `None`: at the usual one.
    pub port: Option<u16>,
}

fn holds_back() -> bool {
    true
}

impl Listener {
    /// On this address, with the defaults of everything else.
    pub fn on(address: Address) -> Listener {
        Listener {
            address,
            protocol: Protocol::default(),
            reuse_port: false,
            defer_accept: true,
            early: false,
            workers: Vec::new(),
            for_zergs: false,
            tls: None,
            reads_requests: false,
            to_https: None,
        }
    }

    /// Whether the router takes the connections that come there.
    pub fn is_routed(&self) -> bool {
        self.tls.is_some() || self.reads_requests
    }

    /// Whether workers serve whoever connects there, without a router.
    pub fn is_plain(&self) -> bool {
        !self.is_routed() && !matches!(self.address, Address::BehindRouter(_))
    }

    /// Whether nobody is to listen there when the instance has ended: not where whoever has handed the socket in goes on
    /// with it, nor where others share the address anyway.
    pub fn ends_with_instance(&self) -> bool {
        !self.reuse_port && !self.for_zergs && !matches!(self.address, Address::Inherited(_))
    }
}

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Address {
    /// A path of the file system, relative to `chdir`.
    Unix(PathBuf),
    /// A name of Linux' abstract namespace, without the leading NUL (`@name`).
    Abstract(Vec<u8>),
    /// TCP, version 4 or 6. Port 0 takes a free one.
    Tcp(SocketAddr),
    /// A descriptor inherited at start (`fd://N`, or standard input being a socket).
    Inherited(RawFd),
    /// A unix socket whose name the kernel chooses, on which the router passes on to the workers what clients have sent.
    /// Nobody but this user is served there.
    BehindRouter(Protocol),
}

/// As configurations write it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(f),
            Self::Abstract(name) => write!(f, "@{}", String::from_utf8_lossy(name)),
            Self::Tcp(address) => address.fmt(f),
            Self::Inherited(number) => write!(f, "fd://{number}"),
            Self::BehindRouter(protocol) => write!(f, "router:{}", protocol.name()),
        }
    }
}
