//! What outlives the handling of a request: an answer that others send on, or a connection that must stay silent. Worker
//! only.

use super::answered::After;
use crate::sys::stream::Stream;
use crate::worker::reply::Transfer;

/// An answer that others send on (`offload-threads`).
#[derive(Debug)]
pub(crate) struct Handed {
    pub(super) transfer: Box<Transfer>,
    /// What becomes of the connection then.
    pub(super) after: After,
    /// The beginning of the next request.
    pub(super) beyond: Vec<u8>,
}

/// What is left of a connection with one request.
#[derive(Debug)]
pub(crate) enum Leftover {
    /// Its answer broke off, and its end would be taken for that of the answer.
    Silent(Stream),
    /// Others send the rest of its answer.
    Handed(Stream, Box<Handed>),
}
