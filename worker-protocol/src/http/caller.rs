//! Who is at the two ends of a connection, as variables have it. Pure; the worker and the router keep one for each
//! connection of HTTP.
//!
//! ```
//! use worker_protocol::http::caller::Caller;
//!
//! let caller = Caller::new("192.0.2.7:40001".parse().ok(), Some(8_000));
//! assert_eq!(caller.seen_from(b"machine", None).remote_addr, b"192.0.2.7");
//! ```

use core::net::{IpAddr, SocketAddr};

use super::source::Peer;
use crate::decimal;
use crate::proxy::Origin;

/// What `SERVER_PORT` is where nobody knows better.
const PORT: u16 = 80;

/// The same under TLS.
const SECURE_PORT: u16 = 443;

/// The other end, and by which port it came.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Its address; `None` at the other end of a unix socket.
    address: Option<SocketAddr>,
    /// Address and port as variables have them; empty for a unix socket.
    texts: (Text<ADDRESS_BYTES_MAX>, Text<PORT_BYTES_MAX>),
    server_port: Text<PORT_BYTES_MAX>,
    https: bool,
}

/// `ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff`, and what is shorter.
const ADDRESS_BYTES_MAX: usize = 39;

/// `65535`.
const PORT_BYTES_MAX: usize = 5;

/// A text of at most so many bytes, which takes no memory elsewhere: there are three with each connection.
#[derive(Debug, Clone, Copy)]
struct Text<const BYTES_MAX: usize> {
    bytes: [u8; BYTES_MAX],
    length: usize,
}

impl<const BYTES_MAX: usize> Text<BYTES_MAX> {
    const EMPTY: Self = Self { bytes: [0; BYTES_MAX], length: 0 };

    /// Appends what fits as a whole.
    fn push(&mut self, part: &[u8]) {
        let end = self.length + part.len();
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(part);
            self.length = end;
        }
    }

    fn push_number(&mut self, number: u64) {
        self.push(decimal::format(number, &mut [0; 20]));
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Text<PORT_BYTES_MAX> {
    fn of_port(port: u16) -> Self {
        let mut text = Self::EMPTY;
        text.push_number(port.into());
        text
    }
}

impl Text<ADDRESS_BYTES_MAX> {
    /// By hand for IPv4, where formatting takes a tenth of all that a worker does for a small request besides system calls.
    fn of_address(address: IpAddr) -> Self {
        let mut text = Self::EMPTY;
        match address {
            IpAddr::V4(address) => {
                for (index, octet) in address.octets().into_iter().enumerate() {
                    if index > 0 {
                        text.push(b".");
                    }
                    text.push_number(octet.into());
                }
            }
            IpAddr::V6(address) => text.push(address.to_string().as_bytes()),
        }
        text
    }
}

impl Caller {
    /// Who connected from this address, to this port.
    pub fn new(address: Option<SocketAddr>, port: Option<u16>) -> Caller {
        let address = address.map(|address| SocketAddr::new(address.ip().to_canonical(), address.port()));
        let texts = address.map(|address| (Text::of_address(address.ip()), Text::of_port(address.port())));
        let texts = texts.unwrap_or((Text::EMPTY, Text::EMPTY));
        Caller { address, texts, server_port: Text::of_port(port.unwrap_or(PORT)), https: false }
    }

    /// Its address; `None` at the other end of a unix socket.
    pub fn address(&self) -> Option<IpAddr> {
        self.address.map(|address| address.ip())
    }

    /// Takes a load balancer's, or the router's, word for who it is.
    pub fn become_origin(&mut self, origin: Origin) {
        if let Some((source, destination)) = origin.addresses {
            let own = Caller::new(Some(source), Some(destination.port()));
            *self = Caller { https: self.https, ..own };
        } else if origin.https == Some(true) {
            self.server_port = Text::of_port(SECURE_PORT);
        }
        self.https = origin.https.unwrap_or(self.https);
    }

    /// Both ends, as variables have them. `trusts`: which addresses are proxies that are believed, if this one is.
    pub fn seen_from<'a>(&'a self, server_name: &'a [u8], trusts: Option<&'a dyn Fn(IpAddr) -> bool>) -> Peer<'a> {
        Peer {
            server_name,
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

    #[test]
    fn addresses_and_ports_are_written_as_the_library_writes_them() {
        let longest = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535";
        let others = ["[::1]:1", "[2001:db8::7]:80", "[::192.0.2.7]:9", "[64:ff9b::192.0.2.7]:443"];
        for text in ["0.0.0.0:0", "255.255.255.255:65535", "10.0.200.99:40001", longest].into_iter().chain(others) {
            let address: SocketAddr = text.parse().unwrap();
            let caller = Caller::new(Some(address), Some(address.port()));
            let peer = caller.seen_from(b"", None);
            assert_eq!(peer.remote_addr, address.ip().to_string().as_bytes(), "{text}");
            let ports = [peer.remote_port, peer.server_port];
            assert_eq!(ports, [address.port().to_string().as_bytes(); 2], "{text}");
        }
    }

    #[test]
    fn an_ipv4_address_in_ipv6_is_that_ipv4_address() {
        let caller = Caller::new("[::ffff:192.0.2.7]:40001".parse().ok(), Some(8000));
        let peer = caller.seen_from(b"machine", None);
        assert_eq!(
            (peer.server_name, peer.remote_addr, peer.remote_port, peer.server_port),
            (&b"machine"[..], &b"192.0.2.7"[..], &b"40001"[..], &b"8000"[..])
        );
        assert_eq!(caller.address(), "192.0.2.7".parse().ok());
    }

    #[test]
    fn a_load_balancer_says_who_calls() {
        let mut caller = Caller::new("10.0.0.1:1".parse().ok(), Some(8000));
        let addresses = Some(("192.0.2.7:40001".parse().unwrap(), "198.51.100.1:443".parse().unwrap()));
        caller.become_origin(Origin { addresses, https: Some(true) });
        let peer = caller.seen_from(b"", None);
        assert_eq!((peer.remote_addr, peer.server_port, peer.https), (&b"192.0.2.7"[..], &b"443"[..], true));
        caller.become_origin(Origin::default());
        let peer = caller.seen_from(b"", None);
        assert_eq!((peer.remote_addr, peer.https), (&b"192.0.2.7"[..], true));
    }

    #[test]
    fn who_comes_over_a_unix_socket_has_no_address() {
        let mut caller = Caller::new(None, None);
        let peer = caller.seen_from(b"", None);
        assert_eq!((peer.remote_addr, peer.remote_port, peer.server_port), (&b""[..], &b""[..], &b"80"[..]));
        caller.become_origin(Origin { addresses: None, https: Some(true) });
        assert_eq!(caller.seen_from(b"", None).server_port, b"443");
    }
}
