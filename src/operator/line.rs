//! The way from an operator's command to the master that is meant, and to no other process: any local user can listen under
//! the name that a master would have. The operator's process only; what is said is in `words`.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::sys::socket::{UnixCredentials, getsockopt, sockopt};
use nix::unistd::Uid;
use socket2::{Domain, SockAddr, Socket, Type};
use worker_protocol::ids::ProcessId;

use super::words::{address_of, known, name_of};

/// How long a master may take to read a question.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);

/// How long there may be no room for one more who asks. A short time, since it may be somebody else who listens.
const ROOM_WITHIN: Duration = Duration::from_secs(1);

/// Connects to the master with this pid, which a file of this owner names.
///
/// # Errors
/// When nobody listens who is that process and a user that may have written the file.
pub(super) fn connect(pid: ProcessId, owner: u32) -> io::Result<UnixStream> {
    let name = name_of(pid.get().unsigned_abs())?;
    let mut last = io::Error::from(io::ErrorKind::ConnectionRefused);
    for candidate in known(&name) {
        match try_connect(&candidate) {
            Ok((stream, peer)) if is_meant(&peer, pid, owner) => return Ok(stream),
            Ok((_, peer)) => {
                let (other, user) = (peer.pid(), peer.uid());
                last = io::Error::other(format!("process {other} of user {user} listens under its name"));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The kernel's word on who listens there: its own as of when it began to.
fn is_meant(peer: &UnixCredentials, pid: ProcessId, owner: u32) -> bool {
    peer.pid() == pid.get() && [0, owner, Uid::effective().as_raw()].contains(&peer.uid())
}

fn try_connect(name: &str) -> io::Result<(UnixStream, UnixCredentials)> {
    let address = address_of(name)?;
    let bytes = address.as_abstract_name().unwrap_or_default();
    let socket = Socket::new(Domain::UNIX, Type::STREAM.cloexec(), None)?;
    socket.set_write_timeout(Some(ROOM_WITHIN))?;
    let path = [b"\0", bytes].concat();
    socket.connect(&SockAddr::unix(Path::new(OsStr::from_bytes(&path)))?)?;
    socket.set_write_timeout(Some(TAKEN_WITHIN))?;
    let peer = getsockopt(&socket, sockopt::PeerCredentials)?;
    Ok((UnixStream::from(std::os::fd::OwnedFd::from(socket)), peer))
}
