//! One accept loop: waits for a connection or an order, has the connection answered, counts it in the seat. Worker only;
//! one for each thread.

use std::io;
use std::time::Duration;

use worker_protocol::scoreboard::{self, SeatOrder};
use worker_protocol::wire::Protocol;

use super::connection::{self, Buffers, Connection};
use super::eagerness::{Eagerness, MOMENT_US};
use super::exchange::Service;
use super::process::Worker;
use super::request_log::{self, Template};
use super::rush::Rush;
use crate::member::born::Listening;
use crate::sys::clock::{epoch_us, monotonic_us};
use crate::sys::memory;
use crate::sys::stream::{Stream, accept};
use crate::sys::wait::{WaitSet, wait_any};

/// How a thread hears of orders while it waits for connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hears {
    /// From the control socket itself: it is the only thread.
    Master,
    /// From the bell that the main thread rings.
    Bell,
}

/// One accept loop: the main thread of a worker without threads, or one of its threads.
pub(super) struct Core<'w> {
    worker: &'w Worker<'w>,
    number: usize,
    hears: Hears,
    waiting: WaitSet,
    seat: scoreboard::Core<'w>,
    eagerness: Eagerness,
    rush: Rush,
    now_us: u64,
    buffers: Buffers,
    template: Option<Template>,
    line: String,
    pid: u32,
}

/// A new connection, and what is spoken on it.
struct Accepted {
    stream: Stream,
    protocol: Protocol,
}

/// Turns of a spin loop between two looks: a fraction of a microsecond.
const LOOK_EVERY: u32 = 16;

/// Tokens of the wait sets: listening sockets are numbered from 0.
const ORDERS: u64 = u64::MAX;

impl<'w> Core<'w> {
    pub(super) fn new(worker: &'w Worker<'w>, number: usize, hears: Hears) -> io::Result<Self> {
        let member = worker.member();
        let waiting = WaitSet::new()?;
        match hears {
            Hears::Master => waiting.add(&member.control(), ORDERS)?,
            Hears::Bell => waiting.add(member.bell(), ORDERS)?,
        }
        for (index, listening) in member.listeners().iter().enumerate() {
            waiting.add_listener(&listening.socket, index as u64)?;
        }
        Ok(Self {
            worker,
            number,
            hears,
            waiting,
            seat: member.seat().core(number).ok_or_else(|| io::Error::other("the seat has no such core"))?,
            eagerness: Eagerness::default(),
            rush: Rush::default(),
            now_us: monotonic_us(),
            buffers: Buffers::new(worker.limits()),
            template: Template::of(&member.config().logging),
            line: String::new(),
            pid: std::process::id(),
        })
    }

    pub(super) fn run<S: Service + ?Sized>(&mut self, service: &S) -> io::Result<()> {
        loop {
            match self.worker.member().order() {
                SeatOrder::Retire => return Ok(()),
                SeatOrder::Pause => self.pause()?,
                SeatOrder::Run => {
                    if let Some(accepted) = self.next_connection()? {
                        self.answer(service, accepted);
                    }
                }
            }
        }
    }

    /// The next connection, or `None` when there may be an order instead.
    fn next_connection(&mut self) -> io::Result<Option<Accepted>> {
        if self.worker.member().listeners().len() == 1 && self.rush.expects_another(self.now_us) {
            let there_already = self.accept_from(0)?;
            if there_already.is_some() {
                // It waited for the end of the last request, not we for it.
                return Ok(there_already);
            }
            self.rush.missed();
        }
        let woken = match self.look_for_a_moment()? {
            Some(token) => Some(token),
            None => self.waiting.wait(self.time_to_live_ms())?,
        };
        let began_us = std::mem::replace(&mut self.now_us, monotonic_us());
        self.rush.waited(began_us, self.now_us);
        match woken {
            Some(ORDERS) => {
                if self.hears == Hears::Master {
                    self.worker.member().hear()?;
                }
                Ok(None)
            }
            Some(index) => self.accept_from(index as usize),
            None => {
                self.worker.retire_if_worn_out(self.now_us);
                Ok(None)
            }
        }
    }

