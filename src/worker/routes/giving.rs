//! Sending what rules answer with. Worker only.

use std::io;

use worker_protocol::http::date::imf_fixdate;

use super::ground::path_of;
use super::prepared::Routes;
use super::relaying::relay;
use crate::escape;
use crate::routing::{Answer, FileAnswer};
use crate::sys::beneath::{Found, RegularFile, look_up};
use crate::worker::exchange::Exchange;
use crate::worker::reply::{Headers, StartError};

/// What a rule may not do comes with the status of this page.
const FAILED: &str = "Internal Server Error\n";

/// Gives the answer that rules have put in the place of the application's, if they have.
pub(in crate::worker) fn give_instead(routes: &Routes<'_>, exchange: &mut Exchange<'_>) {
    let Some(onlooker) = exchange.reply.onlooker().filter(|_| exchange.reply.awaits_rules()) else { return };
    exchange.reply.begin_instead();
    if let Some(answer) = onlooker.take_answer() {
        give(routes, exchange, answer);
    }
    // Those that look at the head of an answer may answer in its place as well; then there are no others.
    exchange.reply.settle();
    if exchange.reply.awaits_rules() {
        exchange.reply.begin_instead();
        if let Some(answer) = onlooker.take_answer() {
            give(routes, exchange, answer);
        }
    }
}

/// Gives an answer.
pub(in crate::worker) fn give(routes: &Routes<'_>, exchange: &mut Exchange<'_>, answer: Answer) {
    let outcome = match answer {
        Answer::Status { status, reason } => {
            let page = exchange.reply.page(status);
            let media_type: &[u8] = if page.is_some() { b"text/html" } else { b"text/plain" };
            let headers = |headers: &mut Headers<'_>| {
                headers.add(b"Connection", b"close")?;
                headers.add(b"Content-Type", media_type)
            };
            let length = page.as_ref().map(Vec::len);
            send(exchange, (status, reason.as_deref()), length, &page.unwrap_or_default(), headers)
        }
        Answer::Phrase(status) => {
            let phrase = worker_protocol::response::standard_reason(status);
            let kind = |headers: &mut Headers<'_>| headers.add(b"Content-Type", b"text/plain");
            send(exchange, (status, None), Some(phrase.len()), phrase.as_bytes(), kind)
        }
        Answer::Redirect { is_permanent, to } => {
            let (status, text) = if is_permanent { (301, "Moved Permanently") } else { (302, "Moved") };
            send(exchange, (status, None), None, text.as_bytes(), |headers| headers.add(b"Location", &to))
        }
        Answer::Unauthorized { realm } => {
            let challenge = format!("Basic realm=\"{realm}\"");
            let headers = |headers: &mut Headers<'_>| headers.add(b"WWW-Authenticate", challenge.as_bytes());
            send(exchange, (401, Some("Authorization Required")), None, b"Unauthorized", headers)
        }
        Answer::Static { path } => {
            if !routes.statics.answer_with_file(exchange, path_of(&path)) {
                missing(exchange, &path);
            }
            Ok(())
        }
        Answer::Cached(cached) => {
            let headers = |headers: &mut Headers<'_>| {
                headers.add(b"Content-Type", cached.content_type.as_bytes())?;
                if !cached.coding.is_empty() {
                    headers.add(b"Content-Encoding", cached.coding.as_bytes())?;
                }
                match cached.expires_s {
                    0 => Ok(()),
                    expires_s => headers.add(b"Expires", &imf_fixdate(expires_s)),
                }
            };
            let length = (!cached.without_length).then_some(cached.body.len());
            send(exchange, (200, None), length, &cached.body, headers)
        }
        Answer::Whole(whole) => {
            let headers =
                |headers: &mut Headers<'_>| whole.headers.iter().try_for_each(|(name, value)| headers.add(name, value));
            send(exchange, (whole.status, whole.reason.as_deref()), Some(whole.body.len()), &whole.body, headers)
        }
        Answer::Relayed(to) => {
            relay(exchange, &to);
            Ok(())
        }
        Answer::File(file) => send_file(routes, exchange, &file),
        Answer::Text { status, body } => send(exchange, (status, None), None, &body, |_| Ok(())),
        Answer::Forged { why } => {
            log::warn!("{} is refused: {}", exchange.named(), escape::lines(&why));
            exchange.answer_plainly(400, "Bad Request\n");
            Ok(())
        }
        Answer::Failed { why } => {
            log::error!("{}: {}", exchange.named(), escape::lines(&why));
            exchange.answer_plainly(500, FAILED);
            Ok(())
        }
    };
    if let Err(error) = outcome
        && !exchange.reply.sent().write_failed
    {
        exchange.break_off(&format!("what a rule answers: {error}"));
    }
}

fn send(
    exchange: &mut Exchange<'_>,
    (status, reason): (u16, Option<&str>),
    length: Option<usize>,
    body: &[u8],
    headers: impl FnOnce(&mut Headers<'_>) -> Result<(), StartError>,
) -> io::Result<()> {
    let length = length.map(|bytes| bytes as u64);
    exchange.reply.start(status, reason.map(str::as_bytes), length, headers).map_err(started)?;
    exchange.reply.send_whole(body)
}

fn send_file(routes: &Routes<'_>, exchange: &mut Exchange<'_>, answer: &FileAnswer) -> io::Result<()> {
    let path = [&answer.top[..], &answer.rest].concat();
    let Some(file) = open(answer) else {
        missing(exchange, &path);
        return Ok(());
    };
    let by_name = answer.by_name.then(|| routes.statics.media_type(path_of(&path))).flatten();
    let kind = by_name.unwrap_or(if answer.content_type.is_empty() { "text/html" } else { &answer.content_type });
    exchange.statically = true;
    let length = file.length();
    let headers = |headers: &mut Headers<'_>| {
        if !answer.without_length && !answer.without_headers {
            headers.add(b"Content-Length", length.to_string().as_bytes())?;
        }
        if answer.without_headers { Ok(()) } else { headers.add(b"Content-Type", kind.as_bytes()) }
    };
    exchange.reply.start(answer.status, None, None, headers).map_err(started)?;
    exchange.reply.send_last_file(&file, 0, length)
}

/// The file, if it is where the rule may look.
fn open(answer: &FileAnswer) -> Option<RegularFile> {
    let found = match answer.top.is_empty() {
        true => look_up(path_of(&answer.rest), b"", &[]),
        false => look_up(path_of(&answer.top), &answer.rest, &[]),
    };
    match found {
        Ok(Found::File(file)) => Some(file),
        _ => None,
    }
}

#[cold]
fn missing(exchange: &mut Exchange<'_>, path: &[u8]) {
    log::warn!("{}: a rule answers with {}, which cannot be served", exchange.named(), escape::value(path));
    exchange.answer_plainly(404, "Not Found\n");
}

fn started(error: StartError) -> io::Error {
    io::Error::other(error)
}
