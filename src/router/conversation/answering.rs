//! A request that is whole, and the worker that is asked to answer it: what it is sent, what it sends, and what becomes of
//! the request if that is not an answer. Pure; used in the router.

use super::collecting::Collecting;
use super::delivery::{Delivery, Reached};
use super::own_answer::OwnAnswer;
use super::request::Request;
use super::state::{Asking, Conversation, Ending, Phase, Remark};
use super::terms::{Moment, Terms};
use super::upload::{Piece, Upload};

/// Most bytes of an answer that wait for the client; when there are as many, the worker waits as well.
pub(super) const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Most memory that is kept between two requests, so that many connections that wait take little.
const KEPT_BYTES_MAX: usize = 4_096;

/// How often a request is passed on at most.
const TRIES_MAX: usize = 3;

/// How many may be found not to be there meanwhile, which costs next to nothing: several may have gone at once.
const MISSES_MAX: usize = 8;

/// Why a request was passed on to nobody, where that took too long.
pub(super) const LATE: &str = "nobody could be connected to in time (http-connect-timeout)";

/// Why no answer comes from a worker, or no more of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::router) enum Failure {
    /// Nobody could be connected to.
    Unreachable,
    /// It has not let itself be connected to in time.
    Late,
    /// It has ended its side in order.
    Ended,
    /// It has broken off.
    Broken,
}

impl Conversation {
    /// A request is whole.
    pub(super) fn ask(&mut self, mut request: Request, body: Option<Collecting>, terms: &Terms, moment: &Moment) {
        let length = body.as_ref().and_then(Collecting::untold_length);
        let host = terms.routers.hearing.is_on().then(|| request.host()).flatten();
        let Ok(packet) = request.pack(terms, moment, length) else {
            let answer = OwnAnswer::new(431, "the variables of the request do not fit a packet");
            return self.refuse(&answer, request.asked.is_head, terms, moment);
        };
        let upload = match body {
            Some(body) => body.behind(packet),
            None => Upload::new(packet, 0, Vec::new()),
        };
        self.moved_us = moment.us;
        let delivery = Delivery::new(request.asked);
        let is_repeatable = request.is_repeatable;
        self.phase = Phase::Asking(Box::new(Asking { upload, delivery, is_repeatable, tries: 0, misses: 0, host }));
    }

    /// What of the body that is coming is to be written to a file.
    pub(in crate::router) fn overflow(&self, terms: &Terms) -> Option<&[u8]> {
        let Phase::Body(body) = &self.phase else { return None };
        body.1.overflow(terms.routers.body_in_memory)
    }

    /// That has been written.
    pub(in crate::router) fn has_overflown(&mut self) {
        if let Phase::Body(body) = &mut self.phase {
            body.1.has_overflown();
        }
    }

    /// There is no room for the body.
    pub(in crate::router) fn refuse_for_want_of_room(&mut self, terms: &Terms, moment: &Moment) {
        self.refuse(&OwnAnswer::new(507, "there is no room for the request body"), false, terms, moment);
    }

    /// Whether a worker is to be connected to, or to stay so.
    pub(in crate::router) fn wants_worker(&self) -> bool {
        matches!(self.phase, Phase::Asking(_) | Phase::Switched { .. })
    }

    /// The host that was asked for, in lower case, where that says whom to ask.
    pub(in crate::router) fn host(&self) -> Option<&str> {
        match &self.phase {
            Phase::Asking(asking) => asking.host.as_deref(),
            _ => None,
        }
    }

    /// The modifiers of the packet are those that the one wants who is asked. Nothing of it has been sent.
    pub(in crate::router) fn address_to(&mut self, modifiers: (u8, u8)) {
        if let Phase::Asking(asking) = &mut self.phase {
            asking.upload.address_to(modifiers);
        }
    }

    /// Nobody serves the host that was asked for.
    pub(in crate::router) fn refuse_unknown_host(&mut self, terms: &Terms, moment: &Moment) {
        let Phase::Asking(asking) = &self.phase else { return };
        let is_head = asking.delivery.is_head();
        let host = asking.host.as_deref().unwrap_or("no host").escape_debug();
        let answer = OwnAnswer::new(404, format!("nobody serves {host} here"));
        self.refuse(&answer, is_head, terms, moment);
    }

    /// Whether a body is coming.
    pub(in crate::router) fn is_collecting(&self) -> bool {
        matches!(self.phase, Phase::Body(_))
    }

    /// Whether a worker has been sent anything of the request.
    pub(in crate::router) fn has_begun_upload(&self) -> bool {
        match &self.phase {
            Phase::Asking(asking) => asking.upload.has_begun(),
            _ => true,
        }
    }

