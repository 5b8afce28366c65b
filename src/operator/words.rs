//! What the command line and a master agree on: where it listens, and how its answers begin. Both sides.

use std::fs;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;

/// The abstract unix socket on which the master with this pid hears operators.
///
/// Containers may share the names of the network and still count their processes each from 1, so that the name tells
/// whose count it is.
pub(crate) fn address_of(pid: u32) -> io::Result<SocketAddr> {
    let counted_in = fs::read_link("/proc/self/ns/pid")?;
    SocketAddr::from_abstract_name(format!("rhinod/{}/{pid}", counted_in.display()))
}

/// First word of an answer that says that what was asked for is done; the rest of the line is for people.
pub(crate) const DONE: &str = "done";
/// First word of an answer that says that it could not be done; the rest of the line says why.
pub(crate) const FAILED: &str = "failed";
