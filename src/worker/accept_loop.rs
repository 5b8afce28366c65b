//! One accept loop: waits for a connection, for bytes on one that is kept, or for an order, and has done what there is to
//! do. Worker only; one for each thread.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use worker_protocol::scoreboard::SeatOrder;
use worker_protocol::wire::Protocol;

use super::attending::Desk;
use super::connection::{Leftover, Next};
use super::eagerness::{Eagerness, MOMENT_US};
use super::exchange::Service;
use super::home::{Home, Traveller};
use super::keeping::{Keeping, Kept};
use super::parking::Owes;
use super::peer::{Bringer, Door};
use super::place::Place;
use super::process::Worker;
use super::rush::Rush;
use super::share::{self, Share};
use super::spare::Spare;
use super::supervisor::LINES_WAIT_US;
use crate::logging::waiting;
use crate::member::born::Listening;
use crate::sys::clock::monotonic_us;
use crate::sys::machine;
use crate::sys::stream::Stream;
use crate::sys::wait::{Alarm, News, WaitSet, wait_any};

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
    /// What the last wait told beside what was done since.
    news: News,
    alarm: Alarm,
    pub(super) desk: Desk<'w>,
    pub(super) keeping: Keeping,
    /// Where connections come back to whose answers others have sent.
    home: Option<Arc<Home>>,
    doors: Vec<Door>,
    /// Whether there is one socket only, so that it need not be asked which one has a connection.
    has_one_door: bool,
    eagerness: Eagerness,
    rush: Rush,
    pub(super) share: Share<'w>,
    pub(super) spare: Spare,
    /// Whether the last turn was one of the kept connections that are ready.
    ready_had_turn: bool,
    /// Whether the log knows that somebody comes who may not.
    pub(super) told_of_strangers: Cell<bool>,
    pub(super) now_us: u64,
}

/// What there is to do.
pub(super) enum Turn {
    /// A new connection, with one request.
    Accepted(Stream, Protocol, Bringer),
    /// A new connection, which may bring several requests.
    Called((Stream, Option<SocketAddr>), usize, Protocol),
    /// The connection that is kept at the place with this number can be read from.
    Again(usize),
    /// One that is kept has another request here already.
    Ready,
    /// Some are back whose answers others have sent.
    Back,
    /// A signal of the application has come, or an order in which there may be one.
    Signalled,
    /// Nothing of that; perhaps an order.
    Nothing,
}

/// How long is waited where nothing tells when to go on.
pub(super) const A_MOMENT: Duration = Duration::from_millis(100);

/// Turns of a spin loop between two looks: a fraction of a microsecond.
const LOOK_EVERY: u32 = 16;

