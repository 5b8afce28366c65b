//! A connection as it comes from the accept loop. Worker only.

use worker_protocol::wire::Protocol;

use crate::sys::stream::Stream;
use crate::worker::process::Worker;

/// A connection that was accepted, and by whom.
#[derive(Debug)]
pub(crate) struct Connection<'w> {
    pub(crate) worker: &'w Worker<'w>,
    /// Which of the worker's threads, from 0.
    pub(crate) core: usize,
    pub(crate) stream: Stream,
    /// What is spoken on it.
    pub(crate) protocol: Protocol,
    /// When the wait for it ended.
    pub(crate) started_us: u64,
}
