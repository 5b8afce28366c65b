//! Listening sockets: bound by the master, shared by every worker, removed at the end. Also how long their queues are.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt::PassCred};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::files::{Place, SocketFile, is_socket};
use super::identity::{Credentials, IdentityError};
use super::process::adopt_descriptor;
use super::queue::QueueProbe;
use crate::config::model::{Address, Listener, SocketTuning};

/// A socket that listens.
#[derive(Debug)]
pub struct BoundSocket {
    /// What the configuration asked for.
    pub listener: Listener,
    /// The address as people write it; with the real port if port 0 was asked for.
    pub name: String,
    /// The socket file that is ours to remove, with the device and inode that it had when we made it.
    pub file: Option<(PathBuf, u64, u64)>,
    /// Whether it was handed in, by the init system or by another instance, and so is neither in the configuration nor ours
    /// to close.
    pub activated: bool,
    /// Whether it takes datagrams, and no connections.
    pub datagrams: bool,
    socket: OwnedFd,
}

/// How a unix socket file is to look, and how long the queue is.
#[derive(Debug, Clone, Default)]
pub struct BindOptions {
    /// Length of the queue.
    pub backlog: u32,
    /// Permission bits of the socket file.
    pub mode: Option<u32>,
    /// Owner of the socket file.
    pub owner: Option<Credentials>,
    /// How long TCP holds a connection back until its first bytes are there (TCP_DEFER_ACCEPT), where a listener asks
    /// for that.
    pub defer_accept: Duration,
    /// What the kernel is told beside that.
    pub tuning: SocketTuning,
    /// Whether datagrams are to come, and no connections.
    pub datagrams: bool,
}

/// Why a socket does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another process serves there.
    #[error("address {0} is in use by another server, which was left alone")]
    InUse(String),
    /// Something that is not a socket is in the way.
    #[error("{0} exists and is not a socket")]
    NotASocket(String),
    /// The system says no.
    #[error("cannot listen on {0}: {1}")]
    Refused(String, io::Error),
    /// The owner does not exist.
    #[error("cannot give {0} to its owner: {1}")]
    Owner(String, IdentityError),
}

impl BoundSocket {
    /// Binds and listens.
    pub fn bind(listener: &Listener, options: &BindOptions) -> Result<Self, ListenError> {
        let (socket, file) = match &listener.address {
            Address::Unix(path) => {
                let (socket, file) = bind_path(path, options)?;
                (socket, Some(file))
            }
            Address::Abstract(name) => (bind_abstract(name)?, None),
            Address::BehindRouter(_) => (bind_unnamed(&listener.address)?, None),
            Address::Tcp(address) if options.datagrams => (bind_udp(*address)?, None),
            Address::Tcp(address) => (bind_tcp(*address, listener.reuse_port, options.tuning.freebind)?, None),
            Address::Inherited(number) => {
                let name = format!("fd://{number}");
                let descriptor = adopt_descriptor(*number).map_err(|error| ListenError::Refused(name, error))?;
                (Socket::from(descriptor), None)
            }
        };
        let name = name_of(&listener.address, &socket);
        let failed = |error: io::Error| match error.kind() {
            ErrorKind::AddrInUse => ListenError::InUse(name.clone()),
            _ => ListenError::Refused(name.clone(), error),
        };
        socket.set_nonblocking(true).map_err(failed)?;
        let (listener, socket) = (listener.clone(), socket.into());
        let bound = Self { listener, name: name.clone(), file, activated: false, datagrams: options.datagrams, socket };
        if bound.datagrams {
            return Ok(bound);
        }
        bound.tune(&options.tuning).map_err(failed)?;
        // The queue opens last: whoever can connect finds permissions and owner in place.
        bound.defer_accept(options.defer_accept).and_then(|()| bound.set_backlog(options.backlog)).map_err(failed)?;
        Ok(bound)
    }

