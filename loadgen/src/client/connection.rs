//! One connection of the load generator: connect, send the request, read until the reply is whole.
//!
//! Does the system calls and leaves waiting to the driver. Runs in the measuring process.

use rustix::event::epoll::EventFlags;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use std::net::SocketAddr;

use super::Target;
use super::reply::{Outcome, ReplyReader};

/// An open connection with a request under way.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: OwnedFd,
    sent: usize,
    reply: ReplyReader,
}

/// What the connection wants next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// To be called again when the socket is ready for that.
    Wait(EventFlags),
    /// Nobody accepted it (TCP learns this only now).
    Refused,
    /// The request is over.
    Ended(Outcome),
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum ConnectError {
    /// The server's fault or state: try again.
    Refused,
    /// This side's fault: give up.
    Local(Errno),
}

/// An address the kernel takes, made once.
#[derive(Debug)]
pub(super) enum Address {
    Unix(SocketAddrUnix),
    Tcp(SocketAddr),
}

impl Address {
    pub(super) fn new(target: &Target) -> Result<Self, Errno> {
        Ok(match target {
            Target::Unix(path) => Self::Unix(SocketAddrUnix::new(path)?),
            Target::Tcp(address) => Self::Tcp(*address),
        })
    }

    fn family(&self) -> AddressFamily {
        match self {
            Self::Unix(_) => AddressFamily::UNIX,
            Self::Tcp(SocketAddr::V4(_)) => AddressFamily::INET,
            Self::Tcp(SocketAddr::V6(_)) => AddressFamily::INET6,
        }
    }
}

impl Connection {
    /// Begins to connect, without waiting.
    pub(super) fn open(address: &Address, expects_no_body: bool) -> Result<Self, ConnectError> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(address.family(), SocketType::STREAM, flags, None).map_err(ConnectError::Local)?;
        let connected = match address {
            Address::Unix(path) => connect(&socket, path),
            Address::Tcp(address) => connect(&socket, address),
        };
        match connected {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(Self { socket, sent: 0, reply: ReplyReader::new(expects_no_body) }),
            // A full queue, nobody who listens, or no socket file (yet, or during a restart).
            Err(Errno::AGAIN | Errno::CONNREFUSED | Errno::NOENT) => Err(ConnectError::Refused),
            Err(errno) => Err(ConnectError::Local(errno)),
        }
    }

    /// Takes a connection that served a request for the next one.
    pub(super) fn reuse(socket: OwnedFd, expects_no_body: bool) -> Self {
        Self { socket, sent: 0, reply: ReplyReader::new(expects_no_body) }
    }

    /// Sends what the socket takes. To be called first, and again while [`Step::Wait`] asks for `OUT`.
    pub(super) fn send(&mut self, request: &[u8]) -> Step {
        while self.sent < request.len() {
            match rustix::net::send(&self.socket, &request[self.sent..], SendFlags::NOSIGNAL) {
                Ok(count) => self.sent += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Step::Wait(EventFlags::OUT | EventFlags::IN),
                Err(Errno::CONNREFUSED) if self.sent == 0 => return Step::Refused,
                Err(_) => return Step::Ended(Outcome::Reset),
            }
        }
        Step::Wait(EventFlags::IN)
    }

    /// Goes on after the socket became ready: one read, and the rest of the request if there is one.
    pub(super) fn proceed(&mut self, request: &[u8], buffer: &mut [u8]) -> Step {
        let wanted = self.send(request);
        if wanted != Step::Wait(EventFlags::IN) && wanted != Step::Wait(EventFlags::OUT | EventFlags::IN) {
            return wanted;
        }
        match rustix::net::recv(&self.socket, &mut *buffer, RecvFlags::empty()) {
            Ok((0, _)) => Step::Ended(self.reply.end()),
            Ok((count, _)) => self.reply.feed(&buffer[..count]).map_or(wanted, Step::Ended),
            Err(Errno::AGAIN | Errno::INTR) => wanted,
            Err(_) => Step::Ended(Outcome::Reset),
        }
    }

    /// Bytes of the reply so far.
    pub(super) fn received(&self) -> u64 {
        self.reply.received()
    }

    /// The socket, if the reply allows another request on it.
    pub(super) fn into_reusable(self, request: &[u8]) -> Option<OwnedFd> {
        (!self.reply.closing() && self.sent == request.len()).then_some(self.socket)
    }
}
