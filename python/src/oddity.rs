//! What applications do against PEP 3333 that uWSGI lets pass and that costs nobody anything: it passes here, too, with a
//! word in the log, once for each kind in each worker. Whatever would lose or forge a byte is an error. Worker.

use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::Python;

use crate::ffi::lease::Lease;

/// One kind of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Oddity {
    /// A piece of the body that is no bytes and carries none.
    EmptyPiece,
    /// `start_response` was called again without `exc_info`, before anything was sent.
    StartedAgain,
    /// Nothing was returned, after `start_response`.
    NoResult,
    /// A `Content-Length` that is no number.
    NoLength,
}

/// The kinds that have been told.
static TOLD: AtomicU32 = AtomicU32::new(0);

impl Oddity {
    /// Tells of it, the first time that it is there. `what` is the thing itself.
    pub(crate) fn tell(self, py: Python<'_>, lease: &Lease, what: impl FnOnce() -> String) {
        let bit = 1 << self as u32;
        if TOLD.fetch_or(bit, Ordering::Relaxed) & bit != 0 {
            return;
        }
        let request = lease.with(py, |exchange| exchange.named());
        let (what, request) = (what(), request.unwrap_or_default());
        let against = match self {
            Self::EmptyPiece => format!("{what} is a piece of the answer, where bytes are wanted: it is skipped"),
            Self::StartedAgain => format!("{what} without exc_info: the last call counts"),
            Self::NoResult => format!("{what}, where an iterable of bytes is wanted: the answer is empty"),
            Self::NoLength => format!("{what}, which is no number: the header is left out"),
        };
        log::warn!("{request}: {against} (PEP 3333; this worker will not say so again)");
    }
}
