//! The end of a connection: what is missing of an answer is sent and what is left of a request is read, so that closing
//! does not reset the connection under the answer (uWSGI's manual, "Nginx support"). Worker only.

use worker_protocol::response::Version;

use super::answered::Outcome;
use super::receive::Refusal;
use crate::config::model::RequestLimits;
use crate::handler::request::DeclaredBody;
use crate::sys::stream::Stream;
use crate::worker::body::RequestBody;
use crate::worker::exchange::Exchange;
use crate::worker::reply::Reply;

/// Longest time for which the rest of a refused or unread request is waited for.
const LINGER_US: u64 = 2_000_000;

/// Most bytes read and forgotten after a head that could not be understood, so that the peer gets the answer.
const LINGER_BYTES_MAX: u64 = 1 << 20;

/// Ends an exchange: whatever is missing of the answer is sent, whatever is left of the body is read.
pub(super) fn close(mut exchange: Exchange<'_>, waited_us: Option<u64>) -> Outcome {
    let (exception, read_failed) = (exchange.exception, exchange.body.failed());
    let notes = std::mem::take(&mut exchange.notes);
    if !exchange.reply.is_started() {
        exchange.answer_plainly(500, "The application gave no answer.\n");
    }
    let complete = exchange.reply.finish();
    let sent = exchange.reply.sent();
    if !complete && !sent.write_failed {
        log::warn!("the answer to {} ended before its announced length", exchange.named());
    }
    if exchange.body.remaining() > 0 && !exchange.body.failed() && exchange.stream.finish_writing().is_ok() {
        exchange.body.discard(LINGER_US);
    }
    Outcome { sent, waited_us, exception, read_failed, notes }
}

/// Answers what could not be understood, and lets the peer read the answer before the connection closes.
#[cold]
pub(super) fn refuse(stream: &Stream, answer: &mut Vec<u8>, limits: &RequestLimits, refusal: &Refusal) {
    let Refusal::Answer { status, reason } = refusal else { return };
    log::warn!("request refused with status {status}: {reason}");
    let silence_us = (limits.socket_timeout.as_micros() as u64).min(LINGER_US);
    let mut reply = Reply::new(stream, silence_us, answer, Version::Http11, false);
    reply.answer_plainly(*status, &format!("{reason}\n"));
    if reply.finish() && stream.finish_writing().is_ok() {
        RequestBody::new(stream, &[], LINGER_BYTES_MAX, LINGER_US).discard(LINGER_US);
    }
}
