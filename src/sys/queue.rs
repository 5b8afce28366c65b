//! How many connections wait on a listening socket, as the kernel counts them. Master only.
//!
//! TCP: `getsockopt(TCP_INFO)`; unix: one exact NETLINK_SOCK_DIAG query by inode (uWSGI's manual, "The uWSGI Stats
//! Server", to the byte). Neither needs a capability.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, getsockopt, recv, send, socket, sockopt,
};

use super::wait::{Interest, wait_ready};

/// The listen queue of one socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenQueue {
    /// Connections that wait to be accepted.
    pub waiting: u32,
    /// Its bound; the kernel admits one more than this.
    pub limit: u32,
}

/// Asks the kernel about listen queues.
#[derive(Debug)]
pub struct QueueProbe {
    netlink: Option<OwnedFd>,
}

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const UDIAG_SHOW_RQLEN: u32 = 0x10;
const UNIX_DIAG_RQLEN: u16 = 4;
const HEADER_BYTES: usize = 16;
const UNIX_MESSAGE_BYTES: usize = 16;

impl QueueProbe {
    /// Opens the way to the kernel. Where that is forbidden (seccomp), unix queues are unknown.
    pub fn new() -> Self {
        let netlink =
            socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkSockDiag);
        Self { netlink: netlink.ok() }
    }

    /// The queue of a listening socket. Where the kernel does not tell, one connection if any waits; `None` if none
    /// does.
    pub fn queue_of(&self, listener: &impl AsFd) -> Option<ListenQueue> {
        match getsockopt(listener, sockopt::SockType).ok()? {
            SockType::Stream => tcp_queue(listener)
                .or_else(|| self.unix_queue(listener).ok().flatten())
                .or_else(|| is_readable(listener).then_some(ListenQueue { waiting: 1, limit: 0 })),
            _ => None,
        }
    }

    fn unix_queue(&self, listener: &impl AsFd) -> io::Result<Option<ListenQueue>> {
        let Some(netlink) = &self.netlink else { return Ok(None) };
        let inode = nix::sys::stat::fstat(listener)?.st_ino as u32;
        send(netlink.as_raw_fd(), &request(inode), MsgFlags::empty())?;
        let mut answer = [0; 512];
        // The kernel has answered by the time the request is sent.
        let length = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::MSG_DONTWAIT)?;
        Ok(parse(&answer[..length], inode))
    }
}

impl Default for QueueProbe {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a connection waits: without one a sleeping instance would never know of the first.
fn is_readable(listener: &impl AsFd) -> bool {
    wait_ready(listener, Interest::Readable, 0).unwrap_or(false)
}

fn request(inode: u32) -> [u8; 40] {
    let mut bytes = [0; 40];
    bytes[0..4].copy_from_slice(&40_u32.to_ne_bytes());
    bytes[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&NLM_F_REQUEST.to_ne_bytes());
    bytes[8..12].copy_from_slice(&1_u32.to_ne_bytes());
    bytes[16] = libc::AF_UNIX as u8;
    bytes[20..24].copy_from_slice(&u32::MAX.to_ne_bytes());
    bytes[24..28].copy_from_slice(&inode.to_ne_bytes());
    bytes[28..32].copy_from_slice(&UDIAG_SHOW_RQLEN.to_ne_bytes());
    bytes[32..40].fill(0xff);
    bytes
}

/// Reads the answer; anything but an answer about our inode is none.
fn parse(answer: &[u8], inode: u32) -> Option<ListenQueue> {
    let length = u32_at(answer, 0)? as usize;
    let message = answer.get(..length)?;
    if u16_at(message, 4)? != SOCK_DIAG_BY_FAMILY || u32_at(message, HEADER_BYTES + 4)? != inode {
        return None;
    }
    let mut attributes = message.get(HEADER_BYTES + UNIX_MESSAGE_BYTES..)?;
    while attributes.len() >= 4 {
        let (bytes, kind) = (usize::from(u16_at(attributes, 0)?), u16_at(attributes, 2)?);
        if kind == UNIX_DIAG_RQLEN {
            return Some(ListenQueue { waiting: u32_at(attributes, 4)?, limit: u32_at(attributes, 8)? });
        }
        attributes = attributes.get(bytes.max(4).next_multiple_of(4)..)?;
    }
    None
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(offset..offset + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(offset..offset + 4)?.try_into().ok()?))
}

/// For a listening TCP socket, `tcpi_unacked` is the queue and `tcpi_sacked` its bound.
fn tcp_queue(listener: &impl AsFd) -> Option<ListenQueue> {
    const TCP_LISTEN: u8 = 10;
    // SAFETY: all bytes zero is a valid value of this plain structure of numbers.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut length = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes into `info`, which lives until the call returns.
    let told = unsafe {
        libc::getsockopt(
            listener.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut length,
        )
    };
    (told == 0 && info.tcpi_state == TCP_LISTEN)
        .then_some(ListenQueue { waiting: info.tcpi_unacked, limit: info.tcpi_sacked })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn the_queue_of_a_unix_socket_is_what_nobody_has_accepted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let probe = QueueProbe::new();
        assert_eq!(probe.queue_of(&listener).map(|queue| queue.waiting), Some(0));
        let _clients: Vec<_> = (0..3).map(|_| UnixStream::connect(&path).unwrap()).collect();
        assert_eq!(probe.queue_of(&listener).map(|queue| queue.waiting), Some(3));
        drop(listener.accept().unwrap());
        assert_eq!(probe.queue_of(&listener).map(|queue| queue.waiting), Some(2));
    }

    #[test]
    fn without_netlink_a_unix_socket_still_tells_whether_somebody_waits() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let probe = QueueProbe { netlink: None };
        assert_eq!(probe.queue_of(&listener), None);
        let _clients: Vec<_> = (0..3).map(|_| UnixStream::connect(&path).unwrap()).collect();
        assert_eq!(probe.queue_of(&listener).map(|queue| queue.waiting), Some(1));
    }

    #[test]
    fn the_queue_of_a_tcp_socket_is_what_nobody_has_accepted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let _clients: Vec<_> = (0..2).map(|_| TcpStream::connect(address).unwrap()).collect();
        assert_eq!(QueueProbe::new().queue_of(&listener).map(|queue| queue.waiting), Some(2));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn the_worked_bytes_of_the_reference_are_understood() {
        let words: [u32; 8] = [0x4c, 20, 1, 0x51a4, 0x000a_0101, 9_009_984, 1, 0];
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.extend(b"\x17\0\0\0/tmp/0123456789/ab\0\0");
        bytes.extend(b"\x0c\0\x04\0\x05\0\0\0\x07\0\0\0\x05\0\x06\0\0\0\0\0");
        assert_eq!(parse(&bytes, 9_009_984), Some(ListenQueue { waiting: 5, limit: 7 }));
        for cut in 0..bytes.len() {
            assert_eq!(parse(&bytes[..cut], 9_009_984), None, "cut at {cut}");
        }
    }
}
