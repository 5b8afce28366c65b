//! The load generator's loop: starts requests, waits for sockets and timers, records what became of each request.
//!
//! The one place of the client that reads the clock and waits. Runs in the measuring process, in the thread that
//! called [`Load::run`](super::Load::run).

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

use super::arrivals::Arrivals;
use super::connection::{Address, ConnectError, Connection, Step};
use super::reply::Outcome;
use super::report::{Recorder, Report};
use super::{Load, Until};

/// The state of a run.
pub(super) struct Driver<'a> {
    load: &'a Load,
    address: Address,
    epoll: OwnedFd,
    began: Instant,
    arrivals: Arrivals,
    recorder: Recorder,
    slots: Vec<Slot>,
    /// Slots that hold no request.
    free: Vec<usize>,
    /// Slots in [`Slot::Refused`].
    refused: usize,
    buffer: Vec<u8>,
    look_at: Duration,
}

/// One client. Times count from the start of the run.
enum Slot {
    /// No request; perhaps a connection that may be used again.
    Free(Option<OwnedFd>),
    /// Not connected yet.
    Refused { since: Duration, again_at: Duration },
    /// Request under way.
    Open { since: Duration, waits_for: EventFlags, connection: Connection },
}

/// Whether the socket is known to the epoll set.
#[derive(Clone, Copy)]
enum Registered {
    No,
    For(EventFlags),
}

