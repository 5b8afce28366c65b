//! Who is at the two ends of a connection, for protocols whose requests do not say so themselves. Worker only.

use std::net::SocketAddr;

use socket2::SockRef;
use worker_protocol::proxy::Origin;
use worker_protocol::wire::Peer;

use crate::config::model::{self, RequestLimits};
use crate::member::born::Listening;

/// This end: the same for all connections of a listening socket.
#[derive(Debug, Clone, Default)]
pub(crate) struct Door {
    /// The name of the machine (`SERVER_NAME`).
    name: String,
    /// Its port (`SERVER_PORT`); what the scheme has for one where there is none.
    port: Option<u16>,
    /// Whether only a router connects here, which is believed whom a connection comes from.
    pub(crate) behind_router: bool,
}

impl Door {
    /// Of a listening socket on the machine with this name.
    pub(crate) fn of(listening: &Listening, machine: &str) -> Self {
        let bound = SockRef::from(&listening.socket).local_addr().ok().and_then(|address| address.as_socket());
        let port = bound.map(|address| address.port());
        Self { name: machine.to_owned(), port, behind_router: listening.behind_router }
    }
}

/// The other end.
#[derive(Debug)]
pub(crate) struct Caller {
    /// Its address; `None` at the other end of a unix socket.
    address: Option<SocketAddr>,
    /// As variables have them; empty for a unix socket.
    texts: (String, String),
    server_port: String,
    https: bool,
}

impl Caller {
    pub(crate) fn new(address: Option<SocketAddr>, door: &Door) -> Self {
        let address = address.map(|address| SocketAddr::new(address.ip().to_canonical(), address.port()));
        let texts = address.map(|address| (address.ip().to_string(), address.port().to_string())).unwrap_or_default();
        Self { address, texts, server_port: door.port.unwrap_or(80).to_string(), https: false }
    }

    /// Whether what it says of others is believed.
    pub(crate) fn is_trusted(&self, limits: &RequestLimits) -> bool {
        limits.trusts_peer(self.address.map_or(model::Peer::Unix, |address| model::Peer::Address(address.ip())))
    }

    /// Takes a load balancer's word for who it is.
    pub(crate) fn become_origin(&mut self, origin: Origin) {
        if let Some((source, destination)) = origin.addresses {
            self.address = Some(SocketAddr::new(source.ip().to_canonical(), source.port()));
            self.texts = (source.ip().to_canonical().to_string(), source.port().to_string());
            self.server_port = destination.port().to_string();
        } else if origin.https == Some(true) {
            self.server_port = "443".to_owned();
        }
        self.https = origin.https.unwrap_or(self.https);
    }

    /// Both ends, as variables have them. `trusts`: which addresses are proxies that are believed, if this one is.
    pub(crate) fn seen_from<'a>(
        &'a self,
        door: &'a Door,
        trusts: Option<&'a dyn Fn(std::net::IpAddr) -> bool>,
    ) -> Peer<'a> {
        Peer {
            server_name: door.name.as_bytes(),
            server_port: self.server_port.as_bytes(),
            remote_addr: self.texts.0.as_bytes(),
            remote_port: self.texts.1.as_bytes(),
            https: self.https,
            trusts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door() -> Door {
        Door { name: "machine".to_owned(), port: Some(8000), behind_router: false }
    }

    #[test]
    fn an_ipv4_address_in_ipv6_is_that_ipv4_address() {
        let caller = Caller::new("[::ffff:192.0.2.7]:40001".parse().ok(), &door());
        let here = door();
        let peer = caller.seen_from(&here, None);
        assert_eq!(
            (peer.remote_addr, peer.remote_port, peer.server_port),
            (&b"192.0.2.7"[..], &b"40001"[..], &b"8000"[..])
        );
        let limits = RequestLimits { trusted_proxies: vec!["192.0.2.0/24".parse().unwrap()], ..Default::default() };
        assert!(caller.is_trusted(&limits));
    }

    #[test]
    fn a_load_balancer_says_who_calls() {
        let here = door();
        let mut caller = Caller::new("10.0.0.1:1".parse().ok(), &here);
        let addresses = Some(("192.0.2.7:40001".parse().unwrap(), "198.51.100.1:443".parse().unwrap()));
        caller.become_origin(Origin { addresses, https: Some(true) });
        let peer = caller.seen_from(&here, None);
        assert_eq!((peer.remote_addr, peer.server_port, peer.https), (&b"192.0.2.7"[..], &b"443"[..], true));
        caller.become_origin(Origin::default());
        assert_eq!(caller.seen_from(&here, None).remote_addr, b"192.0.2.7");
    }

    #[test]
    fn peers_of_unix_sockets_are_trusted_by_word_only() {
        let caller = Caller::new(None, &door());
        assert!(!caller.is_trusted(&RequestLimits::default()));
        assert!(
            caller.is_trusted(&RequestLimits { trusted_proxies: vec![model::Network::Unix], ..Default::default() })
        );
        assert_eq!(caller.seen_from(&door(), None).remote_addr, b"");
    }
}
