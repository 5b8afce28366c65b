//! One connection: accept or connect, read, write, sendfile, half-close. Worker and router. Nothing here waits but
//! [`Stream::read_within`]; whoever else waits does so with a deadline of its own (`wait::wait_ready`).

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::sockopt::{Linger, PeerCredentials, ReceiveTimeout};
use nix::sys::socket::{
    AddressFamily, MsgFlags, Shutdown, SockFlag, SockType, SockaddrLike, SockaddrStorage, UnixAddr, accept4, connect,
    getsockname, getsockopt, recv, send, sendmsg, setsockopt, shutdown, socket,
};
use nix::sys::time::{TimeVal, TimeValLike};
use socket2::SockRef;

use super::forks;
use crate::config::model::Address;

/// A connection from a web server. Its end is the end of the answer for the peer, whoever else holds the descriptor.
#[derive(Debug)]
pub struct Stream {
    descriptor: OwnedFd,
    /// Before it was accepted.
    since: forks::Moment,
    /// Whether it is known to be one of TCP.
    is_tcp: bool,
}

/// How bytes are written: without a signal when the other side has gone, and without waiting.
const WRITE: MsgFlags = MsgFlags::MSG_NOSIGNAL.union(MsgFlags::MSG_DONTWAIT);

/// More follows at once, in the same packet if it fits.
const MORE: MsgFlags = MsgFlags::from_bits_retain(libc::MSG_MORE);

/// Reads from a place in a file; returns how many bytes, 0 at its end.
pub fn read_at(file: &impl AsFd, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    retry(|| nix::sys::uio::pread(file, buffer, offset as i64))
}