/// A reply of more than that takes several reads.
const BUFFER_BYTES: usize = 64 * 1024;
/// Most events taken at once.
const EVENTS_MAX: usize = 256;
/// How often deadlines and the stop flag are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl<'a> Driver<'a> {
    pub(super) fn new(load: &'a Load) -> io::Result<Self> {
        let until = match load.until {
            Until::Elapsed(time) => Some(time),
            Until::Requests(_) => None,
        };
        Ok(Self {
            load,
            address: Address::new(&load.target)?,
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            began: Instant::now(),
            arrivals: Arrivals::new(load.until, load.pace),
            recorder: Recorder::new(until, load.bucket)?,
            slots: (0..load.clients).map(|_| Slot::Free(None)).collect(),
            free: (0..load.clients).rev().collect(),
            refused: 0,
            buffer: vec![0; BUFFER_BYTES],
            look_at: LOOK_EVERY,
        })
    }

    pub(super) fn run(mut self, stop: &AtomicBool) -> io::Result<Report> {
        let mut events = Vec::with_capacity(EVENTS_MAX);
        self.began = Instant::now();
        loop {
            self.start_due()?;
            if self.finished() {
                break;
            }
            self.wait(&mut events)?;
            for event in events.drain(..) {
                self.on_ready(event.data.u64() as usize)?;
            }
            self.retry_refused()?;
            let now = self.began.elapsed();
            if now >= self.look_at {
                self.look_at = now + LOOK_EVERY;
                self.give_up_late(now);
                if stop.load(Ordering::Relaxed) {
                    self.abandon_all();
                    break;
                }
            }
        }
        let elapsed = self.began.elapsed();
        Ok(self.recorder.into_report(elapsed))
    }

    fn finished(&self) -> bool {
        self.free.len() == self.slots.len() && self.arrivals.exhausted(self.began.elapsed())
    }

    /// Begins every request that is due and has a free client.
    fn start_due(&mut self) -> io::Result<()> {
        while let Some(&index) = self.free.last() {
            let Some(since) = self.arrivals.take(self.began.elapsed()) else { break };
            self.free.pop();
            self.begin(index, since)?;
        }
        Ok(())
    }

    /// Sends the request of a slot on a kept or a new connection.
    fn begin(&mut self, index: usize, since: Duration) -> io::Result<()> {
        let no_body = self.load.expects_no_body;
        let (mut connection, registered) = match std::mem::replace(&mut self.slots[index], Slot::Free(None)) {
            Slot::Free(Some(socket)) => (Connection::reuse(socket, no_body), Registered::For(EventFlags::IN)),
            _ => match Connection::open(&self.address, no_body) {
                Ok(connection) => (connection, Registered::No),
                Err(ConnectError::Refused) => {
                    self.refuse(index, since);
                    return Ok(());
                }
                Err(ConnectError::Local(errno)) => return Err(errno.into()),
            },
        };
        let step = connection.send(&self.load.request);
        self.settle(index, since, registered, connection, step)
    }

    fn on_ready(&mut self, index: usize) -> io::Result<()> {
        match std::mem::replace(&mut self.slots[index], Slot::Free(None)) {
            Slot::Open { since, waits_for, mut connection } => {
                let step = connection.proceed(&self.load.request, &mut self.buffer);
                self.settle(index, since, Registered::For(waits_for), connection, step)
            }
            // A kept connection that the server closed: dropped.
            Slot::Free(_) => Ok(()),
            refused @ Slot::Refused { .. } => {
                self.slots[index] = refused;
                Ok(())
            }
        }
    }

    /// Puts a slot into the state that `step` asks for.
    fn settle(
        &mut self,
        index: usize,
        since: Duration,
        registered: Registered,
        connection: Connection,
        step: Step,
    ) -> io::Result<()> {
        match step {
            Step::Wait(wanted) => {
                let data = EventData::new_u64(index as u64);
                match registered {
                    Registered::No => epoll::add(&self.epoll, &connection.socket, data, wanted)?,
                    Registered::For(known) if known != wanted => {
                        epoll::modify(&self.epoll, &connection.socket, data, wanted)?;
                    }
                    Registered::For(_) => {}
                }
                self.slots[index] = Slot::Open { since, waits_for: wanted, connection };
            }
            Step::Refused => self.refuse(index, since),
            Step::Ended(outcome) => {
                let may_keep = self.load.keep_alive && matches!(registered, Registered::For(EventFlags::IN));
                self.end(index, since, connection, outcome, may_keep);
            }
        }
        Ok(())
    }

    fn refuse(&mut self, index: usize, since: Duration) {
        let now = self.began.elapsed();
        self.recorder.refused(now);
        self.refused += 1;
        self.slots[index] = Slot::Refused { since, again_at: now + self.load.retry_after };
    }

    /// `may_keep`: the connection is in the epoll set as a waiting one should be.
    fn end(&mut self, index: usize, since: Duration, connection: Connection, outcome: Outcome, may_keep: bool) {
        let now = self.began.elapsed();
        self.recorder.ended(outcome, now.saturating_sub(since), now, connection.received());
        let whole = matches!(outcome, Outcome::Ok | Outcome::BadStatus(_));
        let kept = if whole && may_keep { connection.into_reusable(&self.load.request) } else { None };
        self.slots[index] = Slot::Free(kept);
        self.free.push(index);
    }

    fn retry_refused(&mut self) -> io::Result<()> {
        if self.refused == 0 {
            return Ok(());
        }
        let now = self.began.elapsed();
        for index in 0..self.slots.len() {
            if let Slot::Refused { since, again_at } = self.slots[index]
                && again_at <= now
            {
                self.refused -= 1;
                self.begin(index, since)?;
            }
        }
        Ok(())
    }

    /// Ends what has no answer in time, and after the end of the run what is not even connected.
    fn give_up_late(&mut self, now: Duration) {
        let over = self.arrivals.exhausted(now) && matches!(self.load.until, Until::Elapsed(_));
        for index in 0..self.slots.len() {
            let (since, connected) = match self.slots[index] {
                Slot::Free(_) => continue,
                Slot::Refused { since, .. } => (since, false),
                Slot::Open { since, .. } => (since, true),
            };
            if now < since + self.load.patience && (connected || !over) {
                continue;
            }
            self.refused -= usize::from(!connected);
            if connected || !over {
                self.recorder.ended(Outcome::TimedOut, now - since, now, 0);
            } else {
                self.recorder.abandoned();
            }
            self.slots[index] = Slot::Free(None);
            self.free.push(index);
        }
    }

    fn abandon_all(&mut self) {
        for slot in &mut self.slots {
            if !matches!(slot, Slot::Free(_)) {
                self.recorder.abandoned();
                *slot = Slot::Free(None);
            }
        }
    }

    fn wait(&self, events: &mut Vec<epoll::Event>) -> io::Result<()> {
        let now = self.began.elapsed();
        let mut until = self.look_at;
        if self.refused > 0 {
            let retries = self.slots.iter().filter_map(|slot| match slot {
                Slot::Refused { again_at, .. } => Some(*again_at),
                _ => None,
            });
            until = retries.fold(until, Duration::min);
        }
        if let Some(due) = self.arrivals.next_due().filter(|_| !self.free.is_empty()) {
            until = until.min(due);
        }
        let pause = until.saturating_sub(now);
        let timeout = Timespec { tv_sec: pause.as_secs() as i64, tv_nsec: pause.subsec_nanos().into() };
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}
