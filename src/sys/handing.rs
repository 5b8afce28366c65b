//! Listening sockets handed from one instance to another on a unix socket (uWSGI's manual, "Zerg mode"): one message, a
//! word and a number of descriptors, and then the connection ends. Master only.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use nix::sys::socket::{ControlMessage, MsgFlags, getsockopt, sendmsg, sockopt};
use socket2::{Domain, SockAddr, Socket, Type};

use super::control::take_packet;
use crate::config::model::Address;

/// What the message begins with; the number of descriptors follows, as C's `int`.
const WORD: &[u8; 10] = b"uwsgi-zerg";

/// Most descriptors that one message may carry (unix(7), SCM_RIGHTS).
const DESCRIPTORS_MAX: usize = 253;

/// Why no sockets were taken.
#[derive(Debug, thiserror::Error)]
pub enum HandingError {
    /// Nobody gives any.
    #[error("no sockets from {0}: {1}")]
    Unreachable(String, io::Error),
    /// What came is something else.
    #[error("no sockets from {0}: what answers there is no zerg server ({1})")]
    Strange(String, &'static str),
}

/// Gives sockets to whoever is at the other end. One that takes nothing right now gets nothing.
///
/// # Errors
/// When they do not fit, or the other side has gone.
pub fn give(connection: &impl AsFd, sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
    let raw: Vec<_> = sockets.iter().map(AsRawFd::as_raw_fd).collect();
    let count = i32::try_from(raw.len()).unwrap_or(i32::MAX).to_ne_bytes();
    let parts = [IoSlice::new(WORD), IoSlice::new(&count)];
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    sendmsg::<()>(connection.as_fd().as_raw_fd(), &parts, &[ControlMessage::ScmRights(&raw)], flags, None)?;
    Ok(())
}

/// Takes the sockets that are given at an address; waits at most so long for each step.
///
/// # Errors
/// When nobody gives any, or what comes is something else.
pub fn take(address: &Address, patience: Duration) -> Result<Vec<OwnedFd>, HandingError> {
    let unreachable = |error| HandingError::Unreachable(address.to_string(), error);
    let strange = |why| HandingError::Strange(address.to_string(), why);
    let connection = connect(address, patience).map_err(unreachable)?;
    let mut message = [0; WORD.len() + size_of::<i32>() + 1];
    let (bytes, sockets) = take_packet(&connection, &mut message, DESCRIPTORS_MAX).map_err(unreachable)?;
    let count = message.get(..bytes).and_then(|message| message.strip_prefix(WORD));
    let count = count.and_then(|count| Some(i32::from_ne_bytes(count.try_into().ok()?)));
    match count.map(usize::try_from) {
        None | Some(Err(_)) => Err(strange("its message is another one")),
        Some(Ok(0)) => Err(strange("it has none to give")),
        Some(Ok(count)) if count != sockets.len() => Err(strange("not all of them have come")),
        Some(Ok(_)) if !sockets.iter().all(listens) => Err(strange("one of them does not listen")),
        Some(Ok(_)) => Ok(sockets),
    }
}

fn connect(address: &Address, patience: Duration) -> io::Result<Socket> {
    let address = match address {
        Address::Unix(path) => SockAddr::unix(path),
        Address::Abstract(name) => SockAddr::unix(std::ffi::OsStr::from_bytes(&[b"\0", name.as_slice()].concat())),
        other => Err(io::Error::other(format!("{other} is no unix socket"))),
    }?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM.cloexec(), None)?;
    // The one for writing bounds connecting as well (unix(7), SO_SNDTIMEO in socket(7)).
    socket.set_write_timeout(Some(patience))?;
    socket.set_read_timeout(Some(patience))?;
    socket.connect(&address)?;
    Ok(socket)
}

fn listens(socket: &OwnedFd) -> bool {
    getsockopt(socket, sockopt::AcceptConn).unwrap_or(false)
}

/// The user at the other end of a unix socket, by the kernel's word as of when it connected.
pub fn peer_user(connection: &impl AsFd) -> Option<u32> {
    getsockopt(&connection.as_fd(), sockopt::PeerCredentials).ok().map(|peer| peer.uid())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// What one takes of somebody who does this with each connection.
    fn taken_of(answer: impl FnOnce(std::os::unix::net::UnixStream) + Send + 'static) -> Result<usize, HandingError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("zerg");
        let server = UnixListener::bind(&path).unwrap();
        let giver = thread::spawn(move || answer(server.accept().unwrap().0));
        let taken = take(&Address::Unix(path), PATIENCE);
        giver.join().unwrap();
        taken.map(|sockets| sockets.len())
    }

    #[test]
    fn what_is_given_is_taken() {
        let sockets: Vec<TcpListener> = (0..9).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let given = taken_of(move |connection| {
            let all: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
            give(&connection, &all).unwrap();
        });
        assert_eq!(given.unwrap(), 9);
    }

    #[test]
    fn what_is_no_zerg_server_gives_nothing() {
        let says = |bytes: &'static [u8]| taken_of(move |mut connection| connection.write_all(bytes).unwrap());
        for (bytes, why) in [
            (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "another one"),
            (b"", "another one"),
            (b"uwsgi-zerg", "another one"),
            (b"uwsgi-zerg\0\0\0\0", "none to give"),
            (b"uwsgi-zerg\xff\xff\xff\xff", "another one"),
            (b"uwsgi-zerg\x01\x01\x01\x01", "not all"),
        ] {
            let told = says(bytes).unwrap_err().to_string();
            assert!(told.contains(why), "{bytes:?}: {told}");
        }
    }

    #[test]
    fn a_socket_that_does_not_listen_is_not_taken() {
        let told = taken_of(|connection| give(&connection, &[connection.as_fd()]).unwrap()).unwrap_err();
        assert!(told.to_string().contains("does not listen"), "{told}");
    }

    #[test]
    fn where_nobody_is_nothing_is_taken() {
        let nowhere = Address::Abstract(b"rhinod-nobody-gives-sockets-here".to_vec());
        assert!(matches!(take(&nowhere, PATIENCE), Err(HandingError::Unreachable(..))));
    }
}
