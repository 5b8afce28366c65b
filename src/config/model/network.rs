//! Networks of addresses, for whose `X-Forwarded-*` headers are believed (`trusted-proxy`; uWSGI's manual, "uWSGI
//! protocol magic variables"). Used where a configuration is built and in the workers.

use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Those who are believed: an address, all that begin with the same bits, or whoever comes over a unix socket. It travels
/// as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Network {
    /// Every address that begins with the same bits as this one.
    Addresses {
        /// The address.
        address: IpAddr,
        /// How many bits.
        bits: u8,
    },
    /// Whoever comes over a unix socket, which has no address.
    Unix,
}

/// Who sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// From an address.
    Address(IpAddr),
    /// Over a unix socket.
    Unix,
}

/// What the web server says in the place of an address, and what stands for it in a configuration.
const UNIX: &str = "unix:";

/// The text is neither `ADDRESS` nor `ADDRESS/BITS` nor `unix:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an IP address or ADDRESS/BITS, or unix:")]
pub struct NotANetwork;

impl Peer {
    /// As the web server names it (`REMOTE_ADDR`); `None` where that is nobody.
    pub fn named(remote_addr: &[u8]) -> Option<Self> {
        match std::str::from_utf8(remote_addr).ok()? {
            UNIX => Some(Self::Unix),
            text => text.parse().ok().map(Self::Address),
        }
    }
}

impl Network {
    /// Whether somebody belongs to it. An address of the other family does not.
    pub fn contains(self, peer: Peer) -> bool {
        match (self, peer) {
            (Self::Unix, Peer::Unix) => true,
            (Self::Addresses { address, bits }, Peer::Address(other)) => begin_alike(address, other, bits),
            _ => false,
        }
    }
}

fn begin_alike(network: IpAddr, address: IpAddr, bits: u8) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            u32::from(network) & mask == u32::from(address) & mask
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            u128::from(network) & mask == u128::from(address) & mask
        }
        _ => false,
    }
}

impl TryFrom<String> for Network {
    type Error = NotANetwork;

    fn try_from(text: String) -> Result<Self, NotANetwork> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> String {
        match network {
            Network::Addresses { address, bits } => format!("{address}/{bits}"),
            Network::Unix => UNIX.to_owned(),
        }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        if text.trim() == UNIX {
            return Ok(Self::Unix);
        }
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| NotANetwork)?;
        if bits > most { Err(NotANetwork) } else { Ok(Self::Addresses { address, bits }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        let network: Network = network.parse().unwrap();
        network.contains(Peer::named(address.as_bytes()).unwrap())
    }

    #[test]
    fn networks_hold_their_addresses_and_no_others() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("2001:db8::/32", "2001:db8::1", "2001:db9::1"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::9"),
            ("::/0", "2001:db8::9", "203.0.113.9"),
            ("unix:", "unix:", "127.0.0.1"),
            ("0.0.0.0/0", "203.0.113.9", "unix:"),
        ] {
            assert!(contains(network, inside) && !contains(network, outside), "{network}");
        }
    }

    #[test]
    fn they_travel_as_they_are_written() {
        for text in ["10.0.0.0/8", "2001:db8::/32", "unix:"] {
            assert_eq!(String::from(text.parse::<Network>().unwrap()), text);
        }
        assert_eq!(Peer::named(b""), None);
    }

    #[test]
    fn what_is_no_network_is_an_error() {
        for text in
            ["", "proxy", "0.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0/8", "10.0.0.1, 1.1.1.1", "unix"]
        {
            assert_eq!(text.parse::<Network>(), Err(NotANetwork), "{text}");
        }
    }
}
