//! `--ping`: whether a worker answers on a uwsgi socket (uWSGI's manual, "uWSGI Options"). Runs in a process of its own.

use std::io::{self, Read, Write};
use std::net::ToSocketAddrs;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};
use worker_protocol::uwsgi::{HEADER_BYTES, MODIFIER_PING};

/// Asks, and waits for each step for at most so long. The warning that comes back; empty if all is well.
///
/// # Errors
/// When no answer comes.
pub(super) fn ask(address: &str, timeout: Duration) -> io::Result<Vec<u8>> {
    let (domain, address) = resolve(address)?;
    let socket = Socket::new(domain, Type::STREAM.cloexec(), None)?;
    // Without waiting in a queue that is full.
    socket.connect_timeout(&address, timeout)?;
    socket.set_read_timeout(Some(timeout))?;
    socket.set_write_timeout(Some(timeout))?;
    let mut stream = &socket;
    stream.write_all(&[MODIFIER_PING, 0, 0, 0])?;
    let mut head = [0; HEADER_BYTES];
    stream.read_exact(&mut head)?;
    if head[0] != MODIFIER_PING {
        return Err(io::Error::other("what answers does not speak the uwsgi protocol"));
    }
    let mut warning = vec![0; usize::from(u16::from_le_bytes([head[1], head[2]]))];
    stream.read_exact(&mut warning)?;
    Ok(warning)
}

/// An address as `socket` takes them.
fn resolve(text: &str) -> io::Result<(Domain, SockAddr)> {
    if text.contains(':') && !text.contains('/') {
        let text = if text.starts_with(':') { format!("127.0.0.1{text}") } else { text.to_owned() };
        let first = text.to_socket_addrs()?.next().ok_or_else(|| io::Error::other("there is no such host"))?;
        return Ok((Domain::for_address(first), first.into()));
    }
    let path = text.strip_prefix('@').map_or_else(|| text.to_owned(), |name| format!("\0{name}"));
    Ok((Domain::UNIX, SockAddr::unix(path)?))
}
