//! What follows an action, and why one cannot be carried out. Pure.

use crate::routing::answer::Answer;
use crate::routing::state::NoRoom;

/// What follows an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::routing) enum Step {
    Next,
    /// The chain ends, the request goes on.
    Continue,
    Jump(usize),
    JumpToLabel(Vec<u8>),
    Answer(Answer),
}

/// Why an action cannot be carried out.
pub(in crate::routing) enum Failure {
    /// What the client sent would forge something: 400.
    Forged(String),
    /// 500.
    Other(String),
}

impl From<NoRoom> for Failure {
    fn from(no_room: NoRoom) -> Failure {
        Failure::Other(no_room.to_string())
    }
}
