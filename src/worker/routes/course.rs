//! One request on its way through the rules, from before anything answers it to the last byte of its answer. Worker only.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use worker_protocol::head::RequestHead;
use worker_protocol::pairs::{Block, PathInfo};

use super::ground::{Caller, Ground};
use super::prepared::Routes;
use crate::escape;
use crate::handler::LogNotes;
use crate::routing::{Answer, CacheChange, Change, Request, Stage, Verdict, World as _};
use crate::sys::clock::epoch_us;
use crate::worker::process::Worker;
use crate::worker::reply::{Onlooker, Opinion};

/// The header by which a trusted proxy has the log say what rules do to its request.
const EXPLAIN: &[u8] = b"HTTP_X_RHINOD_EXPLAIN";

/// Largest body that is gathered for a cache.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// A request and what rules have made of it.
#[derive(Debug)]
pub(crate) struct Course<'c> {
    ground: Ground<'c>,
    /// A runtime may carry the exchange from thread to thread, so that a lock is needed, for which nobody ever waits.
    state: Mutex<State<'c>>,
    /// The request, for lines of the log that explain.
    named: Option<String>,
}

/// What changes on the way.
#[derive(Debug)]
struct State<'c> {
    request: Request<'c>,
    /// What rules answer in the place of the application, until it is given.
    answer: Option<Answer>,
    /// Which of the chains has answered.
    answered_by: Option<Stage>,
    /// The body as far as it has gone, if it is to be kept.
    body: Option<Vec<u8>>,
}

/// What the rules have made of a request before anything answers it.
#[derive(Debug, Default)]
pub(crate) struct Begun {
    /// The variables that are left, if they are others.
    pub(crate) block: Option<Vec<u8>>,
    /// The answer, if they give one.
    pub(crate) answer: Option<Answer>,
    /// How long the application may take, if they say so.
    pub(crate) deadline_s: Option<u64>,
}

impl<'c> Course<'c> {
    /// A request that has come.
    pub(crate) fn new(
        routes: &'c Routes<'c>,
        worker: &'c Worker<'c>,
        head: &'c RequestHead<'c>,
        caller: Caller<'c>,
    ) -> Self {
        let explains = worker.limits().trusts(head.remote_addr()) && head.block().get(EXPLAIN).is_some();
        let named = explains
            .then(|| format!("{} {}", escape::value(head.method_or_get().as_bytes()), escape::value(head.uri())));
        Self {
            ground: Ground { routes, worker, caller, started_us: epoch_us(), sent_bytes: AtomicU64::new(0) },
            state: Mutex::new(State {
                request: Request::new(head, explains),
                answer: None,
                answered_by: None,
                body: None,
            }),
            named,
        }
    }

