//! What rules make of an answer: its head is shown to them before it goes, and where they answer instead, what the application
//! sends is dropped. Worker only.

use worker_protocol::response::Head;
use worker_protocol::wire::Form;

use super::headers::Headers;
use super::onlooker::Opinion;
use super::{Onlooker, Reply, State};

impl<'c> Reply<'c> {
    /// Whether rules answer in the place of an answer with this status.
    pub(super) fn is_replaced(&mut self, status: u16) -> bool {
        if self.seen.is_replaced {
            return true;
        }
        let Some(onlooker) = self.manner.onlooker.filter(|_| status >= 200) else { return false };
        if onlooker.replaces(status) {
            self.seen.is_replaced = true;
            self.state = State::Nothing;
        }
        self.seen.is_replaced
    }

    /// Shows a head that is ready to the rules, if it is about to go. True: what the application sends is dropped.
    /// So it is of what comes after the end of the body, which others send, and beside a file that stands for it.
    #[inline]
    pub(super) fn is_settled_otherwise(&mut self, goes: bool) -> bool {
        if self.handed.is_some() || self.named.is_some() {
            return true;
        }
        if let Some(onlooker) = self.manner.onlooker.filter(|_| goes && self.state == State::HeadReady) {
            self.show(onlooker);
        }
        self.seen.is_replaced
    }

    /// Shows a head that is about to go to the rules, unless they have seen it.
    fn show(&mut self, onlooker: &dyn Onlooker) {
        if std::mem::replace(&mut self.seen.is_judged, true) {
            return;
        }
        match onlooker.judge(self.sent.status) {
            Opinion::Goes => self.add_set(onlooker, self.seen.headers),
            Opinion::Cleared(status, reason) => self.clear(onlooker, status, reason.as_deref()),
            Opinion::Replaced => {
                self.seen.is_replaced = true;
                self.state = State::Nothing;
            }
        }
        self.seen.watches_body = !self.seen.is_replaced && onlooker.watches_body(self.sent.status);
    }

    /// Who looks at it.
    pub(crate) fn onlooker(&self) -> Option<&'c dyn Onlooker> {
        self.manner.onlooker
    }

    /// Shows a head to the rules of which no body has followed.
    pub(crate) fn settle(&mut self) {
        self.is_settled_otherwise(true);
    }

    /// Whether the answer of the rules is still to be given.
    pub(crate) fn awaits_rules(&self) -> bool {
        self.seen.is_replaced
    }

    /// From here on it is theirs.
    pub(crate) fn begin_instead(&mut self) {
        self.seen.is_replaced = false;
    }

    fn add_set(&mut self, onlooker: &dyn Onlooker, from: usize) {
        let (paused, said) = self.ready;
        let said = self.manner.is_http().then_some(said);
        let mut given = Headers::resume(Head::resume(self.head, paused), self.sent.status, said, self.left);
        if let Err(error) = given.add_set(onlooker, from) {
            log::warn!("a header that a rule sets is not sent: {error}");
        }
        (self.left, self.ready) = (given.length(), given.pause());
    }

    /// Begins the head anew; its body stays the application's.
    fn clear(&mut self, onlooker: &dyn Onlooker, status: u16, reason: Option<&str>) {
        let cleared = self.lay_head(status, reason.map(str::as_bytes));
        if let Err(error) = cleared {
            return log::warn!("the status that a rule sets is not sent: {error}");
        }
        self.add_set(onlooker, 0);
    }

    /// A head with a status and nothing else.
    fn lay_head(&mut self, status: u16, reason: Option<&[u8]>) -> Result<(), worker_protocol::response::Error> {
        let mut head = Vec::new();
        self.wrapping.begin(&mut head);
        let started = match self.manner.form {
            Form::Status | Form::Records { status_line: false, .. } => Head::start_cgi(&mut head, status, reason),
            _ => Head::start(&mut head, self.manner.version, status, reason),
        };
        let paused = started?.pause();
        *self.head = head;
        self.ready = (paused, Default::default());
        self.body_allowed = self.manner.body_allowed(status);
        (self.left, self.sent.status) = (None, status);
        Ok(())
    }
}
