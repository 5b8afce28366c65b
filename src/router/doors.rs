//! The sockets that clients connect to, and what becomes of a client that has: whose connection it is, and what is taken
//! off it. Router only.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
#[cfg(feature = "tls")]
use std::sync::Arc;

use worker_protocol::proxy::Origin;
use worker_protocol::wire::Protocol;

use super::client::{Client, Introduction};
use super::connection::Connection;
use super::conversation::Terms;
#[cfg(feature = "tls")]
use super::secure::Secure;
use super::session::Session;
use super::tunnel::Tunnel;
use crate::config::model::{Peer, ToHttps};
use crate::sys::stream::{Stream, local_address};

/// A socket that clients connect to.
pub(super) struct Door {
    /// How the master calls it.
    pub(super) name: String,
    pub(super) socket: OwnedFd,
    pub(super) protocol: Protocol,
    /// Whether each connection begins with a header of the PROXY protocol.
    pub(super) introduces: bool,
    /// Whether requests are read here; else bytes are passed on to the workers as they are.
    pub(super) reads_requests: bool,
    /// Where everybody is sent on, if that is all that is done here.
    pub(super) to_https: Option<ToHttps>,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
}

impl Door {
    /// Begins with a client that has just connected; `None` if it may not.
    pub(super) fn welcome(
        &self,
        stream: Stream,
        address: Option<SocketAddr>,
        terms: &Terms,
        now_us: u64,
    ) -> Option<Connection> {
        let peer = address.map_or(Peer::Unix, |address| Peer::Address(address.ip().to_canonical()));
        if self.protocol != Protocol::Http && !terms.limits.web_servers.is_empty() && !terms.limits.admits(peer) {
            log::warn!("a connection with TLS is cut off: uwsgi-allow-from does not name where it comes from");
            return None;
        }
        let introduction = match self.introduces {
            true if terms.limits.trusts_peer(peer) => Introduction::Awaited,
            true => Introduction::Forbidden,
            false => Introduction::Done,
        };
        let origin = Origin { addresses: address.zip(local_address(&stream)), https: self.is_secure().then_some(true) };
        let client = self.take_tls_off(Client::plain(stream, origin, introduction))?;
        Some(match self.reads_requests {
            true => Connection::Session(Box::new(Session::new(client, self.to_https, now_us))),
            false => Connection::Tunnel(Box::new(Tunnel::new(client, self.protocol, now_us))),
        })
    }

    #[cfg(feature = "tls")]
    fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    #[cfg(not(feature = "tls"))]
    fn is_secure(&self) -> bool {
        false
    }

    #[cfg(feature = "tls")]
    fn take_tls_off(&self, client: Client) -> Option<Client> {
        let Some(config) = &self.tls else { return Some(client) };
        match Secure::new(config) {
            Ok(secure) => Some(client.secure(secure)),
            Err(error) => {
                log::error!("the router cannot begin TLS: {error}");
                None
            }
        }
    }

    #[cfg(not(feature = "tls"))]
    fn take_tls_off(&self, client: Client) -> Option<Client> {
        Some(client)
    }
}
