//! Datagrams to somebody, and from somebody, for which nothing is waited.

use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixDatagram;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixCredentials, recvmsg};
use socket2::SockRef;

use crate::config::model::Address;

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

/// Sends one to whoever listens at an address or a path.
///
/// # Errors
/// What the system says; there is no room for it now.
pub fn send(to: &Address, packet: &[u8]) -> io::Result<()> {
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
        _ => return Err(io::Error::other("datagrams go to IP:PORT or a path")),
    };
    if sent == packet.len() { Ok(()) } else { Err(io::Error::other("the datagram was cut off")) }
}

/// A socket that datagrams are sent to.
#[derive(Debug)]
pub enum Ear {
    /// Over UDP.
    Network(UdpSocket),
    /// A unix socket, which is told whose processes send something (SO_PASSCRED, unix(7)).
    Machine(OwnedFd),
}

/// A datagram that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// How many bytes of it there was room for.
    pub bytes: usize,
    /// From which address it came, over UDP.
    pub from: Option<IpAddr>,
    /// Whose process has sent it, on a unix socket.
    pub process: Option<Process>,
}

/// A process, as the kernel tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Process {
    pub pid: i32,
    pub uid: u32,
    pub gid: u32,
}

impl Ear {
    /// One that was bound.
    ///
    /// # Errors
    /// What the system says.
    pub fn of(socket: OwnedFd) -> io::Result<Ear> {
        let is_udp = SockRef::from(&socket).local_addr()?.as_socket().is_some();
        Ok(if is_udp { Ear::Network(socket.into()) } else { Ear::Machine(socket) })
    }

    /// Takes a datagram off the queue; `None` if there is none.
    ///
    /// # Errors
    /// What the system says.
    pub fn receive(&self, into: &mut [u8]) -> io::Result<Option<Received>> {
        let received = match self {
            Ear::Network(socket) => socket.recv_from(into).map(|(bytes, from)| {
                let from = Some(from.ip().to_canonical());
                Received { bytes, from, process: None }
            }),
            Ear::Machine(socket) => receive_with_process(socket, into),
        };
        match received {
            Ok(received) => Ok(Some(received)),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(None),
                _ => Err(error),
            },
        }
    }
}

impl AsFd for Ear {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Ear::Network(socket) => socket.as_fd(),
            Ear::Machine(socket) => socket.as_fd(),
        }
    }
}

fn receive_with_process(socket: &OwnedFd, into: &mut [u8]) -> io::Result<Received> {
    // No room for descriptors: those that somebody sends along are closed by the kernel.
    let mut beside = nix::cmsg_space!(UnixCredentials);
    let mut parts = [IoSliceMut::new(into)];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    // Who sends has no name, as a rule: none is asked for.
    let received = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut beside), flags)?;
    let process = received.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::ScmCredentials(who) => Some(Process { pid: who.pid(), uid: who.uid(), gid: who.gid() }),
        _ => None,
    });
    Ok(Received { bytes: received.bytes, from: None, process })
}

/// Whether an address is one of this machine's: then a socket can be bound to it.
pub fn is_own(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use nix::sys::socket::{setsockopt, sockopt::PassCred};

    use super::*;

    #[test]
    fn a_datagram_says_from_where_it_comes_or_whose_process_has_sent_it() {
        let mut into = [0; 4];
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        udp.set_nonblocking(true).expect("no patience");
        let to = udp.local_addr().expect("its address");
        let ear = Ear::of(udp.into()).expect("an ear");
        assert_eq!(ear.receive(&mut into).expect("none"), None);
        udp_towards(to).and_then(|socket| socket.send_to(b"12345", to)).expect("it is sent");
        let received = ear.receive(&mut into).expect("one").expect("one");
        assert_eq!((received, &into), (Received { bytes: 4, from: Some(to.ip()), process: None }, b"1234"));
        let (ours, theirs) = UnixDatagram::pair().expect("two sockets");
        setsockopt(&ours, PassCred, &true).expect("an option");
        let ear = Ear::of(ours.into()).expect("an ear");
        theirs.send(b"1").expect("it is sent");
        let received = ear.receive(&mut into).expect("one").expect("one");
        let pid = i32::try_from(std::process::id()).expect("a pid");
        assert_eq!((received.bytes, received.from, received.process.map(|it| it.pid)), (1, None, Some(pid)));
        assert_eq!(ear.receive(&mut into).expect("none"), None);
    }

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
        send(&Address::Tcp(udp.local_addr().expect("its address")), b"there").expect("it is sent");
        assert_eq!(udp.recv(&mut into).expect("it comes"), 5);
    }

    #[test]
    fn an_address_is_this_machines_or_not() {
        assert!(is_own(Ipv4Addr::LOCALHOST.into()));
        assert!(!is_own(Ipv4Addr::new(192, 0, 2, 1).into()));
    }
}
