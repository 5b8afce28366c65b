//! Sockets for datagrams to somebody, on which nothing is waited for.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// One over UDP, from any of this machine's addresses of the same kind.
///
/// # Errors
/// What the system says.
pub fn udp_towards(to: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The same, connected, so that the network's word that nobody is there reaches us.
///
/// # Errors
/// What the system says.
pub fn udp_to(to: SocketAddr) -> io::Result<UdpSocket> {
    let socket = udp_towards(to)?;
    socket.connect(to)?;
    Ok(socket)
}