    /// Looks for an event again and again for a moment, if that promises to spare a sleep.
    fn look_for_a_moment(&mut self) -> io::Result<Option<u64>> {
        if !self.eagerness.looks() {
            self.eagerness.waited();
            return Ok(None);
        }
        let there_already = self.waiting.wait(Some(0))?;
        if there_already.is_some() {
            return Ok(there_already);
        }
        let end_us = monotonic_us() + MOMENT_US;
        while monotonic_us() < end_us {
            (0..LOOK_EVERY).for_each(|_| std::hint::spin_loop());
            let came = self.waiting.wait(Some(0))?;
            if came.is_some() {
                self.eagerness.found();
                return Ok(came);
            }
        }
        self.eagerness.missed();
        Ok(None)
    }

    fn accept_from(&self, index: usize) -> io::Result<Option<Accepted>> {
        let Some(Listening { socket, protocol }) = self.worker.member().listeners().get(index) else { return Ok(None) };
        let stream = accept(socket).or_else(|error| self.survive_accept(error))?;
        Ok(stream.map(|stream| Accepted { stream, protocol: *protocol }))
    }

    /// Running out of descriptors or memory is no reason to die: the connection stays in the queue.
    fn survive_accept(&self, error: io::Error) -> io::Result<Option<Stream>> {
        if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)) {
            log::error!("{}: cannot accept a connection: {error}", self.worker.member().name());
            // Nothing tells when descriptors come free, so that a short rest is all there is.
            std::thread::sleep(Duration::from_millis(100));
            return Ok(None);
        }
        Err(error)
    }

    fn time_to_live_ms(&self) -> Option<u64> {
        Some(self.worker.member().time_to_live_us(self.now_us)?.div_ceil(1_000))
    }

    fn answer<S: Service + ?Sized>(&mut self, service: &S, accepted: Accepted) {
        let worker = self.worker;
        // The moment at which the wait for it ended.
        let started_us = self.now_us;
        if self.seat.begin_request(started_us) {
            worker.member().ring_master();
        }
        let Self { number, seat, rush, now_us, buffers, template, line, pid, .. } = self;
        let Accepted { stream, protocol } = accepted;
        let connection = Connection { worker, core: *number, stream, protocol, started_us };
        let answered = connection::handle(connection, buffers, service, |request| {
            *now_us = monotonic_us();
            if let Some(waited_us) = request.outcome.waited_us {
                seat.set_last_wait_us(waited_us);
            }
            seat.end_request(*now_us, request.served());
            worker.count_request();
            let took_us = *now_us - started_us;
            rush.served(took_us);
            let logging = &worker.member().config().logging;
            if request_log::wanted(logging, request, took_us) {
                let (read_errors, write_errors) = seat.io_errors();
                let entry = request_log::Entry {
                    request,
                    started_epoch_us: epoch_us().saturating_sub(took_us),
                    took_us,
                    pid: *pid,
                    post: worker.member().post(),
                    core: *number,
                    requests: (worker.requests(), worker.member().instance().requests()),
                    memory: logging.memory.then(memory::own_bytes),
                    read_errors,
                    write_errors,
                    metric: &|name| worker.metric(name),
                };
                request_log::write(line, logging, template.as_ref(), &entry);
            }
        });
        if !answered {
            self.now_us = monotonic_us();
            self.seat.abandon_request();
            return;
        }
        self.worker.retire_if_worn_out(self.now_us);
    }

    /// Takes nothing until the order changes.
    fn pause(&mut self) -> io::Result<()> {
        match self.hears {
            Hears::Master => {
                wait_any(&[self.worker.member().control()])?;
                self.worker.member().hear()
            }
            Hears::Bell => {
                self.worker.member().wait_while_paused();
                Ok(())
            }
        }
    }
}
