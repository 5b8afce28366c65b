//! The account of a request that was answered, and whose connection is closed. Worker only.

use worker_protocol::head::RequestHead;
use worker_protocol::scoreboard::Served;
use worker_protocol::wire::Envelope;

use crate::handler::LogNotes;
use crate::otlp::Place;
use crate::worker::reply::Sent;

/// What came of a request.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) sent: Sent,
    /// How long the request waited for us, in microseconds, where the web server tells its arrival.
    pub(crate) waited_us: Option<u64>,
    /// How long the body was waited for, in microseconds.
    pub(crate) received_us: u64,
    /// Whether a file is the answer, and no application was asked.
    pub(crate) statically: bool,
    pub(crate) exception: bool,
    pub(crate) read_failed: bool,
    /// What the application wants of its line in the log.
    pub(crate) notes: LogNotes,
    /// Where it stands in its trace, if anybody is told of requests.
    pub(crate) place: Option<Place>,
}

/// What becomes of the connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// Another request may follow.
    Persists,
    /// It ends.
    Ends,
    /// It ends, but the client has not read the answer yet for all we know, and sends on.
    Lingers,
    /// It ends, but not so that the end could be taken for that of the answer.
    Cut,
}

/// A request and what came of it.
#[derive(Debug)]
pub(crate) struct Answered<'b> {
    pub(crate) head: &'b RequestHead<'b>,
    /// What the protocol says of the request besides its variables.
    pub(crate) envelope: Envelope,
    pub(crate) outcome: &'b Outcome,
}

impl Answered<'_> {
    /// The same, as the scoreboard counts it.
    pub(crate) fn served(&self) -> Served {
        let Outcome { sent, statically, exception, read_failed, .. } = self.outcome;
        Served {
            sent_bytes: sent.head_bytes as u64 + sent.body_bytes,
            statically: *statically,
            offloaded: sent.by_offload,
            exception: *exception,
            failed: *exception || sent.status >= 500,
            read_error: *read_failed,
            write_error: sent.write_failed,
        }
    }
}
