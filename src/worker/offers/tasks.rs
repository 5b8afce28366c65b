//! A task for a spooler of this instance, sent by another one: `body` of it is its body, as of the application's own. What cannot be
//! run is refused in so many words. Worker only.

use worker_protocol::strings;
use worker_protocol::uwsgi::SPOOLED;

use super::question::{Question, Stand};
use crate::worker::body::write_all;

/// Has the task run, and says so.
pub(super) fn answer(question: &Question<'_>, stand: &Stand<'_>) {
    let silence_us = stand.worker.limits().socket_timeout.as_micros() as u64;
    let [yes, no] = SPOOLED;
    let reply = if is_spooled(question.block, stand) { yes } else { no };
    // Who has gone will send it again, or not.
    let _ = write_all(stand.stream, &reply, silence_us);
}

fn is_spooled(block: &[u8], stand: &Stand<'_>) -> bool {
    let pieces = strings::read(block, usize::from(u16::MAX)).unwrap_or_default();
    let (variables, rest) = pieces.as_chunks::<2>();
    if variables.is_empty() || !rest.is_empty() {
        log::warn!("a task that was sent is none");
        return false;
    }
    let spooled = stand.worker.member().instance().spool(variables);
    if let Err(error) = &spooled {
        log::warn!("a task that was sent will not be run: {error}");
    }
    spooled.is_ok()
}
