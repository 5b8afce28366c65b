//! Which process listens on an address, where that can be seen (proc_net(5), proc_pid_fd(5)). For the message of an address
//! that is in use: the master, or a command.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use crate::config::model::Address;

/// A process that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// What it is called.
    pub name: String,
}

/// The process that listens on an address; the oldest number of several. `None` where that cannot be seen.
pub fn holder(address: &Address) -> Option<Holder> {
    let inodes = match address {
        Address::Tcp(address) => tcp(*address),
        Address::Unix(path) => {
            unix(&std::path::absolute(path).ok()?.display().to_string(), &path.display().to_string())
        }
        Address::Abstract(name) => {
            let name = format!("@{}", String::from_utf8_lossy(name));
            unix(&name, &name)
        }
        Address::Inherited(_) | Address::BehindRouter(_) => return None,
    };
    let links: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    if links.is_empty() {
        return None;
    }
    let mut pids: Vec<u32> =
        fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    let pid = pids.into_iter().find(|pid| holds(*pid, &links))?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned();
    Some(Holder { pid, name })
}

fn holds(pid: u32, links: &[String]) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let target = |path: &Path| fs::read_link(path).ok()?.to_str().map(str::to_owned);
    open.flatten().filter_map(|entry| target(&entry.path())).any(|link| links.contains(&link))
}

/// The inodes of TCP sockets that listen where this address would be in the way.
fn tcp(address: SocketAddr) -> Vec<String> {
    const LISTENS: &str = "0A";
    let mut inodes = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in fs::read_to_string(table).unwrap_or_default().lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [_, local, _, state, ..] = fields[..] else { continue };
            let Some(bound) = (state == LISTENS).then(|| parse_local(local)).flatten() else { continue };
            let is_in_the_way =
                bound.ip().is_unspecified() || address.ip().is_unspecified() || bound.ip() == address.ip();
            if bound.port() == address.port() && is_in_the_way {
                inodes.extend(fields.get(9).map(|inode| (*inode).to_owned()));
            }
        }
    }
    inodes
}

/// `0100007F:1F90`: groups of four bytes, each in the machine's order.
fn parse_local(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let group = |at: usize| Some(u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(group(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (index, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&group(index * 8)?);
            }
            let ip = Ipv6Addr::from(bytes);
            ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4)
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// The inodes of unix sockets that listen under one of two names: a name is told as it was bound.
fn unix(absolute: &str, written: &str) -> Vec<String> {
    const ACCEPTS: u32 = 1 << 16;
    let table = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let inode = |line: &str| {
        let mut fields = line.split_whitespace();
        let flags = u32::from_str_radix(fields.nth(3)?, 16).ok()?;
        let inode = fields.nth(2)?;
        let name = fields.next()?;
        (flags & ACCEPTS != 0 && (name == absolute || name == written)).then(|| inode.to_owned())
    };
    table.lines().skip(1).filter_map(inode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_is_found_by_address() {
        let own = std::process::id();
        let here = |address: Address| holder(&address).map(|holder| holder.pid);
        for any in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"] {
            let Ok(listener) = std::net::TcpListener::bind(any) else { continue };
            let address = listener.local_addr().unwrap();
            assert_eq!(here(Address::Tcp(address)), Some(own), "{address}");
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert_eq!(here(Address::Unix(path.clone())), Some(own));
        drop(listener);
        assert_eq!(here(Address::Unix(path)), None);
    }

    #[test]
    fn addresses_are_read_in_the_machines_order() {
        let local = "0100007F:1F90";
        if cfg!(target_endian = "little") {
            assert_eq!(parse_local(local), Some("127.0.0.1:8080".parse().unwrap()));
            let mapped = "0000000000000000FFFF00000100007F:0050";
            assert_eq!(parse_local(mapped), Some("127.0.0.1:80".parse().unwrap()));
        }
        assert_eq!(parse_local("x"), None);
    }
}
