//! One accept loop: waits for a connection, for bytes on one that is kept, or for an order, and has done what there is to
//! do. Worker only; one for each thread.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use worker_protocol::control::LeaveReason;
use worker_protocol::scoreboard::SeatOrder;
use worker_protocol::wire::Protocol;

use super::attending::Desk;
use super::eagerness::{Eagerness, MOMENT_US};
use super::exchange::Service;
use super::keeping::{Keeping, Kept};
use super::peer::Door;
use super::place::Place;
use super::process::Worker;
use super::rush::Rush;
use super::spare::Spare;
use crate::config::model::Peer;
use crate::member::born::Listening;
use crate::sys::clock::monotonic_us;
use crate::sys::machine;
use crate::sys::stream::{Stream, accept, accept_with_address};
use crate::sys::wait::{Interest, WaitSet, wait_any, wait_ready};

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
    pub(super) worker: &'w Worker<'w>,
    pub(super) hears: Hears,
    pub(super) waiting: WaitSet,
    pub(super) desk: Desk<'w>,
    pub(super) keeping: Keeping,
    doors: Vec<Door>,
    /// Whether there is one socket only, so that it need not be asked which one has a connection.
    has_one_door: bool,
    eagerness: Eagerness,
    rush: Rush,
    spare: Spare,
    /// Whether the last turn was one of the kept connections that are ready.
    ready_had_turn: bool,
    /// Whether the log knows that somebody comes who may not.
    told_of_strangers: Cell<bool>,
    pub(super) now_us: u64,
}

/// What there is to do.
enum Turn {
    /// A new connection, with one request.
    Accepted(Stream, Protocol),
    /// A new connection, which may bring several requests.
    Called((Stream, Option<SocketAddr>), usize, Protocol),
    /// The connection that is kept at the place with this number can be read from.
    Again(usize),
    /// One that is kept has another request here already.
    Ready,
    /// A signal of the application has come, or an order in which there may be one.
    Signalled,
    /// Nothing of that; perhaps an order.
    Nothing,
}

/// How long is waited where nothing tells when to go on.
const A_MOMENT: Duration = Duration::from_millis(100);

/// Turns of a spin loop between two looks: a fraction of a microsecond.
const LOOK_EVERY: u32 = 16;

/// Tokens of the wait sets: listening sockets are numbered from 0, kept connections after them.
pub(super) const ORDERS: u64 = u64::MAX;
const SIGNALS: u64 = u64::MAX - 1;

impl<'w> Core<'w> {
    pub(super) fn new(worker: &'w Worker<'w>, place: Place<'w>, hears: Hears) -> io::Result<Self> {
        let member = worker.member();
        let waiting = WaitSet::new()?;
        match hears {
            Hears::Master => {
                waiting.add(&member.control(), ORDERS)?;
                if let Some(mailbox) = worker.common_signals() {
                    waiting.add_listener(&mailbox.outlet(), SIGNALS)?;
                }
            }
            Hears::Bell => waiting.add(member.bell(), ORDERS)?,
        }
        let number = member.post().number;
        let served = |listening: &Listening| listening.is_served_by(number);
        for (index, listening) in member.listeners().iter().enumerate().filter(|(_, listening)| served(listening)) {
            waiting.add_listener(&listening.socket, index as u64)?;
        }
        let machine = machine::host_name();
        Ok(Self {
            worker,
            hears,
            waiting,
            desk: Desk::new(worker, place)?,
            keeping: Keeping::new(member.listeners().len()),
            has_one_door: member.listeners().len() == 1 && member.listeners().iter().all(served),
            doors: member.listeners().iter().map(|listening| Door::of(&listening.socket, &machine)).collect(),
            eagerness: Eagerness::default(),
            rush: Rush::default(),
            spare: Spare::new(),
            ready_had_turn: false,
            told_of_strangers: Cell::new(false),
            now_us: monotonic_us(),
        })
    }

    pub(super) fn run<S: Service + ?Sized>(&mut self, service: &S) -> io::Result<()> {
        loop {
            match self.worker.member().order() {
                SeatOrder::Retire => return self.take_leave(service),
                SeatOrder::Pause => self.pause()?,
                SeatOrder::Run => {
                    self.expire()?;
                    let turn = self.next_turn()?;
                    self.take(service, turn)?;
                }
            }
        }
    }

