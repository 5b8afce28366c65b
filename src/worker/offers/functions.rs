//! A function of the application, called by another instance or, as if it were a page, by a web server. It has the deadline of a
//! request, and is accounted for as one. Worker only.

use worker_protocol::head::RequestHead;
use worker_protocol::pairs::{self, Block, PathInfo};
use worker_protocol::response::Version;
use worker_protocol::rpc::{Call, RESULT_BYTES_MAX, before_result};
use worker_protocol::wire::Form;

use super::question::{Question, Stand};
use crate::escape;
use crate::worker::body::write_all;
use crate::worker::claim::Claim as _;
use crate::worker::connection::{Answered, Outcome};
use crate::worker::exchange::Service;
use crate::worker::finish_overdue::Asked;
use crate::worker::reply::{DateText, Headers, Manner, Reply, Sent};

/// More variables than the head has that stands for a call.
const VARIABLES_MAX: usize = 8;

/// What a result is where the caller does not say what it takes.
const MEDIA_TYPE: &[u8] = b"application/binary";

/// How the result goes (`modifier2`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way<'b> {
    /// In a packet.
    Packet,
    /// Bare.
    Bare,
    /// As the answer to a web request, of this media type.
    Answer(&'b [u8]),
}

/// Has the function called, and answers with its result.
pub(super) fn answer<S: Service + ?Sized>(
    service: &S,
    question: &Question<'_>,
    stand: &Stand<'_>,
    account: impl FnOnce(&Answered<'_>),
) {
    let Some((call, way)) = read(question) else {
        return log::warn!("a call from elsewhere is none that is known here");
    };
    let block = block_of(call.function);
    let Ok(head) = Block::parse(&block, VARIABLES_MAX).map(|block| RequestHead::read(block, PathInfo::AsSent)) else {
        return;
    };
    let Ok(head) = head else {
        return log::warn!("the function {} cannot be called from elsewhere", escape::value(call.function));
    };
    let Stand { worker, place, stream } = stand;
    let asked = Asked { form: Form::Plain, version: Version::Http10, is_head: false };
    let sent = place.watch.during(stream, &head, asked, worker.harakiri_us(), |due_us| {
        if let Some(due_us) = due_us {
            place.guard.look_by(due_us);
        }
        let result = service.call(place.core, place.watch, &call).filter(|result| fits(&call, result));
        match place.watch.begin_answer(true) {
            true => send(stand, way, result),
            false => place.watch.answered().unwrap_or_default(),
        }
    });
    let outcome = Outcome { sent, ..Outcome::default() };
    account(&Answered { head: &head, envelope: question.envelope, outcome: &outcome });
}

/// What is called, and how the result goes.
fn read<'b>(question: &Question<'b>) -> Option<(Call<'b>, Way<'b>)> {
    match question.envelope.modifiers.1 {
        0 => Some((Call::read(question.block)?, Way::Packet)),
        1 => Some((Call::read(question.block)?, Way::Bare)),
        2 => {
            let block = Block::parse(question.block, usize::from(u16::MAX)).ok()?;
            let accepted = block.get(b"HTTP_ACCEPT").unwrap_or_default();
            let media_type = if is_media_type(accepted) { accepted } else { MEDIA_TYPE };
            Some((Call::of_path(block.get(b"PATH_INFO")?)?, Way::Answer(media_type)))
        }
        _ => None,
    }
}

/// Whether this is one media type, rather than a list or a range of them.
fn is_media_type(text: &[u8]) -> bool {
    let is_name = |part: &[u8]| {
        !part.is_empty() && part.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(byte))
    };
    let mut parts = text.splitn(2, |byte| *byte == b'/');
    parts.next().is_some_and(is_name) && parts.next().is_some_and(is_name)
}

/// The request that stands for a call in the log and in the statistics.
fn block_of(function: &[u8]) -> Vec<u8> {
    let path = [b"/", function].concat();
    let mut block = Vec::new();
    let variables: [(&[u8], &[u8]); 3] = [(b"REQUEST_METHOD", b"RPC"), (b"REQUEST_URI", &path), (b"PATH_INFO", &path)];
    for (key, value) in variables {
        // A function's name came in a packet with less in it than a packet has room for.
        let _ = pairs::append(&mut block, 0, key, value);
    }
    block
}

fn fits(call: &Call<'_>, result: &[u8]) -> bool {
    if result.len() > RESULT_BYTES_MAX {
        let name = escape::value(call.function);
        log::error!(
            "the result of {name} has {} bytes: more than {RESULT_BYTES_MAX} do not go elsewhere",
            result.len()
        );
    }
    !result.is_empty() && result.len() <= RESULT_BYTES_MAX
}

/// Sends a result; what went.
fn send(stand: &Stand<'_>, way: Way<'_>, result: Option<Vec<u8>>) -> Sent {
    let silence_us = stand.worker.limits().socket_timeout.as_micros() as u64;
    let status = if result.is_some() { 200 } else { 404 };
    let head = match (way, &result) {
        (Way::Answer(media_type), _) => return send_page(stand, media_type, status, result.as_deref(), silence_us),
        (Way::Packet, Some(result)) => before_result(result.len()),
        _ => Vec::new(),
    };
    let body = result.unwrap_or_default();
    let written = write_all(stand.stream, &head, silence_us).and_then(|()| write_all(stand.stream, &body, silence_us));
    Sent {
        status,
        head_bytes: head.len(),
        body_bytes: body.len() as u64,
        write_failed: written.is_err(),
        ..Sent::default()
    }
}

fn send_page(stand: &Stand<'_>, media_type: &[u8], status: u16, result: Option<&[u8]>, silence_us: u64) -> Sent {
    let (mut clock, mut head) = (DateText::default(), Vec::new());
    let manner = Manner::of_our_own(Form::Plain, Version::Http11, false, &mut clock);
    let mut reply = Reply::new(stand.stream, silence_us, &mut head, manner);
    match result {
        Some(result) => {
            let length = Some(result.len() as u64);
            let headers = |headers: &mut Headers<'_>| headers.add(b"Content-Type", media_type);
            if reply.start(status, None, length, headers).is_ok() {
                // What could not be sent is accounted for.
                let _ = reply.send_whole(result);
            }
        }
        None => reply.answer_plainly(status, "Not Found\n"),
    }
    reply.finish();
    reply.sent()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_media_type_comes_back_to_who_accepts_it() {
        for (text, is) in [
            ("text/plain", true),
            ("application/vnd.x+json", true),
            ("*/*", false),
            ("text/html, text/plain", false),
            ("text/html\r\nX: y", false),
            ("", false),
            ("text/", false),
        ] {
            assert_eq!(is_media_type(text.as_bytes()), is, "{text:?}");
        }
    }

    #[test]
    fn a_call_stands_in_the_log_as_a_request() {
        let block = block_of(b"add");
        let head = RequestHead::read(Block::parse(&block, VARIABLES_MAX).unwrap(), PathInfo::AsSent).unwrap();
        assert_eq!((head.method, head.uri()), ("RPC", &b"/add"[..]));
    }
}