    /// Has the rules look at it before anything answers.
    pub(crate) fn begin(&self) -> Begun {
        let answer = match self.run(Stage::Request) {
            Verdict::GoOn => None,
            Verdict::Answer(answer) => Some(answer),
        };
        let request = &mut self.state().request;
        // What cannot be read as a request is not for an application.
        let block = request.changed_block().map_err(|no_room| no_room.to_string()).and_then(|block| {
            block.as_deref().map_or(Ok(()), |block| read(block).map(|_| ()))?;
            Ok(block)
        });
        match block {
            Ok(block) => Begun { block, answer, deadline_s: request.deadline_s.take() },
            Err(why) => {
                let why = format!("what rules have made of the request is none: {why}");
                Begun { answer: Some(Answer::Failed { why }), ..Begun::default() }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State<'c>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, stage: Stage) -> Verdict {
        let state = &mut *self.state();
        let verdict = self.ground.routes.rules.run(stage, &mut state.request, &self.ground);
        if let Some(named) = &self.named {
            state.request.take_notes().iter().for_each(|note| log::info!("{named}: {}", escape::lines(note)));
        }
        if matches!(verdict, Verdict::Answer(_)) {
            state.answered_by = Some(stage);
        }
        verdict
    }

    /// Keeps in caches what rules want of a whole answer.
    fn keep(&self, status: u16, body_bytes: u64) {
        let state = &mut *self.state();
        let body = state.body.take().filter(|body| body.len() as u64 == body_bytes);
        for entry in state.request.to_keep.drain(..).filter(|entry| entry.status == status) {
            if let Some(value) = entry.value.as_ref().or(body.as_ref()) {
                let change = CacheChange { what: Change::Put(value), lifetime_s: entry.lifetime_s };
                self.ground.change_cache(&entry.cache, &entry.key, change);
            }
        }
    }

    /// Runs a chain on an answer; whether another one takes its place.
    fn look(&self, stage: Stage, status: u16) -> bool {
        self.state().request.status = status;
        match self.run(stage) {
            Verdict::GoOn => false,
            Verdict::Answer(answer) => self.state().answer.replace(answer).is_none(),
        }
    }
}

/// The request that a changed block is.
pub(crate) fn read(block: &[u8]) -> Result<RequestHead<'_>, String> {
    let block = Block::parse(block, usize::MAX).map_err(|error| error.to_string())?;
    RequestHead::read(block, PathInfo::AsSent).map_err(|error| error.to_string())
}

impl Onlooker for Course<'_> {
    fn replaces(&self, status: u16) -> bool {
        // An answer of its own does not run the chain that gave it again.
        let is_own = matches!(self.state().answered_by, Some(Stage::Error | Stage::Response));
        self.ground.routes.rules.has(Stage::Error) && !is_own && self.look(Stage::Error, status)
    }

    fn lets_pass(&self, name: &[u8], value: &[u8]) -> bool {
        let request = &mut self.state().request;
        let mut passes = true;
        for collected in self.ground.routes.collected {
            if name.eq_ignore_ascii_case(collected.header.as_bytes()) {
                // Where there is no room left, the header is not seen by rules.
                let _ = request.set(collected.variable.as_bytes(), value.to_vec());
                passes &= !collected.is_pulled;
            }
        }
        passes && !request.removed.iter().any(|removed| name.eq_ignore_ascii_case(removed))
    }

    fn set_headers(&self, from: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.state().request.added.get(from..).unwrap_or_default().to_vec()
    }

    fn judge(&self, status: u16) -> Opinion {
        if !self.ground.routes.rules.has(Stage::Response) || self.state().answered_by == Some(Stage::Response) {
            return Opinion::Goes;
        }
        self.state().request.cleared = None;
        if self.look(Stage::Response, status) {
            return Opinion::Replaced;
        }
        let cleared = self.state().request.cleared.take();
        cleared.map_or(Opinion::Goes, |(status, reason)| Opinion::Cleared(status, reason))
    }

    fn take_answer(&self) -> Option<Answer> {
        self.state().answer.take()
    }

    fn note_into(&self, notes: &mut LogNotes) {
        let request = &mut self.state().request;
        for (name, value) in request.log_variables.drain(..) {
            // There are bounds for them; what is beyond is not told.
            let _ = notes.set(&name, &value);
        }
        notes.silenced |= request.is_silent;
    }

    fn watches_body(&self, status: u16) -> bool {
        let state = &mut *self.state();
        let watches = state.request.to_keep.iter().any(|entry| entry.status == status && entry.value.is_none());
        state.body = watches.then(Vec::new);
        watches
    }

    fn see_body(&self, piece: &[u8]) {
        let state = &mut *self.state();
        match &mut state.body {
            Some(body) if body.len() + piece.len() <= KEPT_BYTES_MAX => body.extend_from_slice(piece),
            _ => state.body = None,
        }
    }

    fn end(&self, status: u16, body_bytes: u64, is_whole: bool) {
        if is_whole {
            self.keep(status, body_bytes);
        }
        self.state().request.status = status;
        self.ground.sent_bytes.store(body_bytes, Ordering::Relaxed);
        if self.ground.routes.rules.has(Stage::Final) {
            // The answer has gone: whatever they say to it comes too late.
            let _ = self.run(Stage::Final);
        }
    }
}
