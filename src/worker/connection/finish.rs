//! The end of an exchange: what is missing of an answer is sent and what is left of a request is read, so that closing
//! does not reset the connection under the answer (uWSGI's manual, "Nginx support"). Worker only.

use worker_protocol::response::Version;
use worker_protocol::wire::Form;

use super::answered::{After, Outcome};
use super::receive::Refusal;
use crate::handler::LogNotes;
use crate::sys::stream::Stream;
use crate::worker::body::RequestBody;
use crate::worker::exchange::Exchange;
use crate::worker::reply::{DateText, Headers, Manner, Reply};
use crate::worker::routes::{Routes, give_instead};
use crate::worker::statics::send_named;

/// Longest time for which the rest of a refused or unread request is waited for.
pub(super) const LINGER_US: u64 = 2_000_000;

/// Most bytes read and forgotten after a head that could not be understood, so that the peer gets the answer.
pub(super) const LINGER_BYTES_MAX: u64 = 1 << 20;

/// Most bytes of a body that nobody read which are read for the sake of the next request on the connection.
const SKIPPED_BYTES_MAX: u64 = 64 * 1024;

/// Ends an exchange, and notes what came of it: whatever is missing of the answer is sent. What is left of the body is read
/// if it is here already; for the rest of it the connection must be waited on.
#[inline(always)]
pub(super) fn finish(exchange: &mut Exchange<'_>, routes: Option<&Routes<'_>>, outcome: &mut Outcome) -> After {
    if exchange.place.watch.is_struck() {
        return finish_overdue(exchange, outcome);
    }
    exchange.end_websocket();
    if !exchange.reply.is_started() {
        exchange.answer_plainly(500, "The application gave no answer.\n");
    }
    send_named(exchange);
    if let Some(routes) = routes {
        exchange.reply.settle();
        give_instead(routes, exchange);
    }
    note(exchange, outcome);
    let broken_off = exchange.broken_off;
    if exchange.exception || broken_off {
        exchange.reply.break_off();
    }
    if broken_off && exchange.reply.ends_by_closing() {
        // What is left of the request stays unread: on a unix socket that is what resets the connection.
        (outcome.sent, outcome.notes) = (exchange.reply.sent(), final_notes(exchange, false));
        return After::Cut;
    }
    let complete = exchange.reply.finish();
    (outcome.sent, outcome.notes) = (exchange.reply.sent(), final_notes(exchange, complete));
    if !complete && !outcome.sent.write_failed && !broken_off {
        log::warn!("the answer to {} ended before its announced length", exchange.named());
    }
    after(exchange)
}

/// Notes what does not change any more, whatever becomes of the answer.
#[inline(always)]
fn note(exchange: &Exchange<'_>, outcome: &mut Outcome) {
    outcome.received_us = exchange.body.waited_us();
    outcome.statically = exchange.statically;
    outcome.exception = exchange.exception;
    outcome.read_failed = exchange.body.failed();
}

/// What is to be said of the line in the log, now that the answer has gone.
#[inline(always)]
fn final_notes(exchange: &mut Exchange<'_>, is_whole: bool) -> LogNotes {
    if let Some(onlooker) = exchange.reply.onlooker() {
        let sent = exchange.reply.sent();
        onlooker.end(sent.status, sent.body_bytes, is_whole);
        onlooker.note_into(&mut exchange.notes);
    }
    std::mem::take(&mut exchange.notes)
}

/// The same for one whose time is over, which has been answered, or cut off, by others.
#[cold]
fn finish_overdue(exchange: &mut Exchange<'_>, outcome: &mut Outcome) -> After {
    exchange.reply.break_off();
    let answered = exchange.place.watch.answered();
    let after = match answered {
        Some(_) if exchange.body.outstanding() > 0 && !exchange.body.failed() => After::Lingers,
        Some(_) => After::Ends,
        None => After::Cut,
    };
    note(exchange, outcome);
    outcome.sent = answered.unwrap_or(exchange.reply.sent());
    outcome.notes = final_notes(exchange, false);
    after
}

#[inline(always)]
fn after(exchange: &mut Exchange<'_>) -> After {
    if exchange.is_websocket_to_linger() {
        return After::Lingers;
    }
    let persists = exchange.reply.persists();
    let body = &mut exchange.body;
    if body.is_awaited() {
        // It will not come, or it will come unasked.
        return After::Ends;
    }
    if persists && body.outstanding() > 0 {
        body.discard_what_is_here(SKIPPED_BYTES_MAX);
    }
    match (body.outstanding(), body.failed()) {
        (0, false) if persists => After::Persists,
        (1.., false) => After::Lingers,
        // What comes behind the last byte would reset the connection, too.
        (0, false) if body.lacks_end() => After::Lingers,
        _ => After::Ends,
    }
}

/// Ends a connection with one exchange: reads what the client still sends, for a time.
pub(super) fn linger(exchange: &mut Exchange<'_>) {
    if exchange.stream.finish_writing().is_err() {
        return;
    }
    match exchange.is_websocket_to_linger() {
        true => linger_after_refusal(exchange.stream),
        false => exchange.body.discard(LINGER_US),
    }
}

/// Answers what could not be understood, if there is a form for that. False: there is nobody to read an answer.
#[cold]
pub(super) fn refuse(
    stream: &Stream,
    answer: &mut Vec<u8>,
    form: Option<Form>,
    silence_us: u64,
    refusal: &Refusal,
) -> bool {
    let Refusal::Answer { status, reason, allow } = refusal else { return false };
    log::warn!("request refused with status {status}: {reason}");
    let Some(form) = form else { return false };
    let mut clock = DateText::default();
    let manner = Manner::of_our_own(form, Version::Http11, false, &mut clock);
    let mut reply = Reply::new(stream, silence_us.min(LINGER_US), answer, manner);
    let text = format!("{reason}\n");
    let headers = |headers: &mut Headers<'_>| {
        headers.add(b"Content-Type", b"text/plain; charset=utf-8")?;
        allow.map_or(Ok(()), |allow| headers.add(b"Allow", allow.as_bytes()))
    };
    let started = reply.start(*status, None, Some(text.len() as u64), headers);
    started.is_ok() && reply.send_whole(text.as_bytes()).is_ok() && reply.finish() && stream.finish_writing().is_ok()
}

/// Reads and forgets what a peer sends on whose request was refused.
pub(super) fn linger_after_refusal(stream: &Stream) {
    RequestBody::of_nobody(stream, LINGER_BYTES_MAX, LINGER_US).discard(LINGER_US);
}
