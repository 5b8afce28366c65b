//! The line between an Emperor and a vassal: bytes in both directions, and its end says that the other side is gone. Emperor,
//! and the master that is a vassal. What the bytes mean is in `supervision::vassal`.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, socket};

use super::process::adopt_descriptor;

/// One end of a line. Nothing here waits.
#[derive(Debug)]
pub struct Line(UnixStream);

/// What is on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// A message.
    Byte(u8),
    /// Nothing for now.
    Nothing,
    /// The other side is gone.
    Gone,
}

impl Line {
    /// Both ends of a new line; the second one as it is to be inherited.
    pub fn pair() -> io::Result<(Self, OwnedFd)> {
        let (own, other) = UnixStream::pair()?;
        Ok((Self::of(own)?, other.into()))
    }

    /// The end that was inherited under a number.
    pub fn inherited(number: i32) -> io::Result<Self> {
        Self::from_owned(adopt_descriptor(number)?)
    }

    /// The end that a descriptor stands for.
    pub fn from_owned(descriptor: OwnedFd) -> io::Result<Self> {
        Self::of(UnixStream::from(descriptor))
    }

    /// The end of a line to whoever listens at a path. Does not wait: who has no room is not there.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
        Self::from_owned(socket)
    }

    /// The end of a line to somebody who has come, and its process; `None`: nobody has.
    pub fn accept(listener: &impl AsFd) -> io::Result<Option<(Self, i32)>> {
        let listener = UnixListener::from(listener.as_fd().try_clone_to_owned()?);
        listener.set_nonblocking(true)?;
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(None),
            Err(error) => return Err(error),
        };
        let pid = getsockopt(&stream, PeerCredentials)?.pid();
        Ok(Some((Self::of(stream)?, pid)))
    }

    fn of(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self(stream))
    }

    /// Says something. Whoever takes nothing any more learns nothing; that it is gone is heard.
    pub fn say(&self, byte: u8) {
        // SIGPIPE is ignored, as in every Rust program.
        let _ = (&self.0).write(&[byte]);
    }

    /// Says something longer, whole or not at all. Whether it was said.
    pub fn say_all(&self, bytes: &[u8]) -> bool {
        (&self.0).write(bytes).is_ok_and(|written| written == bytes.len())
    }

    /// What follows on what was heard, if so much of it is there.
    pub fn hear_more(&self, into: &mut [u8]) -> bool {
        (&self.0).read_exact(into).is_ok()
    }

    /// What the other side says.
    pub fn hear(&self) -> Said {
        let mut byte = [0];
        match (&self.0).read(&mut byte) {
            Ok(0) => Said::Gone,
            Ok(_) => Said::Byte(byte[0]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Said::Nothing,
            Err(_) => Said::Gone,
        }
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
