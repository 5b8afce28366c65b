//! Whose `X-Forwarded-*` and `X-Request-Start` headers are believed (`trusted-proxy`; reference/wire.md 2.5). Pure.

use std::net::IpAddr;

/// Addresses and networks of proxies.
#[derive(Debug, Default)]
pub struct Proxies {
    networks: Vec<(IpAddr, u8)>,
}

impl Proxies {
    /// Each text is an address or `address/bits`. What is neither is returned beside.
    pub fn parse(texts: &[String]) -> (Self, Vec<&str>) {
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
    pub fn trusts(&self, remote_addr: &[u8]) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses_and_no_others() {
        let texts: Vec<String> = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "0.0.0.0/33", "proxy"]
            .iter()
            .map(ToString::to_string)
            .collect();
        let (proxies, wrong) = Proxies::parse(&texts);
        assert_eq!(wrong, ["0.0.0.0/33", "proxy"]);
        for (address, trusted) in [
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
            ("", false),
            ("10.0.0.1, 1.1.1.1", false),
        ] {
            assert_eq!(proxies.trusts(address.as_bytes()), trusted, "{address}");
        }
    }

    #[test]
    fn the_whole_world_can_be_trusted_and_nobody_is_by_default() {
        let everyone = ["0.0.0.0/0".to_owned(), "::/0".to_owned()];
        assert!(Proxies::parse(&everyone).0.trusts(b"203.0.113.9"));
        assert!(Proxies::parse(&everyone).0.trusts(b"2001:db8::9"));
        assert!(!Proxies::default().trusts(b"127.0.0.1"));
    }
}