    /// What a worker is to be sent.
    pub(in crate::router) fn upload(&self) -> Piece<'_> {
        match &self.phase {
            Phase::Asking(asking) => asking.upload.next(),
            Phase::Switched { .. } if !self.received.is_empty() => Piece::Bytes(&self.received),
            _ => Piece::Nothing,
        }
    }

    /// So much of it has been sent.
    pub(in crate::router) fn pass_upload(&mut self, bytes: u64, moment: &Moment) {
        self.moved_us = moment.us;
        match &mut self.phase {
            Phase::Asking(asking) => asking.upload.pass(bytes),
            Phase::Switched { .. } => {
                let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(self.received.len());
                self.received.drain(..bytes);
            }
            _ => {}
        }
    }

    /// The worker reads nothing more; it may have something to say all the same.
    pub(in crate::router) fn give_up_upload(&mut self) {
        match &mut self.phase {
            Phase::Asking(asking) => asking.upload.give_up(),
            Phase::Switched { .. } => self.received.clear(),
            _ => {}
        }
    }

    /// Whether the worker is to be told, once, that the client sends nothing more.
    pub(in crate::router) fn tells_worker_of_the_end(&mut self) -> bool {
        match &mut self.phase {
            Phase::Switched { told } if self.client_ended && self.received.is_empty() => !std::mem::replace(told, true),
            _ => false,
        }
    }

    /// Whether anything is taken of what the worker sends.
    pub(in crate::router) fn has_room_for_answer(&self) -> bool {
        self.wants_worker() && self.to_client.length() < ANSWER_BYTES_MAX
    }

    /// Takes what a worker has sent.
    pub(in crate::router) fn take_answer(&mut self, bytes: &[u8], terms: &Terms, moment: &Moment) {
        self.moved_us = moment.us;
        self.note_answer(moment);
        match &mut self.phase {
            Phase::Asking(asking) => {
                let taken = asking.delivery.take(bytes, &moment.additions(terms), self.to_client.end());
                match taken {
                    Ok(()) => self.look_at_answer(moment),
                    Err(flaw) => self.fail(&format!("its answer is not passed on: {flaw}"), terms, moment),
                }
            }
            Phase::Switched { .. } => self.to_client.add(bytes),
            _ => {}
        }
    }

    /// Goes on if an answer has become whole.
    fn look_at_answer(&mut self, moment: &Moment) {
        let Phase::Asking(asking) = &self.phase else { return };
        let has_surplus = asking.delivery.has_surplus();
        match asking.delivery.reached() {
            Reached::Nothing | Reached::Part => return,
            Reached::Switched => self.phase = Phase::Switched { told: false },
            // What the client asked for before it ended its side is still answered.
            Reached::Whole { persistent: true } if !self.client_ended || !self.received.is_empty() => {
                self.await_another(moment);
            }
            Reached::Whole { .. } => (self.phase, self.received) = (Phase::Last, Vec::new()),
        }
        if has_surplus {
            let text = "an answer was longer than its Content-Length, what follows was left out";
            self.remark.get_or_insert_with(|| Remark::Backend(text.to_owned()));
        }
    }

    /// An answer is whole, and another request may follow.
    fn await_another(&mut self, moment: &Moment) {
        (self.phase, self.since_us) = (Phase::Head, moment.us);
        if self.received.is_empty() && self.received.capacity() > KEPT_BYTES_MAX {
            self.received = Vec::new();
        }
    }

    /// Reads what has come of the next request while one was answered. To be called when the worker that answered is let go.
    pub(in crate::router) fn resume(&mut self, terms: &Terms, moment: &Moment) -> bool {
        if !matches!(self.phase, Phase::Head) || self.received.is_empty() {
            return false;
        }
        self.go_on(terms, moment);
        if self.client_ended {
            // The rest of what it has begun does not come.
            self.end_client();
        }
        !matches!(self.phase, Phase::Head)
    }

    /// No more comes from the worker that was asked.
    pub(in crate::router) fn lose_worker(&mut self, failure: Failure, terms: &Terms, moment: &Moment) {
        match &mut self.phase {
            Phase::Asking(asking) => {
                if failure == Failure::Ended {
                    asking.delivery.end(self.to_client.end());
                }
                match asking.delivery.reached() {
                    Reached::Nothing if asking.delivery.is_empty() => self.try_another(failure, terms, moment),
                    Reached::Nothing | Reached::Part => {
                        self.fail("a worker broke its answer off", terms, moment);
                    }
                    Reached::Switched | Reached::Whole { .. } => self.look_at_answer(moment),
                }
            }
            Phase::Switched { .. } if failure == Failure::Ended => self.phase = Phase::Last,
            Phase::Switched { .. } => self.phase = Phase::Over(Ending::Cut),
            _ => {}
        }
    }

    /// Nothing has come of the request: it is passed on once more, if that asks for nothing else.
    fn try_another(&mut self, failure: Failure, terms: &Terms, moment: &Moment) {
        let Phase::Asking(asking) = &mut self.phase else { return };
        match failure {
            Failure::Unreachable => asking.misses += 1,
            Failure::Late | Failure::Ended | Failure::Broken => asking.tries += 1,
        }
        // What nobody has seen can be passed on to another worker, who does not come to harm by it either.
        let is_harmless = match failure {
            Failure::Unreachable | Failure::Late => true,
            Failure::Ended | Failure::Broken => {
                !asking.upload.has_begun() || asking.is_repeatable && asking.tries < TRIES_MAX - 1
            }
        };
        if is_harmless && asking.tries < TRIES_MAX && asking.misses < MISSES_MAX {
            asking.upload.begin_again();
            self.moved_us = moment.us;
            return;
        }
        match failure {
            Failure::Unreachable => self.fail("nobody could be asked for an answer", terms, moment),
            Failure::Late => self.fail_with(504, LATE, terms, moment),
            Failure::Ended | Failure::Broken => {
                self.fail("a worker ended the connection without an answer", terms, moment);
            }
        }
    }

    /// There is no answer, or no more of it.
    pub(super) fn fail(&mut self, why: &str, terms: &Terms, moment: &Moment) {
        self.fail_with(502, why, terms, moment);
    }

    /// The same, with what the client is told if it has been told nothing.
    pub(super) fn fail_with(&mut self, status: u16, why: &str, terms: &Terms, moment: &Moment) {
        self.remark.get_or_insert_with(|| Remark::Backend(why.to_owned()));
        match &self.phase {
            Phase::Asking(asking) if asking.delivery.reached() == Reached::Nothing => {
                let is_head = asking.delivery.is_head();
                let text = if status == 504 { "no answer came in time" } else { "no answer came" };
                self.refuse(&OwnAnswer::new(status, text), is_head, terms, moment);
            }
            _ => self.phase = Phase::Over(Ending::Cut),
        }
    }
}
