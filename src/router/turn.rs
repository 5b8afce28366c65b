//! What becomes of a connection that has moved what it could. Pure; used in the router.

use std::io;

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It waits for something to be read or written, until then.
    Waits {
        /// A moment of the monotonic clock.
        until_us: u64,
    },
    /// There is more to be moved, when others have had their turn.
    Again,
    /// The workers' queue is full; it is to be tried again a little later.
    Blocked,
    /// It has ended.
    Ended,
}

/// Why it does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    Blocked,
    Ended,
}

impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Stop {
        Stop::Ended
    }
}

/// How often one connection moves bytes before others have their turn.
pub(super) const STEPS_MAX: usize = 16;
