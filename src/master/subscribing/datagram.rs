//! Datagrams to routers, and the small files that say what is in them. Nothing here waits. Master only.

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use crate::config::model::Address;
use crate::sys::datagrams::udp_towards;

/// Sends one, or says why not.
pub(super) fn send(to: &Address, packet: &[u8]) -> io::Result<()> {
    let sent = match to {
        Address::Unix(path) => {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            socket.send_to(packet, path)?
        }
        Address::Tcp(address) => {
            let socket = udp_towards(*address)?;
            socket.set_broadcast(true)?;
            socket.send_to(packet, *address)?
        }
        _ => return Err(io::Error::other("a router hears at IP:PORT or a path")),
    };
    if sent == packet.len() { Ok(()) } else { Err(io::Error::other("the datagram was cut off")) }
}

/// From which of this machine's addresses a router is reached; the loopback for one on this machine.
pub(super) fn source_towards(to: &Address) -> Option<IpAddr> {
    let Address::Tcp(address) = to else { return Some(IpAddr::V4(Ipv4Addr::LOCALHOST)) };
    // Connecting sends nothing: the kernel only chooses the way.
    let socket = udp_towards(*address).ok()?;
    socket.connect(*address).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// The text of a file that is not long.
pub(super) fn small_file(path: &Path, bytes_max: u64) -> io::Result<String> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut text = String::new();
    let read = file.take(bytes_max + 1).read_to_string(&mut text)?;
    if read as u64 > bytes_max { Err(io::Error::other("it is too long")) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_datagram_arrives_and_who_is_not_there_is_said() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("router");
        assert!(send(&Address::Unix(path.clone()), b"lost").is_err());
        let router = UnixDatagram::bind(&path).expect("a router");
        send(&Address::Unix(path), b"here").expect("it is sent");
        let mut into = [0; 8];
        assert_eq!(router.recv(&mut into).expect("it comes"), 4);
        let udp = UdpSocket::bind("127.0.0.1:0").expect("another");
        let address = Address::Tcp(udp.local_addr().expect("its address"));
        send(&address, b"there").expect("it is sent");
        assert_eq!(udp.recv(&mut into).expect("it comes"), 5);
        assert_eq!(source_towards(&address), Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
}
