//! The load generator: N clients, one thread, one request for each connection, as nginx does it.
//!
//! A closed loop (each client sends the next request when the last one ended) or an open one (requests fall due at
//! random, latency counts from when they were due). Refused connections are repeated and counted. [`exchange()`] is the
//! one-request variant for readiness and tests. Runs in the measuring process; it shares the machine with the server,
//! so it does as little as it can: one epoll set, no allocation for a request that fits into one read.

mod arrivals;
mod connection;
mod crowd;
mod driver;
mod exchange;
mod reply;
mod report;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use std::{fmt, io};

pub use crowd::{Crowd, allow};
pub use exchange::{Reply, exchange, wait_for_answer};
pub use reply::{HEAD_BYTES_MAX, Outcome, ReplyReader};
pub use report::{Bucket, Counts, Latency, Report};

use crate::packet::{PacketError, Request};

/// Where the server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A unix socket.
    Unix(PathBuf),
    /// A TCP address.
    Tcp(SocketAddr),
}

/// `HOST:PORT` is TCP, anything with a slash or without a port is a path.
impl FromStr for Target {
    type Err = io::Error;

    fn from_str(text: &str) -> io::Result<Self> {
        let has_port = text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if text.contains('/') || !has_port {
            return Ok(Self::Unix(PathBuf::from(text)));
        }
        let address = text.to_socket_addrs()?.next();
        address.map(Self::Tcp).ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{text}: no address")))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp(address) => write!(f, "{address}"),
        }
    }
}

/// What is spoken with the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// One uwsgi packet for each connection.
    Uwsgi,
    /// HTTP, for a web server in front; `keep_alive` reuses connections (replies then need a `Content-Length`).
    Http {
        /// Whether a connection serves many requests.
        keep_alive: bool,
    },
}

/// When a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// After so many requests.
    Requests(u64),
    /// No request begins after that time; those under way are waited for.
    Elapsed(Duration),
}

/// When the next request begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// When a client is free.
    Closed,
    /// At random, `per_s` a second on average (Poisson), whatever the server does; `clients` bounds the connections.
    Poisson {
        /// Requests a second.
        per_s: f64,
        /// Same seed, same arrivals.
        seed: u64,
    },
}

/// What a run does. Built by [`Load::new`]; the fields may be changed.
#[derive(Debug, Clone)]
pub struct Load {
    /// Where the server listens.
    pub target: Target,
    /// The bytes of one request.
    pub request: Vec<u8>,
    /// Whether replies end with their head (HEAD).
    pub expects_no_body: bool,
    /// Whether connections are reused.
    pub keep_alive: bool,
    /// Most connections at once.
    pub clients: usize,
    /// When to end.
    pub until: Until,
    /// When requests begin.
    pub pace: Pace,
    /// Pause before a refused connection is tried again.
    pub retry_after: Duration,
    /// Longest time for one request, refusals included.
    pub patience: Duration,
    /// Width of the timeline's buckets, if one is wanted.
    pub bucket: Option<Duration>,
}

impl Load {
    /// A closed loop of `clients` clients that send `request` in the uwsgi protocol, or in HTTP.
    ///
    /// # Errors
    /// When the request does not fit into a packet.
    pub fn new(
        target: Target,
        wire: Wire,
        request: &Request,
        clients: usize,
        until: Until,
    ) -> Result<Self, PacketError> {
        let (bytes, keep_alive) = match wire {
            Wire::Uwsgi => (request.to_uwsgi()?, false),
            Wire::Http { keep_alive } => (request.to_http(keep_alive), keep_alive),
        };
        Ok(Self {
            target,
            request: bytes,
            expects_no_body: request.expects_no_body(),
            keep_alive,
            clients,
            until,
            pace: Pace::Closed,
            retry_after: Duration::from_millis(1),
            patience: Duration::from_secs(30),
            bucket: None,
        })
    }

    /// Does it, in the calling thread. Setting `stop` ends the run within a tenth of a second; requests under way are
    /// then given up and counted as abandoned.
    ///
    /// # Errors
    /// Only those of this side: no descriptors left, no epoll. What the server does wrong is in the report.
    pub fn run(&self, stop: &AtomicBool) -> io::Result<Report> {
        driver::Driver::new(self)?.run(stop)
    }
}

#[cfg(test)]
mod tests;
