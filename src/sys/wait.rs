//! Waiting in a worker: an epoll set in which listening sockets wake one waiter each, and a doorbell between threads.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// An epoll set of one waiting thread.
#[derive(Debug)]
pub struct WaitSet(Epoll);

impl WaitSet {
    /// An empty set.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?))
    }

    /// Adds a listening socket. A connection wakes *one* of all waiters (EPOLLEXCLUSIVE), and the kernel tries them in
    /// the order in which they were added, so that the later ones stay visibly idle.
    pub fn add_listener(&self, listener: &impl AsFd, token: u64) -> io::Result<()> {
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLEXCLUSIVE;
        Ok(self.0.add(listener, EpollEvent::new(flags, token))?)
    }

    /// Adds a listening socket of which it hears without being counted on: each connection wakes it once, beside the waiter
    /// who is to take it.
    pub fn add_to_overhear(&self, listener: &impl AsFd, token: u64) -> io::Result<()> {
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        Ok(self.0.add(listener, EpollEvent::new(flags, token))?)
    }

    /// Takes a listening socket out of the set.
    pub fn remove(&self, descriptor: &impl AsFd) -> io::Result<()> {
        Ok(self.0.delete(descriptor)?)
    }

    /// Adds a descriptor that wakes every waiter as long as it is readable.
    pub fn add(&self, descriptor: &impl AsFd, token: u64) -> io::Result<()> {
        Ok(self.0.add(descriptor, EpollEvent::new(EpollFlags::EPOLLIN, token))?)
    }

    /// Adds a descriptor that wakes the waiter as long as it takes bytes.
    pub fn add_writable(&self, descriptor: &impl AsFd, token: u64) -> io::Result<()> {
        Ok(self.0.add(descriptor, EpollEvent::new(EpollFlags::EPOLLOUT, token))?)
    }

    /// Waits for one descriptor that is ready and returns its token. `None`: the time is over, or a signal came.
    pub fn wait(&self, timeout_ms: Option<u64>) -> io::Result<Option<u64>> {
        let mut events = [EpollEvent::empty()];
        let bounded = |ms: u64| EpollTimeout::try_from(ms.min(i32::MAX as u64)).unwrap_or(EpollTimeout::MAX);
        let timeout = timeout_ms.map_or(EpollTimeout::NONE, bounded);
        match self.0.wait(&mut events, timeout) {
            Ok(0) | Err(Errno::EINTR) => Ok(None),
            Ok(_) => Ok(Some(events[0].data())),
            Err(error) => Err(error.into()),
        }
    }
}

/// What a socket is awaited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Bytes to read, or the end.
    Readable,
    /// Room to write.
    Writable,
}

/// Waits until `descriptor` is ready. False: the time is over.
pub fn wait_ready(descriptor: &impl AsFd, interest: Interest, timeout_us: u64) -> io::Result<bool> {
    let flags = match interest {
        Interest::Readable => PollFlags::POLLIN,
        Interest::Writable => PollFlags::POLLOUT,
    };
    // Rounded up, so that the deadline is over when the wait is.
    let timeout_ms = timeout_us.div_ceil(1_000).min(i32::MAX as u64) as i32;
    let timeout = PollTimeout::try_from(timeout_ms).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(descriptor.as_fd(), flags)], timeout) {
        Ok(ready) => Ok(ready > 0),
        // The caller looks at its deadline and comes back.
        Err(Errno::EINTR) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Waits for the first readable one of many descriptors, without a limit; returns which ones are readable.
pub fn wait_any(descriptors: &[std::os::fd::BorrowedFd<'_>]) -> io::Result<Vec<usize>> {
    let mut waiting: Vec<_> = descriptors.iter().map(|one| PollFd::new(*one, PollFlags::POLLIN)).collect();
    match poll(&mut waiting, PollTimeout::NONE) {
        Ok(_) => Ok(waiting
            .iter()
            .enumerate()
            .filter(|(_, one)| one.any().unwrap_or(true))
            .map(|(index, _)| index)
            .collect()),
        Err(Errno::EINTR) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// A counter behind a descriptor: rung by one process or thread, heard by others.
#[derive(Debug)]
pub struct Doorbell(EventFd);

impl Doorbell {
    /// A silent doorbell, non-blocking and closed on exec.
    pub fn new() -> io::Result<Self> {
        Ok(Self(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?))
    }

    /// Takes over one that was passed by another process.
    pub fn from_owned(descriptor: OwnedFd) -> Self {
        // SAFETY: the descriptor was made by `Doorbell::new` in the master and is only used as an eventfd; a wrong one
        // would make reads and writes fail, nothing worse.
        Self(unsafe { EventFd::from_owned_fd(descriptor) })
    }

    /// Makes it readable.
    pub fn ring(&self) {
        // Fails only when the counter is full, and then it is readable already.
        let _ = self.0.write(1);
    }

    /// Makes it unreadable again. Never waits, not even when whoever shares it has made it blocking and is quicker. Where
    /// the kernel cannot read like that (before 5.8) it stays readable, which an edge-triggered wait does not mind.
    pub fn silence(&self) {
        let mut count = 0_u64;
        let part = libc::iovec { iov_base: (&raw mut count).cast(), iov_len: size_of_val(&count) };
        // SAFETY: `part` leads to `count` with its length, and both outlive the call.
        unsafe { libc::preadv2(self.0.as_fd().as_raw_fd(), &raw const part, 1, -1, libc::RWF_NOWAIT) };
    }
}

impl AsFd for Doorbell {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}