    /// Takes over a socket that listens already: from before a re-execution, or from another process.
    pub fn adopt(
        listener: Listener,
        socket: OwnedFd,
        file: Option<(PathBuf, u64, u64)>,
        activated: bool,
    ) -> io::Result<Self> {
        let socket = Socket::from(socket);
        socket.set_nonblocking(true)?;
        let name = name_of(&listener.address, &socket);
        let datagrams = socket.r#type()? == Type::DGRAM;
        Ok(Self { listener, name, file, activated, datagrams, socket: socket.into() })
    }

    /// Sets the length of the queue; the socket listens from then on. Who handed a socket in may have meant a longer
    /// queue, which stays.
    pub fn set_backlog(&self, backlog: u32) -> io::Result<()> {
        let handed_in = self.activated || matches!(self.listener.address, Address::Inherited(_));
        let given = if handed_in { self.queue_limit() } else { 0 };
        let backlog = i32::try_from(backlog.max(given)).unwrap_or(i32::MAX);
        Ok(nix::sys::socket::listen(&self.socket, nix::sys::socket::Backlog::new(backlog)?)?)
    }

    /// Has TCP hold connections back until their first bytes are there, so that a worker is not woken for nothing, or no
    /// more, as the listener asks for. Whoever handed a socket in has settled that.
    pub fn defer_accept(&self, hold: Duration) -> io::Result<()> {
        if self.activated || !matches!(self.listener.address, Address::Tcp(_)) {
            return Ok(());
        }
        let seconds = if self.listener.defer_accept { i32::try_from(hold.as_secs()).unwrap_or(i32::MAX) } else { 0 };
        self.set_tcp(libc::TCP_DEFER_ACCEPT, seconds)
    }

    /// Tells the kernel what is wanted of this socket and of the connections that come to it, which have it from the
    /// socket. Where a connection goes on after an answer, small pieces are sent at once in any case: what ends that answer
    /// would come up to 40 ms late.
    pub fn tune(&self, tuning: &SocketTuning) -> io::Result<()> {
        let socket = SockRef::from(&self.socket);
        tuning.send_bytes.map_or(Ok(()), |bytes| socket.set_send_buffer_size(bytes))?;
        tuning.receive_bytes.map_or(Ok(()), |bytes| socket.set_recv_buffer_size(bytes))?;
        if socket.local_addr()?.as_socket().is_none() {
            return Ok(());
        }
        socket.set_tcp_nodelay(tuning.nodelay || self.listener.protocol.keeps_connections())?;
        socket.set_keepalive(tuning.keep_alive)?;
        let most = |most: u32| self.set_tcp(libc::TCP_FASTOPEN, i32::try_from(most).unwrap_or(i32::MAX));
        tuning.fast_open.map_or(Ok(()), most)
    }

    fn set_tcp(&self, option: libc::c_int, value: i32) -> io::Result<()> {
        // SAFETY: the option takes one int, which lives until the call returns.
        let set = unsafe {
            libc::setsockopt(
                self.socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                option,
                (&raw const value).cast(),
                size_of_val(&value) as u32,
            )
        };
        nix::errno::Errno::result(set)?;
        Ok(())
    }

    /// Whether it listens already.
    pub fn listens(&self) -> bool {
        nix::sys::socket::getsockopt(&self.socket, nix::sys::socket::sockopt::AcceptConn).unwrap_or(false)
    }

    /// How long the queue is as the kernel tells it; 0 if it does not, or if the socket does not listen yet.
    fn queue_limit(&self) -> u32 {
        let queue = || QueueProbe::new().queue_of(&self.socket);
        self.listens().then(queue).flatten().map_or(0, |queue| queue.limit)
    }

    /// Whether its file still leads to it: what lies on the way there may be another directory by now. A socket without
    /// a file always does.
    pub fn is_at_its_name(&self) -> bool {
        let Address::Unix(path) = &self.listener.address else { return true };
        self.file.as_ref().is_none_or(|(_, device, inode)| {
            path.metadata().is_ok_and(|found| (found.dev(), found.ino()) == (*device, *inode))
        })
    }

