//! What the command line and a master agree on: where it listens, and how its answers begin. Both sides.

use std::fs;
use std::io::{self, Read};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;

/// The name of the abstract unix socket on which the master with this pid hears operators. Where somebody else has taken
/// it, as every local user can, the name goes on with a stroke and something that cannot be foreseen.
///
/// Containers may share the names of the network and still count their processes each from 1, so that the name tells
/// whose count it is.
pub(crate) fn name_of(pid: u32) -> io::Result<String> {
    let counted_in = fs::read_link("/proc/self/ns/pid")?;
    Ok(format!("rhinod/{}/{pid}", counted_in.display()))
}

/// A name that nobody can have taken on purpose.
pub(crate) fn unforeseen(name: &str) -> io::Result<String> {
    let mut lot = [0; 8];
    fs::File::open("/dev/urandom")?.read_exact(&mut lot)?;
    Ok(format!("{name}/{:016x}", u64::from_ne_bytes(lot)))
}

/// All sockets that listen under a name, or under one that goes on from it (proc_net_unix(5)), the shortest first.
pub(crate) fn known(name: &str) -> Vec<String> {
    let table = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let names = table.lines().filter_map(|line| line.rsplit_once(" @")).map(|(_, other)| other);
    let ours =
        names.filter(|other| other.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    // Where there is no table, the name itself is still worth a try.
    let mut ours: Vec<String> = ours.chain([name]).map(str::to_owned).collect();
    ours.sort();
    ours.dedup();
    ours
}

/// The address of a name.
pub(crate) fn address_of(name: &str) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(name)
}

/// First word of an answer that says that what was asked for is done; the rest of the line is for people.
pub(crate) const DONE: &str = "done";
/// First word of an answer that says that it could not be done; the rest of the line says why.
pub(crate) const FAILED: &str = "failed";
