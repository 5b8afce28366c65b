//! Who looks at an answer while it is made, and may change it or put another one in its place: rules of routing. Worker only.

use std::fmt::Debug;

use crate::handler::LogNotes;
use crate::routing::Answer;

/// What rules say to a head that is about to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Opinion {
    /// It goes, with the headers that were set meanwhile.
    Goes,
    /// It goes with this status and without what the application gave.
    Cleared(u16, Option<String>),
    /// Another answer takes its place, when the application has done.
    Replaced,
}

/// What is asked while an answer is made.
pub(crate) trait Onlooker: Sync + Debug {
    /// A status was set. True: another answer takes its place, when the application has done.
    fn replaces(&self, status: u16) -> bool;

    /// Whether a header of the application's is sent.
    fn lets_pass(&self, name: &[u8], value: &[u8]) -> bool;

    /// Headers that were set for the answer, from this one on.
    fn set_headers(&self, from: usize) -> Vec<(Vec<u8>, Vec<u8>)>;

    /// The head is about to go.
    fn judge(&self, status: u16) -> Opinion;

    /// The answer that takes the place of the application's.
    fn take_answer(&self) -> Option<Answer>;

    /// Notes what was said of the line in the log.
    fn note_into(&self, notes: &mut LogNotes);

    /// The head goes. Whether the body is to be shown as well.
    fn watches_body(&self, status: u16) -> bool;

    /// A piece of the body that goes.
    fn see_body(&self, piece: &[u8]);

    /// The answer has gone, all of it or as much as there was.
    fn end(&self, status: u16, body_bytes: u64, is_whole: bool);
}
