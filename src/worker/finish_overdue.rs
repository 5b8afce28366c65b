//! The end of an exchange whose time is over, from outside of its thread: an answer if none has begun, a cut if one has.
//! Worker only.

use worker_protocol::response::Version;
use worker_protocol::wire::Form;

use super::reply::{DateText, Manner, Reply, Sent};
use crate::sys::stream::Stream;

/// What an answer must be like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) form: Form,
    pub(super) version: Version,
    pub(super) is_head: bool,
}

/// What the client reads.
const TEXT: &str = "The application did not answer in time.\n";

/// Answers with 504, of which nothing is waited for: nothing was sent before, so that there is room. What was sent.
pub(super) fn send_timeout(stream: &Stream, asked: Asked) -> Sent {
    let Asked { form, version, is_head } = asked;
    let (mut clock, mut buffer) = (DateText::default(), Vec::new());
    let manner = Manner::of_our_own(form, version, is_head, &mut clock);
    let mut reply = Reply::new(stream, 0, &mut buffer, manner);
    reply.answer_plainly(504, TEXT);
    reply.finish();
    let sent = reply.sent();
    // A client that has gone has no use for an end.
    let _ = stream.finish_writing();
    sent
}

/// Ends an answer that has begun, so that it is not taken for whole. Where that can be told by nothing but silence (bytes
/// until the end, on a unix socket), it stays open until its thread or its worker ends.
pub(super) fn cut_off(stream: &Stream, shows_end: bool) {
    if shows_end {
        // A client that has gone knows already.
        let _ = stream.cut();
    } else {
        stream.reset();
    }
}
