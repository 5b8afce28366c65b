//! Requests that have waited in the queue for so long that nobody waits for their answers any more (`queue-timeout`): they
//! are answered with 503 at once, so that those behind them are answered in time. Worker only.
//!
//! How long one has waited is told by the kernel for TCP, and by the web server's `REQUEST_MSEC` on a unix socket, whose
//! clock is ours. On TCP the web server is not asked: its clock may be another one.

use std::time::Duration;

use worker_protocol::head::RequestHead;
use worker_protocol::scoreboard::Presence;

use super::exchange::Exchange;
use super::process::Worker;
use crate::config::model::RequestLimits;
use crate::sys::clock::epoch_us;
use crate::sys::stream::Stream;

/// Whether a request is not to be served any more. Only where it has waited because nobody was free: all workers are there
/// that there may be, and all of them have something to do.
#[inline(always)]
pub(super) fn is_too_late(worker: &Worker<'_>, stream: &Stream, head: &RequestHead<'_>) -> bool {
    worker.limits().queue_timeout.is_some_and(|timeout| is_in_vain(timeout, worker, stream, head))
}

fn is_in_vain(timeout: Duration, worker: &Worker<'_>, stream: &Stream, head: &RequestHead<'_>) -> bool {
    has_waited_for(timeout, stream, head) && !is_spared(worker.limits(), head) && nobody_is_free(worker)
}

fn has_waited_for(timeout: Duration, stream: &Stream, head: &RequestHead<'_>) -> bool {
    let told = || head.arrival_us(false).map(|arrival_us| epoch_us().saturating_sub(arrival_us));
    stream.silent_for_us().or_else(told).is_some_and(|waited_us| u128::from(waited_us) > timeout.as_micros())
}

/// Whether it is served however long it has waited: health checks, which would otherwise end an instance that has too much
/// to do.
fn is_spared(limits: &RequestLimits, head: &RequestHead<'_>) -> bool {
    let path = head.uri_path();
    limits.queue_spared.iter().any(|spared| spared.as_bytes() == path)
}

fn nobody_is_free(worker: &Worker<'_>) -> bool {
    let member = worker.member();
    let threads = u32::try_from(member.config().threads.max(1)).unwrap_or(u32::MAX);
    let (mut serving, mut free) = (0, 0_u32);
    for (_, seat) in member.instance().seats().filter(|(_, seat)| seat.presence() == Presence::Accepting) {
        serving += 1;
        free = free.saturating_add(threads.saturating_sub(seat.figures().busy_cores));
    }
    serving >= member.config().workers && free == 0
}

/// Says that there is no time for it now, and when to come again.
pub(super) fn answer(exchange: &mut Exchange<'_>, timeout: Option<Duration>) {
    let again_s = timeout.map_or(1, |timeout| timeout.as_secs().max(1));
    exchange.reply.answer_unavailable("The server has too much to do; try again later.\n", again_s);
}