    fn take<S: Service + ?Sized>(&mut self, service: &S, turn: Turn) -> io::Result<()> {
        match turn {
            Turn::Accepted(stream, protocol) => {
                let (now_us, silent) = self.desk.answer(service, stream, protocol, self.now_us, &mut self.rush);
                self.now_us = now_us;
                if let Some(stream) = silent {
                    self.keep_silent(stream, protocol)?;
                }
            }
            Turn::Called(caller, door, protocol) => {
                let kept = self.desk.welcome(caller, (door, &self.doors), protocol, self.now_us);
                self.attend(service, kept, false)?;
            }
            Turn::Again(number) => self.attend_again(service, number, false)?,
            Turn::Ready => {
                if let Some(kept) = self.keeping.take_ready() {
                    self.attend(service, kept, false)?;
                }
            }
            Turn::Signalled => self.worker.handle_signals(service),
            Turn::Nothing => {}
        }
        self.spare.take_back();
        Ok(())
    }

    /// Keeps a connection on which an answer broke off.
    #[cold]
    fn keep_silent(&mut self, stream: Stream, protocol: Protocol) -> io::Result<()> {
        let mut kept = self.desk.welcome((stream, None), (0, &self.doors), protocol, self.now_us);
        let next = kept.patient.fall_silent();
        self.keeping.settle(kept, next, &self.waiting)
    }

    /// Attends to a kept connection at its place. `is_last`: no request is taken after this one.
    pub(super) fn attend_again<S: Service + ?Sized>(
        &mut self,
        service: &S,
        number: usize,
        is_last: bool,
    ) -> io::Result<()> {
        match self.keeping.take(number) {
            Some(kept) => self.attend(service, kept, is_last),
            None => Ok(()),
        }
    }

    /// The same, for one that is at no place.
    pub(super) fn attend<S: Service + ?Sized>(&mut self, service: &S, mut kept: Kept, is_last: bool) -> io::Result<()> {
        let how = (self.doors.as_slice(), is_last);
        let (next, now_us) = self.desk.attend(service, &mut kept, how, self.now_us, &mut self.rush);
        self.now_us = now_us;
        self.keeping.settle(kept, next, &self.waiting)
    }

    /// Ends or answers whoever has not sent in time what it owes.
    pub(super) fn expire(&mut self) -> io::Result<()> {
        while let Some((mut kept, owes)) = self.keeping.take_expired(self.now_us) {
            let next = self.desk.expire(&mut kept, owes, &self.doors);
            self.keeping.settle(kept, next, &self.waiting)?;
        }
        Ok(())
    }

    /// Notes the time, and returns it.
    pub(super) fn look_at_clock(&mut self) -> u64 {
        self.now_us = monotonic_us();
        self.now_us
    }

    /// What there is to do next. Connections that are ready take turns with everything else, so that nobody who sends
    /// many requests at once keeps others waiting.
    fn next_turn(&mut self) -> io::Result<Turn> {
        self.ready_had_turn = self.keeping.has_ready() && !self.ready_had_turn;
        if self.ready_had_turn {
            return Ok(Turn::Ready);
        }
        if self.has_one_door && self.rush.expects_another(self.now_us) {
            let there_already = self.accept_from(0)?;
            if !matches!(there_already, Turn::Nothing) {
                // It waited for the end of the last request, not we for it.
                return Ok(there_already);
            }
            self.rush.missed();
        }
        let woken = self.wait_for_event()?;
        let began_us = std::mem::replace(&mut self.now_us, monotonic_us());
        self.rush.waited(began_us, self.now_us);
        match woken {
            Some(ORDERS) => {
                if self.hears == Hears::Master {
                    self.worker.member().hear()?;
                    return Ok(Turn::Signalled);
                }
                Ok(Turn::Nothing)
            }
            Some(SIGNALS) => Ok(Turn::Signalled),
            Some(token) => match self.keeping.number_of(token) {
                Some(number) => Ok(Turn::Again(number)),
                None => self.accept_from(token as usize),
            },
            None if self.keeping.has_ready() => Ok(Turn::Ready),
            None => {
                self.worker.retire_if_worn_out(self.now_us);
                Ok(Turn::Nothing)
            }
        }
    }

