//! What a body that comes wrapped keeps while it is unwrapped; doing so is in `wrapped`. Worker only.

use worker_protocol::wire::Wrapped;

/// A body that comes wrapped.
#[derive(Debug)]
pub(super) struct Unwrapping<'c> {
    pub(super) wrapped: Wrapped<'c>,
    /// Read from the socket, still wrapped from `at` on.
    pub(super) read: Vec<u8>,
    pub(super) at: usize,
    /// What has come of the chunk that [`super::RequestBody::read_chunk`] waits for.
    pub(super) chunk: Vec<u8>,
}

impl<'c> Unwrapping<'c> {
    pub(super) fn new(wrapped: Wrapped<'c>) -> Self {
        Self { wrapped, read: Vec::new(), at: 0, chunk: Vec::new() }
    }

    /// What was read and is still wrapped.
    pub(super) fn beyond(&self) -> &[u8] {
        &self.read[self.at..]
    }
}