/// Accepts one connection, or `None` if there is none for us.
pub fn accept(listener: &impl AsFd) -> io::Result<Option<Stream>> {
    let since = forks::Moment::now();
    match accept4(listener.as_fd().as_raw_fd(), SockFlag::SOCK_CLOEXEC) {
        // SAFETY: the descriptor is new and ours.
        Ok(raw) => Ok(Some(Stream { descriptor: unsafe { OwnedFd::from_raw_fd(raw) }, since, is_tcp: false })),
        Err(error) if is_passing(error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The same, and where the other side is; `None` at the other end of a unix socket.
pub fn accept_with_address(listener: &impl AsFd) -> io::Result<Option<(Stream, Option<SocketAddr>)>> {
    let since = forks::Moment::now();
    match SockRef::from(listener).accept() {
        Ok((socket, address)) => {
            let address = address.as_socket();
            Ok(Some((Stream { descriptor: socket.into(), since, is_tcp: address.is_some() }, address)))
        }
        Err(error) if error.raw_os_error().is_some_and(|code| is_passing(Errno::from_raw(code))) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The address on this side, of a TCP connection.
pub fn local_address(stream: &Stream) -> Option<SocketAddr> {
    SockRef::from(stream).local_addr().ok()?.as_socket()
}

/// The address on the other side; `None` on a unix socket.
pub fn peer_address(stream: &Stream) -> io::Result<Option<SocketAddr>> {
    Ok(SockRef::from(stream).peer_addr()?.as_socket())
}

/// Whether the client has already gone, or the network has a passing fault: see accept(2), "Error handling".
fn is_passing(error: Errno) -> bool {
    matches!(
        error,
        Errno::EAGAIN
            | Errno::EINTR
            | Errno::ECONNABORTED
            | Errno::EPROTO
            | Errno::ENETDOWN
            | Errno::ENOPROTOOPT
            | Errno::EHOSTDOWN
            | Errno::EHOSTUNREACH
            | Errno::ENETUNREACH
    )
}

impl Stream {
    /// Connects without waiting: `WouldBlock` when the queue of a unix socket is full. Over TCP the first bytes that are
    /// written tell whether that has succeeded.
    pub fn connect(address: &Address) -> io::Result<Stream> {
        match address {
            Address::Unix(path) => connect_to(AddressFamily::Unix, &UnixAddr::new(path)?),
            Address::Abstract(name) => connect_to(AddressFamily::Unix, &UnixAddr::new_abstract(name)?),
            Address::Tcp(address) => {
                let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
                let stream = connect_to(family, &SockaddrStorage::from(*address))?;
                SockRef::from(&stream).set_tcp_nodelay(true)?;
                Ok(stream)
            }
            Address::Inherited(_) | Address::BehindRouter(_) => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Whether the other end of a unix socket is a process of this user's, or of root's.
    pub fn is_of_own_user(&self) -> bool {
        let own = nix::unistd::Uid::effective().as_raw();
        getsockopt(&self.descriptor, PeerCredentials).is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
    }

    /// Reads what is there. `WouldBlock` when there is nothing; 0 at the end.
    #[inline(always)]
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        // recv(2) and send(2) do the same as read(2) and write(2), without the file layer's checks on the way.
        retry(|| recv(self.descriptor.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT))
    }

    /// Whether something is there that was not read: bytes or an error, but not the end.
    pub fn has_unread(&self) -> bool {
        let mut byte = [0];
        let looked = recv(self.descriptor.as_raw_fd(), &mut byte, MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT);
        !matches!(looked, Ok(0) | Err(Errno::EAGAIN | Errno::EINTR))
    }

    /// Reads what is there, or waits for it: one call to the system less than asking whether something is there,
    /// waiting and reading. `WouldBlock` when nothing came within the time, `Interrupted` when a signal did.
    pub fn read_within(&self, buffer: &mut [u8], timeout_us: u64) -> io::Result<usize> {
        setsockopt(&self.descriptor, ReceiveTimeout, &TimeVal::microseconds(timeout_us.max(1) as i64))?;
        Ok(recv(self.descriptor.as_raw_fd(), buffer, MsgFlags::empty())?)
    }

    /// How long ago the kernel received the last bytes on this connection; `None` where it does not count (tcp(7)).
    pub fn silent_for_us(&self) -> Option<u64> {
        let mut info = std::mem::MaybeUninit::<libc::tcp_info>::zeroed();
        let mut length = std::mem::size_of::<libc::tcp_info>() as libc::socklen_t;
        // SAFETY: the kernel writes no more than `length` bytes, and any bytes make up a `tcp_info`.
        let told = unsafe {
            libc::getsockopt(
                self.descriptor.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                info.as_mut_ptr().cast(),
                &mut length,
            )
        };
        Errno::result(told).ok()?;
        // SAFETY: it was zeroed, and what the kernel wrote is plain numbers.
        let info = unsafe { info.assume_init() };
        Some(u64::from(info.tcpi_last_data_recv) * 1_000)
    }

    /// Writes what fits of `bytes`. `WouldBlock` when nothing does.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        retry(|| send(self.descriptor.as_raw_fd(), bytes, WRITE))
    }

    /// Writes what fits of the last bytes that are sent here, and says that nothing follows them, if all did: over TCP both leave
    /// in one packet, which spares this end the way of another one.
    pub fn write_last(&self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_tcp {
            return self.write(bytes);
        }
        let count = retry(|| send(self.descriptor.as_raw_fd(), bytes, WRITE.union(MORE)))?;
        if count == bytes.len() {
            // Fails where the client has gone, whom no answer reaches.
            let _ = self.finish_writing();
        }
        Ok(count)
    }

    /// Writes what fits of the parts, one after the other; any of them may be empty. `WouldBlock` when nothing does.
    #[inline(always)]
    pub fn write_parts(&self, parts: [&[u8]; 3]) -> io::Result<usize> {
        match parts {
            [only, [], []] | [[], only, []] | [[], [], only] => self.write(only),
            _ => {
                let all = parts.map(IoSlice::new);
                retry(|| sendmsg::<()>(self.descriptor.as_raw_fd(), &all, &[], WRITE, None))
            }
        }
    }

    /// Sends bytes of a file from its `offset`, without copying them through this process; returns how many.
    pub fn send_file(&self, file: &impl AsFd, offset: u64, length: usize) -> io::Result<usize> {
        // sendfile(2) knows no MSG_DONTWAIT.
        self.set_nonblocking()?;
        let mut position = offset as i64;
        retry(|| nix::sys::sendfile::sendfile(&self.descriptor, file.as_fd(), Some(&mut position), length))
    }

    /// Makes every call on the descriptor non-blocking, also those that are not made here: as uWSGI hands it to
    /// applications (uWSGI's manual, "Nginx support"). `read_within` must have been used for the last time.
    pub fn set_nonblocking(&self) -> io::Result<()> {
        fcntl(&self.descriptor, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(())
    }

    /// Says that nothing more will be written.
    pub fn finish_writing(&self) -> io::Result<()> {
        Ok(shutdown(self.descriptor.as_raw_fd(), Shutdown::Write)?)
    }

    /// Has the close reset the connection, so that the other side does not take what it got for all there is. TCP has the
    /// reset for that (RFC 9293, section 3.5.2). On a unix socket closing tells so only while something that the peer sent
    /// lies unread. False: closing would look like an ordinary end.
    pub fn will_reset(&self) -> bool {
        let is_unix = getsockname::<SockaddrStorage>(self.descriptor.as_raw_fd())
            .is_ok_and(|address| address.family() == Some(AddressFamily::Unix));
        if is_unix {
            return self.has_unread();
        }
        // If this fails the peer has gone, so that there is nobody to tell.
        let _ = setsockopt(&self.descriptor, Linger, &libc::linger { l_onoff: 1, l_linger: 0 });
        true
    }

    /// Ends both directions, whoever else holds the descriptor: who waits on it wakes up.
    pub fn cut(&self) -> io::Result<()> {
        Ok(shutdown(self.descriptor.as_raw_fd(), Shutdown::Both)?)
    }

    /// Resets the connection while others use it, so that the other side does not take what it got for all there is. False:
    /// that cannot be told on a unix socket.
    pub fn reset(&self) -> bool {
        // connect(2): without an address a TCP connection dissolves, which is what its reset is for.
        let nowhere = libc::sockaddr { sa_family: libc::AF_UNSPEC as libc::sa_family_t, sa_data: [0; 14] };
        let length = size_of_val(&nowhere) as libc::socklen_t;
        let is_unix = getsockname::<SockaddrStorage>(self.descriptor.as_raw_fd())
            .is_ok_and(|address| address.family() == Some(AddressFamily::Unix));
        // SAFETY: the address outlives the call, with its length.
        !is_unix && unsafe { libc::connect(self.descriptor.as_raw_fd(), &raw const nowhere, length) } == 0
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.since.forked_since() {
            // A peer that has gone is not waiting for the end.
            let _ = self.finish_writing();
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

fn connect_to(family: AddressFamily, address: &dyn SockaddrLike) -> io::Result<Stream> {
    let since = forks::Moment::now();
    let descriptor = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
    match connect(descriptor.as_raw_fd(), address) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(Stream { descriptor, since, is_tcp: family != AddressFamily::Unix }),
        Err(error) => Err(error.into()),
    }
}

fn retry(mut call: impl FnMut() -> nix::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            other => return other.map_err(Into::into),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::time::{Duration, Instant};

    use super::*;

    fn accepted(listener: &impl AsFd) -> Stream {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            match accept(listener).expect("a listening socket") {
                Some(stream) => return stream,
                None => assert!(Instant::now() < end, "nobody came"),
            }
        }
    }

    #[test]
    fn the_kernel_counts_how_long_bytes_have_waited_on_tcp() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut client = TcpStream::connect(listener.local_addr().expect("its address")).expect("a connection");
        let sent = Instant::now();
        client.write_all(b"x").expect("a byte");
        let stream = accepted(&listener);
        while stream.silent_for_us().expect("TCP tells") < 30_000 {
            assert!(sent.elapsed() < Duration::from_secs(60), "it does not count");
        }
        assert!(sent.elapsed() >= Duration::from_millis(25), "not so early: {:?}", sent.elapsed());
    }

    #[test]
    fn what_is_written_last_has_arrived_with_its_end_while_the_connection_is_still_there() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut client = TcpStream::connect(listener.local_addr().expect("its address")).expect("a connection");
        let (stream, _) = accept_with_address(&listener).expect("a listening socket").expect("the client");
        assert_eq!(stream.write_last(b"all of it").expect("room"), 9);
        let mut told = String::new();
        client.set_read_timeout(Some(Duration::from_secs(60))).expect("a time limit");
        client.read_to_string(&mut told).expect("its end");
        assert_eq!(told, "all of it");
        client.write_all(b"heard").expect("the other way is open");
        let mut heard = [0; 9];
        assert_eq!(stream.read_within(&mut heard, 60_000_000).expect("what the client says"), 5);
    }

    #[test]
    fn on_a_unix_socket_nobody_counts() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let listener = UnixListener::bind(directory.path().join("s")).expect("a socket");
        let _client = UnixStream::connect(directory.path().join("s")).expect("a connection");
        assert_eq!(accepted(&listener).silent_for_us(), None);
    }
}
