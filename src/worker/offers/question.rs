//! What another instance asks, and where it is answered. Worker only.

use worker_protocol::wire::Envelope;

use crate::sys::stream::Stream;
use crate::worker::place::Place;
use crate::worker::process::Worker;

/// What is asked.
#[derive(Debug)]
pub(in crate::worker) struct Question<'b> {
    /// The packet's block.
    pub(in crate::worker) block: &'b [u8],
    /// What came with it.
    pub(in crate::worker) rest: &'b [u8],
    pub(in crate::worker) envelope: Envelope,
}

/// Where it is answered.
pub(in crate::worker) struct Stand<'c> {
    pub(in crate::worker) worker: &'c Worker<'c>,
    pub(in crate::worker) place: Place<'c>,
    pub(in crate::worker) stream: &'c Stream,
}
