//! Whose `X-Forwarded-*` headers are believed (`trusted-proxy`; reference/wire.md 2.5). Pure.

use std::net::IpAddr;

/// Addresses and networks of proxies.
#[derive(Debug, Default)]
pub(crate) struct Proxies {
    networks: Vec<(IpAddr, u8)>,
}

impl Proxies {
    /// Each text is an address or `address/bits`. What is neither is returned beside.
    pub(crate) fn parse(texts: &[String]) -> (Self, Vec<&str>) {
        let mut networks = Vec::new();
        let mut wrong = Vec::new();
        for text in texts {
            match parse_network(text.trim()) {
                Some(network) => networks.push(network),
                None => wrong.push(text.as_str()),
            }
        }
        (Self { networks }, wrong)
    }

    /// Whether the peer that the web server names (`REMOTE_ADDR`) is one of them.
    pub(crate) fn trusts(&self, remote_addr: &[u8]) -> bool {
        if self.networks.is_empty() {
            return false;
        }
        let address = std::str::from_utf8(remote_addr).ok().and_then(|text| text.parse().ok());
        address.is_some_and(|address| self.networks.iter().any(|network| contains(*network, address)))
    }
}

fn parse_network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
    (bits <= most).then_some((address, bits))
}

fn contains((network, bits): (IpAddr, u8), address: IpAddr) -> bool {
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