    /// The name, in the abstract namespace, of a socket on which workers serve a router.
    pub fn name_behind_router(&self) -> Option<Vec<u8>> {
        let Address::BehindRouter(_) = self.listener.address else { return None };
        let bound = SockRef::from(&self.socket).local_addr().ok()?;
        bound.as_abstract_namespace().map(<[u8]>::to_vec)
    }

    /// What the processes below are told of it: one that was handed in, by whatever name the configuration has it, as such.
    pub fn told(&self) -> Listener {
        match self.activated {
            true => Listener { address: Address::Inherited(self.socket.as_raw_fd()), ..self.listener.clone() },
            false => self.listener.clone(),
        }
    }

    /// Has nobody listen there any more, if it is ours to end.
    pub fn end(&self) {
        if self.told().ends_with_instance() {
            end_listening(&self.socket);
        }
    }

    /// Removes the socket file, if it is still the one that we made.
    ///
    /// # Returns
    /// Whether a file was removed.
    pub fn remove_file(&self) -> io::Result<bool> {
        let Some((path, device, inode)) = &self.file else { return Ok(false) };
        Place::of(path)?.remove_if(|found| (found.st_dev, found.st_ino) == (*device, *inode))
    }
}

impl AsFd for BoundSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Has nobody listen on a socket any more, also not those who hold it as well: a process that the application has forked
/// and that outlives the instance would keep the address, and whoever connects would wait for ever.
pub fn end_listening(socket: &impl AsFd) {
    // Of one that has ended already there is nothing to end.
    let _ = nix::sys::socket::shutdown(socket.as_fd().as_raw_fd(), nix::sys::socket::Shutdown::Both);
}

fn bind_path(path: &Path, options: &BindOptions) -> Result<(Socket, (PathBuf, u64, u64)), ListenError> {
    let name = path.display().to_string();
    let refused = |error| ListenError::Refused(name.clone(), error);
    let address = SockAddr::unix(path).map_err(refused)?;
    let place = Place::of(path).map_err(refused)?;
    let kind = if options.datagrams { Type::DGRAM } else { Type::STREAM };
    clear_stale(&place, path, &name, kind)?;
    let socket = Socket::new(Domain::UNIX, kind.cloexec(), None).map_err(refused)?;
    if options.datagrams {
        // Whose process sends something is told with it, also of what comes before anybody looks.
        setsockopt(&socket, PassCred, &true).map_err(|error| refused(error.into()))?;
    }
    socket.bind(&address).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => ListenError::InUse(name.clone()),
        _ => refused(error),
    })?;
    let dressed = place.socket_file().and_then(|file| dress(&file, options).map(|()| file.identity()));
    let (device, inode) = dressed.map_err(|error| {
        // Nothing is left behind.
        let _ = place.remove_if(is_socket);
        refused(error)
    })?;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Ok((socket, (absolute, device, inode)))
}

/// Gives a socket file its mode and its owner.
fn dress(file: &SocketFile, options: &BindOptions) -> io::Result<()> {
    if let Some(mode) = options.mode {
        file.set_mode(mode)?;
    }
    options.owner.as_ref().map_or(Ok(()), |owner| file.set_owner(owner.user, owner.group))
}

/// Removes a socket file behind which nobody listens. A living server is left alone.
fn clear_stale(place: &Place, path: &Path, name: &str, kind: Type) -> Result<(), ListenError> {
    let Some(found) = place.found() else { return Ok(()) };
    if !is_socket(&found) {
        return Err(ListenError::NotASocket(name.to_owned()));
    }
    if someone_listens(path, kind) {
        return Err(ListenError::InUse(name.to_owned()));
    }
    place.remove_if(is_socket).map_err(|error| ListenError::Refused(name.to_owned(), error)).map(|_| ())
}

