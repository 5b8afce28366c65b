//! Whose an answer is, where two may give it: the thread of the request, and whoever minds its deadline. Worker only.

use std::fmt::Debug;

/// What the thread asks before and while it answers.
pub(crate) trait Claim: Sync + Debug {
    /// It is about to send the first byte. False: the request is over its time, and others have ended it. `shows_end`: who
    /// reads the answer knows whether it is whole.
    fn begin_answer(&self, shows_end: bool) -> bool;

    /// Whether others have ended the request.
    fn is_struck(&self) -> bool;
}
