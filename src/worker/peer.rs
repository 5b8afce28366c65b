//! Who is at the two ends of a connection, for protocols whose requests do not say so themselves. Worker only.

use socket2::SockRef;
use worker_protocol::http::caller::Caller;

use crate::config::model::{Peer, RequestLimits};
use crate::member::born::Listening;

/// This end: the same for all connections of a listening socket.
#[derive(Debug, Clone, Default)]
pub(crate) struct Door {
    /// The name of the machine (`SERVER_NAME`).
    pub(crate) name: String,
    /// Its port (`SERVER_PORT`); what the scheme has for one where there is none.
    pub(crate) port: Option<u16>,
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

/// Who brings a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bringer {
    /// A router of this instance. It takes the answers to requests that it has read itself (`UWSGI_ROUTER`); what comes under
    /// TLS from a web server it passes on both ways as it is.
    Router,
    Others,
}

/// Whether what the other end says of others is believed.
pub(crate) fn is_trusted(caller: &Caller, limits: &RequestLimits) -> bool {
    limits.trusts_peer(caller.address().map_or(Peer::Unix, Peer::Address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::Network;

    #[test]
    fn peers_of_unix_sockets_are_trusted_by_word_only() {
        let caller = Caller::new(None, None);
        assert!(!is_trusted(&caller, &RequestLimits::default()));
        assert!(is_trusted(&caller, &RequestLimits { trusted_proxies: vec![Network::Unix], ..Default::default() }));
    }

    #[test]
    fn an_address_is_trusted_that_a_trusted_network_has() {
        let limits = RequestLimits { trusted_proxies: vec!["192.0.2.0/24".parse().unwrap()], ..Default::default() };
        assert!(is_trusted(&Caller::new("[::ffff:192.0.2.7]:40001".parse().ok(), None), &limits));
        assert!(!is_trusted(&Caller::new("198.51.100.7:40001".parse().ok(), None), &limits));
    }
}
