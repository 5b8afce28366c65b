//! How long who is waited for, what becomes of a conversation that has waited long enough, and how it ends. Pure; used in
//! the router.

use super::answering::LATE;
use super::delivery::Reached;
use super::own_answer::OwnAnswer;
use super::state::{Asking, Conversation, Ending, Phase};
use super::terms::{Moment, Terms};
use crate::router::alarms::micros;

/// How long a client may take to end its side after the last answer, so that it gets to read all of it.
const LINGER_US: u64 = 2_000_000;

impl Conversation {
    /// Whether it ends now, and how. Of [`Ending::Half`] is told once.
    pub(in crate::router) fn ending(&mut self, moment: &Moment) -> Ending {
        match self.phase {
            Phase::Over(ending) => ending,
            Phase::Last if self.to_client.is_empty() => {
                if self.client_ended {
                    return Ending::Closed;
                }
                (self.phase, self.since_us) = (Phase::Lingering, moment.us);
                Ending::Half
            }
            _ => Ending::NotYet,
        }
    }

    /// Whether the client owes nothing: it may come with another request, or not.
    pub(in crate::router) fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Head) && self.scan.is_idle(&self.received)
    }

    /// The router was told to go: an answer that is still to come is the last one. A client that is about to say something gets
    /// a moment for it.
    pub(in crate::router) fn hurry(&mut self, moment: &Moment) {
        match &mut self.phase {
            Phase::Body(body) => body.0.asked.persistent = false,
            Phase::Asking(asking) => asking.delivery.be_last(),
            _ => {}
        }
        if self.is_idle() {
            (self.is_first, self.since_us) = (true, moment.us);
        }
    }

    /// Until when it waits for what it waits for.
    pub(in crate::router) fn until_us(&self, terms: &Terms) -> u64 {
        let (patience_us, head_us) = (micros(terms.routers.patience), micros(terms.routers.head_patience));
        if !self.to_client.is_empty() {
            return self.taken_us.saturating_add(patience_us);
        }
        match &self.phase {
            Phase::Head if self.is_idle() && !self.is_first && !terms.is_leaving => {
                self.since_us.saturating_add(micros(terms.keep_alive))
            }
            Phase::Head => self.since_us.saturating_add(head_us),
            Phase::Body(_) => self.moved_us.saturating_add(patience_us),
            Phase::Asking(asking) if !asking.upload.has_begun() => {
                let connecting = terms.routers.connect_patience.unwrap_or(terms.routers.patience);
                self.moved_us.saturating_add(micros(connecting))
            }
            Phase::Asking(_) => self.moved_us.saturating_add(patience_us),
            // Who speaks another protocol knows how long it waits for what.
            Phase::Switched { .. } | Phase::Last | Phase::Over(_) => u64::MAX,
            Phase::Lingering => self.since_us.saturating_add(LINGER_US),
        }
    }

    /// It has waited long enough.
    pub(in crate::router) fn expire(&mut self, terms: &Terms, moment: &Moment) {
        if !self.to_client.is_empty() {
            self.phase = Phase::Over(Ending::Cut);
            return;
        }
        match &self.phase {
            Phase::Head if self.is_idle() => self.phase = Phase::Over(Ending::Closed),
            Phase::Head => {
                let answer = OwnAnswer::new(408, "the head of the request did not come in time");
                self.refuse(&answer, false, terms, moment);
            }
            Phase::Body(body) => {
                let is_head = body.0.asked.is_head;
                self.refuse(&OwnAnswer::new(408, "the request body did not come in time"), is_head, terms, moment);
            }
            Phase::Asking(asking) => {
                let why = why_late(asking);
                self.fail_with(504, why, terms, moment);
            }
            Phase::Switched { .. } | Phase::Last | Phase::Lingering | Phase::Over(_) => {
                self.phase = Phase::Over(Ending::Closed);
            }
        }
    }
}

fn why_late(asking: &Asking) -> &'static str {
    match asking.delivery.reached() {
        Reached::Nothing if !asking.upload.has_begun() => LATE,
        Reached::Nothing => "no answer came in time (http-timeout)",
        _ => "an answer did not go on in time (http-timeout)",
    }
}
