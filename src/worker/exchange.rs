//! One request and its answer in the making, as the runtimes of applications see it. Worker only.

use std::time::Duration;

use worker_protocol::control::LeaveReason;
use worker_protocol::head::RequestHead;
use worker_protocol::rpc::Call;

use super::body::RequestBody;
use super::exception::Raised;
use super::place::Place;
use super::process::Worker;
use super::reply::Reply;
use super::watch::Watch;
use super::websocket::session::Session;
use crate::escape;
use crate::handler::LogNotes;
use crate::sys::stream::Stream;

/// What answers requests. Shared by all threads of a worker.
pub trait Service: Sync {
    /// Answers one request. Whatever is left undone (no answer, an unread body) is put right afterwards.
    fn serve(&self, exchange: &mut Exchange<'_>);

    /// Runs around the accept loop of each thread (`core` counts them from 0); a runtime that wants threads to be known to
    /// it does so here.
    fn on_thread(&self, _core: usize, accept_loop: &mut dyn FnMut()) {
        accept_loop();
    }

    /// Calls a function that the application has registered for calls from elsewhere; its result, if it has one. `core` and
    /// `watch` as for [`Service::interrupt`], which may come meanwhile.
    fn call(&self, _core: usize, _watch: &Watch, _call: &Call<'_>) -> Option<Vec<u8>> {
        None
    }

    /// Handles a signal of the application. Between requests, where one thread takes them; else beside them.
    fn on_signal(&self, _number: u8) {}

    /// Says where the thread of a request that is over its time is stuck, as lines for the log, and wakes it if it waits
    /// for the kernel. Called on another thread, and not to wait for long.
    fn whereabouts(&self, core: usize, watch: &Watch) -> String;

    /// Has the application's part in a request end that is over its time, if that can be done. Called on a thread of its
    /// own, which may wait.
    fn interrupt(&self, core: usize, watch: &Watch);
}

/// One request and its answer in the making.
#[derive(Debug)]
pub struct Exchange<'c> {
    /// The variables of the request and what they mean, as rules have left them.
    pub head: &'c RequestHead<'c>,
    /// The same as they came.
    pub(crate) asked: &'c RequestHead<'c>,
    /// The request body.
    pub body: RequestBody<'c>,
    /// The answer.
    pub reply: Reply<'c>,
    /// The worker that handles it.
    pub worker: &'c Worker<'c>,
    /// Which of the worker's threads handles it, from 0.
    pub core: usize,
    /// The thread's watch, and who keeps it.
    pub(crate) place: Place<'c>,
    /// The connection itself.
    pub stream: &'c Stream,
    /// What the application wants of its line in the log.
    pub notes: LogNotes,
    /// The websocket that it has become.
    pub(super) websocket: Option<Box<Session>>,
    /// Whether a file is the answer, and no application was asked.
    pub(super) statically: bool,
    /// Whether the application failed.
    pub(super) exception: bool,
    /// Whether the answer stops before its end, so that nobody may take it for whole.
    pub(super) broken_off: bool,
}

/// The deadline that an application may set for a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline<'c> {
    place: Place<'c>,
    head: &'c RequestHead<'c>,
}

impl Deadline<'_> {
    /// So much time from now on; `None` takes that back.
    pub(crate) fn set(&self, limit: Option<Duration>) {
        let limit_us = limit.map(|limit| limit.as_micros().try_into().unwrap_or(u64::MAX));
        if let Some(due_us) = self.place.watch.set_own(self.head, limit_us) {
            self.place.guard.look_by(due_us);
        }
    }
}

impl<'c> Exchange<'c> {
    /// The request for a line of the log: method and URI.
    pub fn named(&self) -> String {
        format!("{} {}", escape::value(self.head.method_or_get().as_bytes()), escape::value(self.head.uri()))
    }

    /// Whether the `X-Forwarded-*` headers of this request are believed (`trusted-proxy`).
    #[inline(always)]
    pub fn trusts_forwarded(&self) -> bool {
        self.worker.limits().trusts(self.asked.remote_addr())
    }

    /// Says in the log that the application has read so many bytes of the body into memory at once, if those are too many
    /// (`body-read-warning`). True: it was said.
    pub fn tell_of_read(&self, bytes: usize) -> bool {
        let too_many = self.worker.limits().read_quietly.is_some_and(|most| bytes as u64 > most);
        if too_many {
            let mebibytes = bytes >> 20;
            log::warn!(
                "the application holds {mebibytes} MiB of the body of {} at once (body-read-warning)",
                self.named()
            );
        }
        too_many
    }

    /// Whether its time was over before the answer was, so that others have ended it (`harakiri`).
    pub fn is_overdue(&self) -> bool {
        self.place.watch.is_struck()
    }

    /// What the application does from here on has no deadline.
    pub fn lift_deadline(&self) {
        self.place.watch.lift();
    }

    /// Nobody interrupts the application any more because of this request. True: somebody may have done so.
    pub fn end_work(&self) -> bool {
        self.place.watch.end_work()
    }

    /// Gives this request so much time from now on, beside what the configuration gives it; `None` takes that back.
    pub fn set_deadline(&self, limit: Option<Duration>) {
        self.deadline().set(limit);
    }

    /// The deadline by itself, for who uses the rest of the exchange meanwhile.
    pub(crate) fn deadline(&self) -> Deadline<'c> {
        Deadline { place: self.place, head: self.head }
    }

    /// Answers with a status and a short text, unless an answer is on its way already.
    pub fn answer_plainly(&mut self, status: u16, text: &str) {
        self.reply.answer_plainly(status, text);
    }

    /// Says that no more comes of the body, though there should: a line in the log, a 500 if nothing is on the wire yet,
    /// and otherwise an end that the other side cannot take for that of the body. A client that has gone is told nothing.
    #[cold]
    pub fn break_off(&mut self, reason: &str) {
        if self.is_overdue() {
            return log::debug!("the answer to {} came too late: {}", self.named(), escape::lines(reason));
        }
        let sent = self.reply.sent();
        let told = format!("the answer to {} broke off after {} bytes: ", self.named(), sent.body_bytes);
        let told = told + &escape::lines(reason);
        if sent.write_failed {
            return log::debug!("{told}");
        }
        log::warn!("{told}");
        if self.reply.is_sending() {
            self.broken_off = true;
        } else {
            self.answer_plainly(500, "Internal Server Error\n");
        }
    }

    /// Notes that the application failed: a panic, an exception. If it is one that the configuration monitors, the
    /// worker leaves after this request.
    pub fn note_exception(&mut self, describe: impl FnOnce() -> Raised) {
        self.exception = true;
        let member = self.worker.member();
        if member.config().recycling.exceptions.include(describe) {
            member.retire_self(LeaveReason::Exception);
        }
    }
}
