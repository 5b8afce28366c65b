//! A conversation: what it consists of, and what every part of it does with that. What comes from the client is in
//! `reading`, what a worker does in `answering`, waiting in `ending`. Pure; used in the router.

use worker_protocol::http::caller::Caller;
use worker_protocol::http::scan::Scan;
use worker_protocol::proxy::Origin;

use super::collecting::Collecting;
use super::delivery::Delivery;
use super::own_answer::OwnAnswer;
use super::request::Request;
use super::terms::{Moment, Terms};
use super::upload::Upload;
use crate::config::model::ToHttps;
use crate::router::pipe::Pipe;

/// One of them.
#[derive(Debug)]
pub(in crate::router) struct Conversation {
    /// Where every request is sent on, if none is answered here.
    pub(super) to_https: Option<ToHttps>,
    pub(super) caller: Caller,
    /// What the client has sent and nobody has taken.
    pub(super) received: Vec<u8>,
    pub(super) scan: Scan,
    pub(super) phase: Phase,
    pub(super) to_client: Pipe,
    pub(super) client_ended: bool,
    /// Whether no request has come yet.
    pub(super) is_first: bool,
    /// Since when the client owes what it owes.
    pub(super) since_us: u64,
    /// When something last came, or left, of what is under way.
    pub(super) moved_us: u64,
    /// When the client last took something.
    pub(super) taken_us: u64,
    pub(super) remark: Option<Remark>,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Phase {
    /// A head, or nothing.
    Head,
    /// The body of a request.
    Body(Box<(Request, Collecting)>),
    /// A worker's answer.
    Asking(Box<Asking>),
    /// Bytes of another protocol, both ways. Whether the worker was told that the client sends no more.
    Switched { told: bool },
    /// The rest of the last answer.
    Last,
    /// The client's end, after the last answer.
    Lingering,
    /// The end.
    Over(Ending),
}

/// A request that a worker is asked to answer.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) upload: Upload,
    pub(super) delivery: Delivery,
    pub(super) is_repeatable: bool,
    pub(super) tries: usize,
    /// How many could not be connected to.
    pub(super) misses: usize,
    /// The host that was asked for, in lower case, where that says whom to ask.
    pub(super) host: Option<String>,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::router) enum Ending {
    /// It goes on.
    NotYet,
    /// This side sends nothing more; the client is waited for.
    Half,
    /// It is closed.
    Closed,
    /// It breaks off: the client must not take what it got for all there is.
    Cut,
}

/// What is to be said in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::router) enum Remark {
    /// Of a request that was not passed on.
    Refused { status: u16, why: String },
    /// Of workers who do not answer as they should.
    Backend(String),
}

impl Conversation {
    /// With a client that has just connected.
    pub(in crate::router) fn new(to_https: Option<ToHttps>, now_us: u64) -> Conversation {
        Conversation {
            to_https,
            caller: Caller::new(None, None),
            received: Vec::new(),
            scan: Scan::default(),
            phase: Phase::Head,
            to_client: Pipe::default(),
            client_ended: false,
            is_first: true,
            since_us: now_us,
            moved_us: now_us,
            taken_us: now_us,
            remark: None,
        }
    }

    /// Who the client is; to be told before anything that it has sent.
    pub(in crate::router) fn meet(&mut self, origin: Origin) {
        self.caller.become_origin(origin);
    }

    /// Adds something to what the client gets.
    pub(super) fn tell(&mut self, bytes: &[u8], moment: &Moment) {
        self.note_answer(moment);
        self.to_client.add(bytes);
    }

    /// Something is about to be added to what the client gets.
    pub(super) fn note_answer(&mut self, moment: &Moment) {
        if self.to_client.is_empty() {
            self.taken_us = moment.us;
        }
    }

    /// Answers in the place of a worker. The connection ends with it.
    #[cold]
    pub(super) fn refuse(&mut self, answer: &OwnAnswer, is_head: bool, terms: &Terms, moment: &Moment) {
        self.answer_itself(answer, is_head, terms, moment);
        self.remark.get_or_insert_with(|| Remark::Refused { status: answer.status, why: answer.text.clone() });
    }

    /// The same where that is no refusal, of which nothing need be said.
    pub(super) fn answer_itself(&mut self, answer: &OwnAnswer, is_head: bool, terms: &Terms, moment: &Moment) {
        self.note_answer(moment);
        answer.write(is_head, terms, moment, self.to_client.end());
        (self.phase, self.received) = (Phase::Last, Vec::new());
    }

    /// What is to be sent to the client.
    pub(in crate::router) fn answer(&self) -> &[u8] {
        self.to_client.rest()
    }

    /// So much of it has been sent.
    pub(in crate::router) fn pass_answer(&mut self, bytes: usize, moment: &Moment) {
        self.to_client.pass(bytes);
        self.taken_us = moment.us;
        if matches!(self.phase, Phase::Asking(_)) {
            // A worker that waits for room has not been silent.
            self.moved_us = moment.us;
        }
    }

    /// What is to be said in the log.
    pub(in crate::router) fn take_remark(&mut self) -> Option<Remark> {
        self.remark.take()
    }
}
