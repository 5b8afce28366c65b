//! What comes from a client: heads, bodies, and its end. Pure; used in the router.

use worker_protocol::http::request::Body;
use worker_protocol::http::scan::Scan;
use worker_protocol::http::{CONTINUE, Refusal};

use super::collecting::Collecting;
use super::own_answer::OwnAnswer;
use super::request::Request;
use super::state::{Conversation, Ending, Phase};
use super::terms::{Moment, Terms};

/// Most bytes of later requests that are taken while one is being answered, or of another protocol that wait for a worker.
pub(super) const AHEAD_BYTES_MAX: usize = 16 * 1024;

/// Most bytes taken at once of a head or a body.
const TAKEN_BYTES_MAX: usize = 64 * 1024;

impl Conversation {
    /// How much more is taken of what the client sends.
    pub(in crate::router) fn client_room(&self) -> usize {
        let bytes_max = match self.phase {
            _ if self.client_ended => 0,
            Phase::Head | Phase::Body(_) => TAKEN_BYTES_MAX,
            Phase::Asking(_) | Phase::Switched { .. } => AHEAD_BYTES_MAX,
            // It is forgotten.
            Phase::Last | Phase::Lingering => return TAKEN_BYTES_MAX,
            Phase::Over(_) => 0,
        };
        bytes_max.saturating_sub(self.received.len())
    }

    /// Takes what the client has sent.
    pub(in crate::router) fn take(&mut self, bytes: &[u8], terms: &Terms, moment: &Moment) {
        match self.phase {
            Phase::Last | Phase::Lingering | Phase::Over(_) => return,
            Phase::Head if self.received.is_empty() && !self.is_first => self.since_us = moment.us,
            Phase::Head | Phase::Body(_) | Phase::Asking(_) | Phase::Switched { .. } => {}
        }
        if !matches!(self.phase, Phase::Asking(_)) {
            self.moved_us = moment.us;
        }
        self.received.extend_from_slice(bytes);
        self.go_on(terms, moment);
    }

    /// Whoever passes the client on has not said who that is, or is not believed.
    #[cold]
    pub(in crate::router) fn refuse_introduction(&mut self, why: &str, terms: &Terms, moment: &Moment) {
        self.refuse(&OwnAnswer::new(400, why), false, terms, moment);
    }

    /// The client sends nothing more. What it asked for before is still answered.
    pub(in crate::router) fn end_client(&mut self) {
        self.client_ended = true;
        if matches!(self.phase, Phase::Head | Phase::Body(_) | Phase::Lingering) {
            self.phase = match self.to_client.is_empty() {
                true => Phase::Over(Ending::Closed),
                false => Phase::Last,
            };
        }
    }

    /// Reads requests until one needs something: more bytes, or a worker.
    pub(super) fn go_on(&mut self, terms: &Terms, moment: &Moment) {
        loop {
            match std::mem::replace(&mut self.phase, Phase::Head) {
                Phase::Head => match self.read_head(terms) {
                    Ok(Some(request)) => self.begin(request, terms, moment),
                    Ok(None) => return,
                    Err(refusal) => return self.refuse(&refusal.into(), false, terms, moment),
                },
                Phase::Body(mut body) => match body.1.take(&mut self.received) {
                    Ok(true) => {
                        let (request, collecting) = *body;
                        self.ask(request, Some(collecting), terms, moment);
                    }
                    Ok(false) => {
                        self.phase = Phase::Body(body);
                        return;
                    }
                    Err(error) => return self.refuse(&error.into(), body.0.asked.is_head, terms, moment),
                },
                other => {
                    self.phase = other;
                    return;
                }
            }
        }
    }

    fn read_head(&mut self, terms: &Terms) -> Result<Option<Request>, Refusal> {
        let Some(head) = self.scan.advance(&self.received, &terms.head_limits())? else { return Ok(None) };
        let request = Request::read(&self.received[head.clone()], &self.caller, terms);
        self.received.drain(..head.end);
        (self.scan, self.is_first) = (Scan::default(), false);
        request.map(Some)
    }

    /// A head is whole.
    fn begin(&mut self, request: Request, terms: &Terms, moment: &Moment) {
        if let Some(to) = self.to_https {
            let answer = OwnAnswer::elsewhere(request.by_https(to, terms));
            return self.answer_itself(&answer, request.asked.is_head, terms, moment);
        }
        let collecting = match request.body {
            // The other protocol begins where a body would.
            _ if request.upgrade => None,
            Body::None | Body::Length(0) => None,
            Body::Length(length) if length > terms.body_max() => {
                let answer = OwnAnswer::new(413, "the request body is larger than this server accepts");
                return self.refuse(&answer, request.asked.is_head, terms, moment);
            }
            Body::Length(length) => Some(Collecting::of_length(length)),
            Body::Chunked => Some(Collecting::of_chunks(terms.body_max())),
        };
        let Some(collecting) = collecting else { return self.ask(request, None, terms, moment) };
        if request.expects_continue && self.received.is_empty() {
            self.tell(CONTINUE, moment);
        }
        self.moved_us = moment.us;
        self.phase = Phase::Body(Box::new((request, collecting)));
    }
}
