//! Mailboxes: queues of messages between processes, which keep their boundaries and their order, and outlive those who write
//! and read as long as anyone holds them. A mailbox is a pair of connected SOCK_SEQPACKET sockets, of which one is only
//! written to and the other only read from. Master, zygote, and every process below it.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::sockopt::{RcvBuf, SndBuf};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, getsockopt, recv, send, setsockopt, socketpair};

/// One queue. Whoever takes from it takes for all.
#[derive(Debug)]
pub struct Mailbox {
    inlet: OwnedFd,
    outlet: OwnedFd,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posted {
    /// It is in the queue.
    Queued,
    /// The queue has no room for it now.
    Full,
    /// It has room for it never.
    TooLong,
}

impl Mailbox {
    /// An empty one, with room for so many bytes; `None`: for as many as the kernel gives.
    pub fn new(bytes: Option<usize>) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let (inlet, outlet) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
        if let Some(bytes) = bytes {
            setsockopt(&inlet, SndBuf, &bytes)?;
            setsockopt(&outlet, RcvBuf, &bytes)?;
        }
        Ok(Self { inlet, outlet })
    }

    /// Takes over the two ends of one that was passed.
    pub fn from_owned(inlet: OwnedFd, outlet: OwnedFd) -> Self {
        Self { inlet, outlet }
    }

    /// The same one once more, for another process.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { inlet: self.inlet.try_clone()?, outlet: self.outlet.try_clone()? })
    }

    /// The end that is written to, and the one that is read from.
    pub fn ends(&self) -> [BorrowedFd<'_>; 2] {
        [self.inlet.as_fd(), self.outlet.as_fd()]
    }

    /// Readable while something is in it.
    pub fn outlet(&self) -> BorrowedFd<'_> {
        self.outlet.as_fd()
    }

    /// Bytes that the queue has room for, as the kernel counts them.
    pub fn bytes(&self) -> usize {
        getsockopt(&self.inlet, SndBuf).unwrap_or(0)
    }

    /// Bytes of the messages that are in it (unix(7), SIOCINQ).
    pub fn waiting_bytes(&self) -> u64 {
        let mut bytes: libc::c_int = 0;
        // SAFETY: the call writes one `int`, which lives until it returns.
        let asked = unsafe { libc::ioctl(self.outlet.as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
        if asked < 0 { 0 } else { u64::try_from(bytes).unwrap_or(0) }
    }

    /// Puts a message into it, without waiting.
    pub fn post(&self, message: &[u8]) -> io::Result<Posted> {
        loop {
            match send(self.inlet.as_raw_fd(), message, MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT) {
                Ok(_) => return Ok(Posted::Queued),
                Err(Errno::EAGAIN | Errno::ENOBUFS) => return Ok(Posted::Full),
                Err(Errno::EMSGSIZE) => return Ok(Posted::TooLong),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes the oldest message, whole however long it is, without waiting; `None`: there is none.
    pub fn take(&self) -> io::Result<Option<Vec<u8>>> {
        // Room for the longest that there can be: of several who look at once, each finds another one. Kept, since zeroing so much
        // takes longer than everything else.
        thread_local!(static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });
        ROOM.with_borrow_mut(|room| {
            let most = self.bytes();
            if room.len() < most {
                *room = vec![0; most];
            }
            Ok(self.receive(room)?.map(|length| room[..length].to_vec()))
        })
    }

    /// Takes the oldest message, as far as there is room, without waiting: its length; `None`: there is none.
    pub fn receive(&self, into: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match recv(self.outlet.as_raw_fd(), into, MsgFlags::MSG_DONTWAIT) {
                Ok(length) => return Ok(Some(length)),
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_whole_and_in_the_order_in_which_they_were_put_in() {
        let mailbox = Mailbox::new(None).expect("a mailbox");
        assert_eq!(mailbox.take().expect("nothing"), None);
        let long = vec![7; 200_000];
        for message in [&b"one"[..], b"", &long] {
            assert_eq!(mailbox.post(message).expect("posted"), Posted::Queued);
        }
        assert_eq!(mailbox.waiting_bytes(), 200_003);
        assert_eq!(mailbox.take().expect("one").as_deref(), Some(&b"one"[..]));
        assert_eq!(mailbox.take().expect("empty").as_deref(), Some(&b""[..]));
        assert_eq!(mailbox.take().expect("long"), Some(long));
        assert_eq!(mailbox.take().expect("nothing"), None);
        assert_eq!(mailbox.waiting_bytes(), 0);
    }

    #[test]
    fn a_full_one_and_a_message_that_never_fits_are_told_apart_and_nothing_waits() {
        let mailbox = Mailbox::new(Some(8_192)).expect("a mailbox");
        let longest = mailbox.bytes();
        assert!(longest >= 8_192);
        assert_eq!(mailbox.post(&vec![0; longest * 2]).expect("refused"), Posted::TooLong);
        let queued = (0..10_000).take_while(|_| mailbox.post(b"x").expect("posted") == Posted::Queued).count();
        assert!((1..10_000).contains(&queued), "{queued}");
        assert_eq!(std::iter::from_fn(|| mailbox.take().expect("taken")).count(), queued);
    }
}
