//! What is kept of a websocket between two calls of the application. Worker only.

use crate::sys::wait::WaitSet;
use crate::websocket::{Incoming, Kind, Liveness};

/// A websocket, from its opening on.
#[derive(Debug)]
pub(in crate::worker) struct Session {
    pub(super) incoming: Incoming,
    pub(super) liveness: Liveness,
    pub(super) waiting: WaitSet,
    pub(super) standing: Standing,
    /// Whether it has given back what it does not need while nothing comes.
    pub(super) is_at_rest: bool,
    /// What the last message was.
    pub(super) last: Option<Kind>,
}

/// How far its end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Open,
    /// Both sides know of the end, or the other side has gone.
    Over,
    /// The other side is told, and has not said that it knows.
    Told,
}