/// Tokens of the wait sets: listening sockets are numbered from 0, kept connections after them.
pub(super) const ORDERS: u64 = u64::MAX;
const SIGNALS: u64 = u64::MAX - 1;
pub(super) const BACK: u64 = u64::MAX - 2;
const ALARM: u64 = u64::MAX - 3;

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
        let share = Share::new(member.instance().trial(), member.instance().generation());
        for (index, listening) in served(worker) {
            match share.is_on_trial() {
                true => waiting.add_to_overhear(&listening.socket, index as u64)?,
                false => waiting.add_listener(&listening.socket, index as u64)?,
            }
        }
        let home = worker.offloading().map(|_| Home::new().map(Arc::new)).transpose()?;
        if let Some(home) = &home {
            waiting.add(home, BACK)?;
        }
        let machine = machine::host_name();
        Ok(Self {
            worker,
            hears,
            waiting,
            news: News::none(),
            alarm: Alarm::default(),
            desk: Desk::new(worker, place)?,
            keeping: Keeping::new(member.listeners().len()),
            home,
            has_one_door: member.listeners().len() == 1 && served(worker).count() == 1,
            doors: member.listeners().iter().map(|listening| Door::of(listening, &machine)).collect(),
            eagerness: Eagerness::default(),
            rush: Rush::default(),
            share,
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
                    self.expire(service, false)?;
                    let turn = self.next_turn()?;
                    self.take(service, turn)?;
                }
            }
        }
    }

    #[inline(always)]
    fn take<S: Service + ?Sized>(&mut self, service: &S, turn: Turn) -> io::Result<()> {
        if waiting::any() {
            // What comes now may take its time.
            self.desk.mind_lines(self.now_us + LINES_WAIT_US);
        }
        match turn {
            Turn::Accepted(stream, protocol, from) => {
                let (now_us, left) = self.desk.answer(service, (stream, from), protocol, self.now_us, &mut self.rush);
                self.now_us = now_us;
                if let Some(left) = left {
                    self.keep(left, protocol)?;
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
            Turn::Back => self.take_back(false)?,
            Turn::Signalled => self.worker.handle_signals(service),
            Turn::Nothing => {}
        }
        self.spare.take_back();
        Ok(())
    }

    /// Keeps what is left of a connection with one request.
    #[cold]
    fn keep(&mut self, left: Leftover, protocol: Protocol) -> io::Result<()> {
        let (stream, handed) = match left {
            Leftover::Silent(stream) => (stream, None),
            Leftover::Handed(stream, handed) => (stream, Some(handed)),
        };
        let mut kept = self.desk.welcome((stream, None), (0, &self.doors), protocol, self.now_us);
        let next = match handed {
            Some(handed) => kept.patient.hand_over(handed),
            None => kept.patient.fall_silent(),
        };
        self.settle(kept, next)
    }

    /// Puts a connection where it belongs after it was attended to.
    #[inline(always)]
    fn settle(&mut self, kept: Kept, next: Next) -> io::Result<()> {
        let handed = self.keeping.settle(kept, next, &self.waiting)?;
        if let (Some(patient), Some(offloading), Some(home)) = (handed, self.worker.offloading(), &self.home) {
            offloading.take_over(Box::new(Traveller { patient, home: Arc::clone(home) }));
        }
        Ok(())
    }

    /// Takes the connections that are back whose answers others have sent.
    pub(super) fn take_back(&mut self, is_last: bool) -> io::Result<()> {
        let back = self.home.as_ref().map(|home| home.take()).unwrap_or_default();
        for patient in back {
            let mut kept = self.keeping.take_back(patient);
            let next = self.desk.welcome_back(&mut kept, (&self.doors, is_last));
            self.settle(kept, next)?;
        }
        Ok(())
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
        self.settle(kept, next)
    }

    /// Ends or answers whoever has not sent in time what it owes. `is_last`: no request is taken after this one.
    pub(super) fn expire<S: Service + ?Sized>(&mut self, service: &S, is_last: bool) -> io::Result<()> {
        while let Some((mut kept, owes)) = self.keeping.take_expired(self.now_us) {
            if owes != Owes::End && kept.patient.stream().has_unread() {
                // It may have come in time, and this thread had something else to do.
                self.attend(service, kept, is_last)?;
                continue;
            }
            let next = self.desk.expire(&mut kept, owes, &self.doors);
            self.settle(kept, next)?;
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
        if self.share.is_on_trial()
            && let Some(turn) = self.take_what_is_owed()?
        {
            return Ok(turn);
        }
        let began_us = self.now_us;
        let waits = self.news.is_empty();
        let woken = self.wait_for_event()?;
        if waits {
            self.look_at_clock();
        }
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
            Some(BACK) => Ok(Turn::Back),
            Some(ALARM) => {
                self.alarm.rang();
                self.worker.retire_if_worn_out(self.now_us);
                Ok(Turn::Nothing)
            }
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
        if self.keeping.has_ready() || !self.news.is_empty() {
            return self.look();
        }
        match self.look_for_a_moment()? {
            Some(token) => Ok(Some(token)),
            None => self.wait_in_earnest(),
        }
    }

    /// Waits as long as it takes. Lines of the log wait as well where one request follows soon on the other; not by a limit of
    /// this wait, as a timer for each sleep costs more than what is spared.
    fn wait_in_earnest(&mut self) -> io::Result<Option<u64>> {
        if waiting::any() {
            match self.rush.is_close() {
                true => self.desk.mind_lines(self.now_us + LINES_WAIT_US),
                false => waiting::send(),
            }
        }
        let patience_ms = self.patience_ms();
        self.waiting.wait_for_news(&mut self.news, patience_ms)
    }

    fn look(&mut self) -> io::Result<Option<u64>> {
        self.waiting.wait_for_news(&mut self.news, Some(0))
    }

    /// Looks for an event again and again for a moment, if that promises to spare a sleep.
    fn look_for_a_moment(&mut self) -> io::Result<Option<u64>> {
        if !self.eagerness.looks() {
            self.eagerness.waited();
            return Ok(None);
        }
        let there_already = self.look()?;
        if there_already.is_some() {
            return Ok(there_already);
        }
        let end_us = monotonic_us() + MOMENT_US;
        while monotonic_us() < end_us {
            (0..LOOK_EVERY).for_each(|_| std::hint::spin_loop());
            let came = self.look()?;
            if came.is_some() {
                self.eagerness.found();
                return Ok(came);
            }
        }
        self.eagerness.missed();
        Ok(None)
    }

    /// How long a wait may take, where the alarm cannot end it.
    fn patience_ms(&mut self) -> Option<u64> {
        let patience_us = self.patience_us()?;
        let due_us = self.now_us.saturating_add(patience_us);
        let rings = self.alarm.ring_by(due_us, &self.waiting, ALARM);
        // It lacks a descriptor.
        rings.is_err().then(|| patience_us.div_ceil(1_000))
    }

    fn patience_us(&self) -> Option<u64> {
        let until_old = self.worker.member().time_to_live_us(self.now_us);
        let until_kept = self.keeping.patience_us(self.now_us);
        let until_passed = self.share.is_on_trial().then_some(share::PATIENCE_US);
        until_old.into_iter().chain(until_kept).chain(until_passed).min()
    }

    /// Takes nothing until the order changes.
    fn pause(&mut self) -> io::Result<()> {
        waiting::send();
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

/// The sockets that a worker accepts on, by their places (`map-socket` keeps some for others).
pub(super) fn served<'w>(worker: &'w Worker<'_>) -> impl Iterator<Item = (usize, &'w Listening)> {
    let (member, number) = (worker.member(), worker.member().post().number);
    member.listeners().iter().enumerate().filter(move |(_, listening)| listening.is_served_by(number))
}
