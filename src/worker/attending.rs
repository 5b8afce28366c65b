//! What one thread needs to have requests answered and accounted for: its seat, its memory, the line for the log. Worker
//! only.

use std::io;
use std::net::SocketAddr;

use worker_protocol::scoreboard;
use worker_protocol::wire::Protocol;

use super::connection::{self, Answered, Buffers, Connection, Leftover, Next, Patient, Visit};
use super::exchange::Service;
use super::keeping::Kept;
use super::parking::Owes;
use super::peer::{Bringer, Door};
use super::place::Place;
use super::process::Worker;
use super::request_log::{self, Template};
use super::routes::Routes;
use super::rush::Rush;
use super::spans;
use crate::log_places::Places;
use crate::sys::clock::{epoch_us, monotonic_us};
use crate::sys::memory;
use crate::sys::stream::Stream;

/// Where one thread answers.
pub(super) struct Desk<'w> {
    worker: &'w Worker<'w>,
    place: Place<'w>,
    buffers: Buffers,
    books: Books<'w>,
    routes: Option<Routes<'w>>,
}

/// Where it accounts for what it has answered.
struct Books<'w> {
    worker: &'w Worker<'w>,
    number: usize,
    seat: scoreboard::Core<'w>,
    template: Option<Template>,
    line: String,
    places: Places,
    pid: u32,
}

impl<'w> Desk<'w> {
    pub(super) fn new(worker: &'w Worker<'w>, place: Place<'w>) -> io::Result<Self> {
        let (member, number) = (worker.member(), place.core);
        let seat = member.seat().core(number).ok_or_else(|| io::Error::other("the seat has no such core"))?;
        let template = Template::of(&member.config().logging);
        let books = Books {
            worker,
            number,
            seat,
            template,
            line: String::new(),
            places: Places::for_requests(&member.config().logging),
            pid: std::process::id(),
        };
        let routes = Routes::of(member.config(), member.instance().rules());
        Ok(Self { worker, place, buffers: Buffers::new(worker.limits())?, books, routes })
    }

    /// Has the one request of a connection answered. Returns the time, and what is left of the connection to be kept.
    pub(super) fn answer<S: Service + ?Sized>(
        &mut self,
        service: &S,
        (stream, from): (Stream, Bringer),
        protocol: Protocol,
        started_us: u64,
        rush: &mut Rush,
    ) -> (u64, Option<Leftover>) {
        let Self { worker, place, buffers, books, routes } = self;
        books.begin(started_us);
        let mut now_us = None;
        let routes = routes.as_ref();
        let connection = Connection { worker, place: *place, stream, from, routes, protocol, started_us };
        let left = connection::handle(connection, buffers, service, |request| {
            now_us = Some(books.account(request, started_us, rush));
        });
        match now_us {
            Some(now_us) => worker.after_request(now_us),
            None => books.seat.abandon_request(),
        }
        (now_us.unwrap_or_else(monotonic_us), left)
    }

    /// Has it seen to that lines of the log which wait are written by then.
    pub(super) fn mind_lines(&self, due_us: u64) {
        self.place.guard.mind_lines(due_us);
    }

    /// A new connection that may bring several requests.
    pub(super) fn welcome(
        &self,
        caller: (Stream, Option<SocketAddr>),
        door: (usize, &[Door]),
        protocol: Protocol,
        now_us: u64,
    ) -> Kept {
        Kept::new(Patient::new(self.worker, caller, door, protocol, now_us))
    }

    /// Attends to a kept connection that can be read from. Returns what becomes of it, and the time.
    #[inline(always)]
    pub(super) fn attend<S: Service + ?Sized>(
        &mut self,
        service: &S,
        kept: &mut Kept,
        (doors, is_last): (&[Door], bool),
        started_us: u64,
        rush: &mut Rush,
    ) -> (Next, u64) {
        let Self { worker, place, buffers, books, routes } = self;
        let visit = Visit { worker, place: *place, routes: routes.as_ref(), doors, is_last };
        let mut now_us = None;
        let books = std::cell::RefCell::new(books);
        let next = kept.patient.attend(
            &visit,
            buffers,
            service,
            || books.borrow_mut().begin(started_us),
            |request| *now_us.insert(books.borrow_mut().account(request, started_us, rush)),
        );
        if let Some(now_us) = now_us {
            worker.after_request(now_us);
        }
        (next, now_us.unwrap_or_else(monotonic_us))
    }

    /// A connection is back whose answer was sent by others.
    pub(super) fn welcome_back(&self, kept: &mut Kept, (doors, is_last): (&[Door], bool)) -> Next {
        let visit = Visit { worker: self.worker, place: self.place, routes: None, doors, is_last };
        kept.patient.come_back(&visit)
    }

    /// A kept connection has not sent in time what it owes.
    pub(super) fn expire(&mut self, kept: &mut Kept, owes: Owes, doors: &[Door]) -> Next {
        let visit = Visit { worker: self.worker, place: self.place, routes: None, doors, is_last: false };
        kept.patient.expire(&visit, &mut self.buffers, owes)
    }
}

impl Books<'_> {
    /// A request has come. `started_us`: when the wait for it ended.
    #[inline(always)]
    fn begin(&mut self, started_us: u64) {
        if self.seat.begin_request(started_us) {
            self.worker.member().ring_master();
        }
    }

    /// It was answered. Returns the time.
    #[inline(always)]
    fn account(&mut self, request: &Answered<'_>, started_us: u64, rush: &mut Rush) -> u64 {
        let Self { worker, number, seat, template, line, places, pid } = self;
        let now_us = monotonic_us();
        if let Some(waited_us) = request.outcome.waited_us {
            seat.count_wait(waited_us);
        }
        seat.end_request(now_us, request.served());
        if let Some(titles) = &worker.titles {
            titles.end();
        }
        worker.count_request();
        let took_us = now_us - started_us;
        rush.served(took_us);
        spans::tell(worker, request, took_us, *number);
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
                requests: &|| (worker.requests(), worker.member().instance().requests()),
                memory: logging.memory.then(memory::own_bytes),
                read_errors,
                write_errors,
                metric: &|name| worker.metric(name),
            };
            request_log::write(line, logging, template.as_ref(), &entry, places);
        }
        if logging.slow.is_some_and(|slow| took_us >= slow.as_micros() as u64) {
            log::info!("{}", request_log::story(request, took_us, worker.member().post().number, *number));
        }
        now_us
    }
}