fn someone_listens(path: &Path, kind: Type) -> bool {
    // Non-blocking: a server whose queue is full would hold us up, and is alive.
    let Ok(probe) = Socket::new(Domain::UNIX, kind.cloexec(), None) else { return false };
    let Ok(address) = SockAddr::unix(path) else { return false };
    if probe.set_nonblocking(true).is_err() {
        return false;
    }
    match probe.connect(&address) {
        Ok(()) => true,
        Err(error) => !matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound),
    }
}

fn bind_abstract(name: &[u8]) -> Result<Socket, ListenError> {
    let shown = format!("@{}", String::from_utf8_lossy(name));
    let refused = |error| ListenError::Refused(shown.clone(), error);
    // The standard library knows abstract names, and a listener of its own has no more than a backlog to change.
    let address = UnixAddress::from_abstract_name(name).map_err(refused)?;
    if UnixStream::connect_addr(&address).is_ok() {
        return Err(ListenError::InUse(shown));
    }
    let listener = std::os::unix::net::UnixListener::bind_addr(&address).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => ListenError::InUse(shown.clone()),
        _ => refused(error),
    })?;
    Ok(Socket::from(OwnedFd::from(listener)))
}

/// A socket whose name the kernel chooses (unix(7), Autobind).
fn bind_unnamed(address: &Address) -> Result<Socket, ListenError> {
    let refused = |error| ListenError::Refused(address.to_string(), error);
    let socket = Socket::new(Domain::UNIX, Type::STREAM.cloexec(), None).map_err(refused)?;
    nix::sys::socket::bind(socket.as_raw_fd(), &nix::sys::socket::UnixAddr::new_unnamed())
        .map_err(|error| refused(error.into()))?;
    Ok(socket)
}

/// A socket for datagrams of UDP; of a group's address also for what is sent to the group (ip(7)).
fn bind_udp(address: std::net::SocketAddr) -> Result<Socket, ListenError> {
    let bind = || -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM.cloexec(), None)?;
        socket.bind(&address.into())?;
        match address.ip() {
            std::net::IpAddr::V4(group) if group.is_multicast() => {
                socket.join_multicast_v4(&group, &std::net::Ipv4Addr::UNSPECIFIED)?;
            }
            _ => {}
        }
        Ok(socket)
    };
    bind().map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => ListenError::InUse(address.to_string()),
        _ => ListenError::Refused(address.to_string(), error),
    })
}

fn bind_tcp(address: std::net::SocketAddr, reuse_port: bool, freebind: bool) -> Result<Socket, ListenError> {
    let refused = |error: io::Error| match error.kind() {
        ErrorKind::AddrInUse => ListenError::InUse(address.to_string()),
        _ => ListenError::Refused(address.to_string(), error),
    };
    let bind = || -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM.cloexec(), None)?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(reuse_port)?;
        match address.is_ipv4() {
            _ if !freebind => {}
            true => socket.set_freebind_v4(true)?,
            false => socket.set_freebind_v6(true)?,
        }
        socket.bind(&address.into())?;
        Ok(socket)
    };
    bind().map_err(refused)
}

