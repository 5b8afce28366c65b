//! Waiting in a worker: an epoll set in which listening sockets wake one waiter each, and a doorbell between threads.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

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
        let ready = self.collect(&mut events, timeout_ms)?;
        Ok((ready > 0).then(|| events[0].data()))
    }

    /// The same for who looks after many: what is ready at the same time is kept in `news`, from where it comes without
    /// another wait. By then it may be so no longer, and the descriptor may even have gone.
    pub fn wait_for_news(&self, news: &mut News, timeout_ms: Option<u64>) -> io::Result<Option<u64>> {
        if news.is_empty() {
            news.next = 0;
            news.end = self.collect(&mut news.events, timeout_ms)?;
        }
        Ok(news.take())
    }

    fn collect(&self, events: &mut [EpollEvent], timeout_ms: Option<u64>) -> io::Result<usize> {
        let bounded = |ms: u64| EpollTimeout::try_from(ms.min(i32::MAX as u64)).unwrap_or(EpollTimeout::MAX);
        let timeout = timeout_ms.map_or(EpollTimeout::NONE, bounded);
        match self.0.wait(events, timeout) {
            Err(Errno::EINTR) => Ok(0),
            result => Ok(result?),
        }
    }
}

/// Most that is told of at once: enough for the wait to cost little, few enough to stay new.
const NEWS_MAX: usize = 16;

/// What one wait has told and nobody has looked at yet.
#[derive(Debug)]
pub struct News {
    events: [EpollEvent; NEWS_MAX],
    next: usize,
    end: usize,
}

impl News {
    /// Nothing.
    pub fn none() -> Self {
        Self { events: [EpollEvent::empty(); NEWS_MAX], next: 0, end: 0 }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.next == self.end
    }

    fn take(&mut self) -> Option<u64> {
        let event = self.events.get(self.next).filter(|_| !self.is_empty())?;
        self.next += 1;
        Some(event.data())
    }
}

/// What wakes a waiter at a moment. Setting it anew for each sleep, as a limit of the wait does, costs more than many a
/// request; this one is left as it is while the moment only moves away, so that it may ring too early, once.
#[derive(Debug, Default)]
pub struct Alarm {
    timer: Option<TimerFd>,
    rings_us: Option<u64>,
}

impl Alarm {
    /// Has it ring then at the latest, on the clock of [`crate::sys::clock::monotonic_us`]. `token`: what the wait set says
    /// then.
    pub fn ring_by(&mut self, due_us: u64, waiting: &WaitSet, token: u64) -> io::Result<()> {
        if self.rings_us.is_some_and(|rings_us| rings_us <= due_us) {
            return Ok(());
        }
        let timer = match &self.timer {
            Some(timer) => timer,
            None => {
                let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
                let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
                // It is told once and need not be read.
                let event = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, token);
                waiting.0.add(&timer, event)?;
                self.timer.insert(timer)
            }
        };
        // A moment of zero would switch it off.
        let due_us = due_us.max(1);
        let moment = TimeSpec::new((due_us / 1_000_000) as i64, (due_us % 1_000_000 * 1_000) as i64);
        timer.set(Expiration::OneShot(moment), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
        self.rings_us = Some(due_us);
        Ok(())
    }

    /// It has rung.
    pub fn rang(&mut self) {
        self.rings_us = None;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::monotonic_us;

    const SOON_US: u64 = 3_000;
    const LATE_US: u64 = 3_600_000_000;

    #[test]
    fn one_wait_tells_all_that_are_ready() -> io::Result<()> {
        let (waiting, mut news) = (WaitSet::new()?, News::none());
        let bells = [Doorbell::new()?, Doorbell::new()?, Doorbell::new()?];
        for (token, bell) in (1..).zip(&bells) {
            waiting.add(bell, token)?;
        }
        assert_eq!(waiting.wait_for_news(&mut news, Some(0))?, None);
        bells[0].ring();
        bells[2].ring();
        assert_eq!(waiting.wait_for_news(&mut news, None)?, Some(1));
        assert!(!news.is_empty());
        bells[2].silence();
        assert_eq!(waiting.wait_for_news(&mut news, None)?, Some(3), "it may be so no longer");
        assert!(news.is_empty());
        assert_eq!(waiting.wait_for_news(&mut news, None)?, Some(1), "what was not attended to is told again");
        Ok(())
    }

    #[test]
    fn more_than_are_told_at_once_all_have_their_turn() -> io::Result<()> {
        let (waiting, mut news) = (WaitSet::new()?, News::none());
        let bells = (0..2 * NEWS_MAX + 1).map(|_| Doorbell::new()).collect::<io::Result<Vec<_>>>()?;
        for (token, bell) in bells.iter().enumerate() {
            waiting.add(bell, token as u64)?;
            bell.ring();
        }
        let told: io::Result<std::collections::BTreeSet<_>> =
            bells.iter().map(|_| waiting.wait_for_news(&mut news, Some(0))).collect();
        assert_eq!(told?.len(), bells.len());
        Ok(())
    }

    #[test]
    fn an_alarm_rings_by_the_earliest_moment_that_it_was_given() -> io::Result<()> {
        let (waiting, mut alarm) = (WaitSet::new()?, Alarm::default());
        alarm.ring_by(u64::MAX, &waiting, 7)?;
        assert_eq!(waiting.wait(Some(0))?, None);
        for _ in 0..2 {
            let due_us = monotonic_us() + SOON_US;
            alarm.ring_by(due_us, &waiting, 7)?;
            alarm.ring_by(due_us + LATE_US, &waiting, 7)?;
            assert_eq!(waiting.wait(None)?, Some(7));
            assert!(monotonic_us() >= due_us);
            assert_eq!(waiting.wait(Some(0))?, None, "it rings once");
            alarm.rang();
        }
        alarm.ring_by(0, &waiting, 7)?;
        assert_eq!(waiting.wait(None)?, Some(7), "a moment that is over");
        Ok(())
    }
}
