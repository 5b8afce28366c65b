//! What keeps an answer from being started. Worker only.

use worker_protocol::response;

/// Why an answer cannot be started. The application's fault.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Status or headers are not fit to be sent.
    #[error(transparent)]
    Head(#[from] response::Error),
    /// A `Content-Length` that is no number, or two that differ.
    #[error("the Content-Length header is not one decimal number")]
    ContentLength,
    /// A `Transfer-Encoding` of the application's own, which would have to be undone and done again.
    #[error("the headers have a Transfer-Encoding, which is the server's business (PEP 3333, \"Other HTTP Features\")")]
    TransferEncoding,
    /// Part of another answer is on the wire already.
    #[error("an answer was already being sent")]
    AlreadySent,
}
