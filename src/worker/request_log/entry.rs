//! What a line of the log is made of. Worker only.

use worker_protocol::post::Post;

use crate::config::model::Logging;
use crate::worker::connection::Answered;

/// One finished request.
pub(crate) struct Entry<'a> {
    pub(crate) request: &'a Answered<'a>,
    /// Start, in microseconds since the epoch.
    pub(crate) started_epoch_us: u64,
    pub(crate) took_us: u64,
    pub(crate) pid: u32,
    pub(crate) post: Post,
    pub(crate) core: usize,
    /// Counts the requests of this worker, and of all workers of the instance.
    pub(crate) requests: &'a dyn Fn() -> (u64, u64),
    /// Resident and virtual size in bytes, with `memory-report`.
    pub(crate) memory: Option<(u64, u64)>,
    /// Of this core since the worker was born.
    pub(crate) read_errors: u32,
    /// The same.
    pub(crate) write_errors: u32,
    /// A figure of the instance by its name in uWSGI's metrics.
    pub(crate) metric: &'a dyn Fn(&str) -> Option<u64>,
}

/// What uWSGI calls the number of variables: it counts the strings on the wire, so keys and values.
pub(super) fn strings_count(request: &Answered<'_>) -> usize {
    2 * request.envelope.variables_count
}

/// The client, as the operator wants it named.
pub(super) fn client_address<'r>(logging: &Logging, request: &Answered<'r>) -> &'r [u8] {
    let head = &request.head;
    if logging.forwarded_for && !head.forwarded_for().is_empty() { head.forwarded_for() } else { head.remote_addr() }
}
