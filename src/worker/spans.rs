//! What collectors of OpenTelemetry's are told of a request (`tracing`), and what its application is told of its trace. Worker
//! only; nobody waits here.

use worker_protocol::head::RequestHead;

use super::connection::Answered;
use super::process::Worker;
use super::routes::read;
use super::tracing::{PARENT, STATE, Tracing};
use crate::otlp::{self, Place, Span};
use crate::routing::Request;
use crate::sys::clock::epoch_us;

/// Tells of a request that was answered, if its trace is told of.
#[inline(always)]
pub(super) fn tell(worker: &Worker<'_>, request: &Answered<'_>, took_us: u64, thread: usize) {
    if let Some(tracing) = worker.tracing() {
        post(tracing, worker, request, took_us, thread);
    }
}

fn post(tracing: &Tracing<'_>, worker: &Worker<'_>, request: &Answered<'_>, took_us: u64, thread: usize) {
    let Answered { head, outcome, .. } = request;
    let Some(place) = outcome.place.filter(|place| place.own.is_sampled) else { return };
    let ended_ns = epoch_us().saturating_mul(1_000);
    let trusts = worker.limits().trusts(head.remote_addr());
    tracing.post(&Span {
        place,
        began_ns: ended_ns.saturating_sub(took_us.saturating_mul(1_000)),
        ended_ns,
        waited_us: outcome.waited_us,
        worker: worker.member().post().number,
        thread: u32::try_from(thread).unwrap_or(u32::MAX),
        generation: worker.member().instance().generation().0,
        status: outcome.sent.status,
        has_failed: outcome.exception,
        lost: 0,
        method: head.method_or_get().as_bytes(),
        path: head.uri_path(),
        scheme: head.scheme(trusts).as_bytes(),
        host: if head.host().is_empty() { head.server_name() } else { head.host() },
        port: head.server_port(),
        protocol: head.protocol.as_bytes(),
        agent: head.user_agent(),
        client: head.remote_addr(),
        // It belongs to the trace that was taken on.
        state: if place.parent.is_some() { otlp::state(head.block().get(STATE).unwrap_or_default()) } else { &[] },
    });
}

/// The variables of a request with its own place in the trace, so that spans of its application are below its own: of `block`,
/// as rules have left them, or as they came.
pub(super) fn tell_of_place(asked: &RequestHead<'_>, block: Option<Vec<u8>>, place: &Place) -> Option<Vec<u8>> {
    let changed = block.as_deref().and_then(|block| read(block).ok());
    let head = changed.as_ref().unwrap_or(asked);
    let mut request = Request::new(head, false);
    let mut told = request.set(PARENT, place.own.header().into_bytes());
    if place.parent.is_none() && head.block().get(STATE).is_some() {
        // It belongs to a trace that was not taken on.
        told = told.and_then(|()| request.set(STATE, Vec::new()));
    }
    match told.and_then(|()| request.changed_block()) {
        Ok(Some(with_place)) if read(&with_place).is_ok() => Some(with_place),
        // There is no room for it.
        _ => block,
    }
}
