//! From where routers are reached. Master only.

use std::net::{IpAddr, Ipv4Addr};

use crate::config::model::Address;
use crate::sys::datagrams::udp_towards;

/// From which of this machine's addresses a router is reached; the loopback for one on this machine.
pub(super) fn source_towards(to: &Address) -> Option<IpAddr> {
    let Address::Tcp(address) = to else { return Some(IpAddr::V4(Ipv4Addr::LOCALHOST)) };
    // Connecting sends nothing: the kernel only chooses the way.
    let socket = udp_towards(*address).ok()?;
    socket.connect(*address).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_router_on_this_machine_is_reached_from_it() {
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a router");
        let address = Address::Tcp(udp.local_addr().expect("its address"));
        assert_eq!(source_towards(&address), Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert_eq!(source_towards(&Address::Unix("/run/router".into())), Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
}
