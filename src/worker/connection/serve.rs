//! Having a request answered: chooses what answers it, by what the request says. It knows of no protocol. Worker only.

use worker_protocol::head::RequestHead;

use super::accepted::Connection;
use super::answered::Outcome;
use super::finish::close;
use crate::handler::LogNotes;
use crate::sys::clock::epoch_us;
use crate::worker::body::RequestBody;
use crate::worker::exchange::{Exchange, Service};
use crate::worker::hearsay::tell_of_hearsay;
use crate::worker::reply::Reply;

/// Has a request answered, up to the last byte of the answer. `rest` is what came together with the head.
pub(super) fn serve<'c, S: Service + ?Sized>(
    service: &S,
    connection: &'c Connection<'c>,
    head: &'c RequestHead<'c>,
    rest: &'c [u8],
    answer: &'c mut Vec<u8>,
) -> Outcome {
    let Connection { worker, core, stream, .. } = connection;
    let limits = worker.limits();
    let silence_us = limits.socket_timeout.as_micros() as u64;
    let length = head.content_length.unwrap_or(0);
    tell_of_hearsay(worker, head);
    let arrival_us = head.arrival_us(limits.trusts(head.remote_addr));
    let waited_us = arrival_us.map(|arrival_us| epoch_us().saturating_sub(arrival_us));
    let mut exchange = Exchange {
        body: RequestBody::new(stream, rest, length, silence_us),
        reply: Reply::new(stream, silence_us, answer, head.response_version(), head.method == "HEAD"),
        head,
        worker,
        core: *core,
        stream,
        exception: false,
        notes: LogNotes::default(),
    };
    if limits.body_max.is_some_and(|body_max| length > body_max) {
        exchange.answer_plainly(413, "The request body is larger than this server accepts.\n");
    } else {
        service.serve(&mut exchange);
    }
    close(exchange, waited_us)
}
