//! Where routers say that they know the instance now (`subscription-notify-socket`). Master only.

use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use crate::config::model::Address;
use crate::escape;
use crate::sys::files::{Place, is_socket};

/// Most that is heard at once, and most bytes of each.
const AT_ONCE_MAX: usize = 64;
const BYTES_MAX: usize = 1024;

/// A socket for datagrams.
#[derive(Debug)]
pub(super) struct Door {
    address: Address,
    name: String,
    socket: Socket,
}

#[derive(Debug)]
enum Socket {
    Unix(UnixDatagram),
    Udp(UdpSocket),
}

impl Door {
    /// Opens it. A socket file that is in the way is one of a life before.
    pub(super) fn open(address: &Address) -> io::Result<Self> {
        let (socket, name) = match address {
            Address::Unix(path) => {
                remove_socket(path)?;
                let socket = UnixDatagram::bind(path)?;
                socket.set_nonblocking(true)?;
                (Socket::Unix(socket), path.display().to_string())
            }
            Address::Tcp(address) => {
                let socket = UdpSocket::bind(address)?;
                socket.set_nonblocking(true)?;
                let name = socket.local_addr()?.to_string();
                (Socket::Udp(socket), name)
            }
            _ => return Err(io::Error::other("it is IP:PORT, or a path")),
        };
        Ok(Self { address: address.clone(), name, socket })
    }

    /// As it was configured.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// As routers are told of it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What was said since, without what could pass for another line.
    pub(super) fn hear(&self) -> Vec<String> {
        let mut said = Vec::new();
        let mut into = [0; BYTES_MAX];
        // More than that in one go is nobody's business: it is news again with the next one.
        while said.len() < AT_ONCE_MAX {
            let received = match &self.socket {
                Socket::Unix(socket) => socket.recv(&mut into),
                Socket::Udp(socket) => socket.recv(&mut into),
            };
            match received {
                Ok(length) => {
                    let text = String::from_utf8_lossy(&into[..length]);
                    said.push(escape::on_one_line(&text));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        said
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Address::Unix(path) = &self.address {
            // Best effort: the next one removes it.
            let _ = remove_socket(path);
        }
    }
}

/// Removes a socket's file, through nobody else's links, and nothing else.
fn remove_socket(path: &Path) -> io::Result<()> {
    Place::of(path)?.remove_if(is_socket).map(drop)
}

impl AsFd for Door {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Socket::Unix(socket) => socket.as_fd(),
            Socket::Udp(socket) => socket.as_fd(),
        }
    }
}