    fn wait_for_event(&mut self) -> io::Result<Option<u64>> {
        if self.keeping.has_ready() {
            return self.waiting.wait(Some(0));
        }
        match self.look_for_a_moment()? {
            Some(token) => Ok(Some(token)),
            None => self.waiting.wait(self.patience_ms()),
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

    fn accept_from(&mut self, index: usize) -> io::Result<Turn> {
        match self.try_accept(index) {
            Ok(turn) => Ok(turn),
            Err(error) => self.survive_accept(index, error),
        }
    }

    fn try_accept(&self, index: usize) -> io::Result<Turn> {
        let Some(Listening { socket, protocol, .. }) = self.worker.member().listeners().get(index) else {
            return Ok(Turn::Nothing);
        };
        let is_guarded = *protocol != Protocol::Http && !self.worker.limits().web_servers.is_empty();
        if !protocol.keeps_connections() && !is_guarded {
            let accepted = accept(socket)?;
            return Ok(accepted.map_or(Turn::Nothing, |stream| Turn::Accepted(stream, *protocol)));
        }
        Ok(match accept_with_address(socket)? {
            None => Turn::Nothing,
            Some((_, address)) if is_guarded && !self.admits(address) => Turn::Nothing,
            Some(caller) if protocol.keeps_connections() => Turn::Called(caller, index, *protocol),
            Some((stream, _)) => Turn::Accepted(stream, *protocol),
        })
    }

    /// Whether a web server may come from there; says so the first time that somebody else does.
    fn admits(&self, address: Option<SocketAddr>) -> bool {
        let peer = address.map_or(Peer::Unix, |address| Peer::Address(address.ip().to_canonical()));
        let admitted = self.worker.limits().admits(peer);
        if let (false, Some(address)) = (admitted, address)
            && !self.told_of_strangers.replace(true)
        {
            let name = self.worker.member().name();
            log::warn!(
                "{name}: a connection from {address} is cut off, and all others that uwsgi-allow-from does not name"
            );
        }
        admitted
    }

    /// Running out of descriptors or memory is no reason to die, and none to keep to itself that a connection waits, of
    /// which nobody else was told.
    fn survive_accept(&mut self, index: usize, error: io::Error) -> io::Result<Turn> {
        let (own, all) = match error.raw_os_error() {
            Some(libc::EMFILE) => (true, false),
            Some(libc::ENFILE) => (true, true),
            Some(libc::ENOBUFS | libc::ENOMEM) => (false, true),
            Some(libc::EINVAL) => return self.hear_of_the_end(error),
            _ => return Err(error),
        };
        // Whoever waits for a request of a client's stands back behind a client that has one.
        if self.keeping.give_one_up(&self.waiting)? {
            return Ok(Turn::Nothing);
        }
        if own && self.spare.lend() {
            self.spare.tell(&self.worker.member().name(), &error);
            return self.try_accept(index).or(Ok(Turn::Nothing));
        }
        if own && !all {
            log::error!("{}: leaves, as it cannot accept a connection: {error}", self.worker.member().name());
            // Its successor finds the connection in the queue.
            self.worker.member().retire_self(LeaveReason::Signal);
            return Ok(Turn::Nothing);
        }
        log::error!("{}: cannot accept a connection: {error}", self.worker.member().name());
        // Nothing tells when descriptors come free, so that a short rest is all there is.
        std::thread::sleep(A_MOMENT);
        Ok(Turn::Nothing)
    }

    /// Nobody listens there any more: the master is gone, which whoever hears it must know at any moment.
    fn hear_of_the_end(&mut self, error: io::Error) -> io::Result<Turn> {
        let member = self.worker.member();
        match self.hears {
            Hears::Master => {
                wait_ready(&member.control(), Interest::Readable, A_MOMENT.as_micros() as u64)?;
                member.hear()?;
            }
            Hears::Bell => std::thread::sleep(A_MOMENT),
        }
        if member.is_leaving() { Ok(Turn::Nothing) } else { Err(error) }
    }

    fn patience_ms(&self) -> Option<u64> {
        let until_old = self.worker.member().time_to_live_us(self.now_us);
        let until_kept = self.keeping.patience_us(self.now_us);
        let shortest = until_old.into_iter().chain(until_kept).min();
        shortest.map(|patience_us| patience_us.div_ceil(1_000))
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