/// The address as people write it; of TCP with the real port, and of an inherited socket what it is bound to.
fn name_of(address: &Address, socket: &Socket) -> String {
    match (address, socket.local_addr()) {
        (Address::Tcp(_) | Address::Inherited(_), Ok(local)) => match (local.as_socket(), local.as_pathname()) {
            (Some(bound), _) => bound.to_string(),
            (None, Some(path)) => path.display().to_string(),
            (None, None) => address.to_string(),
        },
        _ => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The limit of a socket of 50 after another length was asked for.
    fn limit_after(backlog: u32, handed_in: bool) -> u32 {
        let directory = tempfile::tempdir().unwrap();
        let address = Address::Unix(directory.path().join("s"));
        let listener = Listener::on(address);
        let bound = BoundSocket::bind(&listener, &BindOptions { backlog: 50, ..BindOptions::default() }).unwrap();
        let adopted = BoundSocket::adopt(listener, bound.socket, bound.file, handed_in).unwrap();
        adopted.set_backlog(backlog).unwrap();
        adopted.queue_limit()
    }

    #[test]
    fn the_queue_of_a_socket_that_was_handed_in_only_grows() {
        assert_eq!([limit_after(10, false), limit_after(60, false)], [10, 60]);
        assert_eq!([limit_after(10, true), limit_after(60, true)], [50, 60]);
    }

    #[test]
    fn connections_have_what_their_socket_was_told() {
        let any = Listener::on(Address::Tcp("127.0.0.1:0".parse().unwrap()));
        let tuning = SocketTuning {
            nodelay: true,
            keep_alive: true,
            send_bytes: Some(50_000),
            receive_bytes: Some(60_000),
            fast_open: Some(5),
            freebind: false,
        };
        let options = BindOptions { backlog: 50, tuning, ..BindOptions::default() };
        let seen = |bound: &BoundSocket| {
            let listening = SockRef::from(&bound.socket);
            let _client = std::net::TcpStream::connect(listening.local_addr().unwrap().as_socket().unwrap()).unwrap();
            listening.set_nonblocking(false).unwrap();
            let (accepted, _) = listening.accept().unwrap();
            let (sent, received) = (accepted.send_buffer_size().unwrap(), accepted.recv_buffer_size().unwrap());
            // The kernel doubles what it is asked for (socket(7)).
            (accepted.tcp_nodelay().unwrap(), accepted.keepalive().unwrap(), sent == 100_000, received == 120_000)
        };
        let tuned = BoundSocket::bind(&any, &options).unwrap();
        assert_eq!(seen(&tuned), (true, true, true, true));
        let plain = BoundSocket::bind(&any, &BindOptions { backlog: 50, ..BindOptions::default() }).unwrap();
        assert_eq!(seen(&plain), (false, false, false, false));
        // What a reload does with a socket that stays open.
        tuned.tune(&SocketTuning::default()).unwrap();
        assert_eq!(seen(&tuned), (false, false, true, true));
        let elsewhere = Listener::on(Address::Tcp("192.0.2.1:0".parse().unwrap()));
        let free = SocketTuning { freebind: true, ..SocketTuning::default() };
        assert!(BoundSocket::bind(&elsewhere, &BindOptions::default()).is_err());
        assert!(BoundSocket::bind(&elsewhere, &BindOptions { tuning: free, ..BindOptions::default() }).is_ok());
    }

    /// How long the kernel holds connections back, in seconds; it counts in steps that double.
    fn held_back_s(socket: &BoundSocket) -> i32 {
        let (mut seconds, mut size) = (0_i32, size_of::<i32>() as u32);
        // SAFETY: the option gives one int, for which there is room until the call returns.
        let got = unsafe {
            libc::getsockopt(
                socket.socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_DEFER_ACCEPT,
                (&raw mut seconds).cast(),
                &raw mut size,
            )
        };
        assert_eq!(got, 0, "{}", io::Error::last_os_error());
        seconds
    }

    #[test]
    fn connections_are_held_back_unless_the_listener_says_otherwise() {
        let any = Listener::on(Address::Tcp("127.0.0.1:0".parse().unwrap()));
        let options = BindOptions { backlog: 50, defer_accept: Duration::from_secs(4), ..BindOptions::default() };
        let holding = BoundSocket::bind(&any, &options).unwrap();
        assert!(held_back_s(&holding) >= 4, "{}", held_back_s(&holding));
        let prompt = Listener { defer_accept: false, ..any };
        assert_eq!(held_back_s(&BoundSocket::bind(&prompt, &options).unwrap()), 0);
        // What a reload does with a socket that stays open.
        let copy = holding.as_fd().try_clone_to_owned().unwrap();
        let shared = BoundSocket::adopt(prompt, copy, None, false).unwrap();
        shared.defer_accept(options.defer_accept).unwrap();
        assert_eq!(held_back_s(&holding), 0);
    }
}
