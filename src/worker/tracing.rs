//! What a worker needs to tell of requests to a collector of OpenTelemetry's (`otlp`): where ids come from, and the way to the
//! exporter, which is a mailbox: what finds no room there is counted. Worker only; nobody waits here.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use worker_protocol::head::RequestHead;

use crate::config::model::mailboxes::SPANS;
use crate::member::Instance;
use crate::otlp::{Dice, Place, Span};
use crate::sys::clock::epoch_us;
use crate::sys::machine;
use crate::sys::mailbox::{Mailbox, Posted};

/// The variable that says where a request stands in its trace.
pub(super) const PARENT: &[u8] = b"HTTP_TRACEPARENT";

/// What others say of that trace.
pub(super) const STATE: &[u8] = b"HTTP_TRACESTATE";

/// What a worker needs for that.
#[derive(Debug)]
pub(super) struct Tracing<'z> {
    mailbox: &'z Mailbox,
    percent: u32,
    dice: Dice,
    /// Spans for which there was no room since one had it.
    lost: AtomicU32,
}

impl<'z> Tracing<'z> {
    /// `None`: nobody wants to be told.
    pub(super) fn of(instance: &Instance<'z>) -> Option<Self> {
        let otlp = &instance.config().telemetry.otlp;
        let mailbox = instance.mailbox(SPANS).filter(|_| otlp.is_wanted)?;
        let own = u128::from(epoch_us()) << 32 | u128::from(std::process::id());
        // Also where the system gives no random bytes, ids are nobody else's.
        let seed = (u128::from_le_bytes(machine::random_bytes()) ^ own).to_le_bytes();
        Some(Self { mailbox, percent: otlp.percent, dice: Dice::begun(seed), lost: AtomicU32::new(0) })
    }

    /// Where a request stands that has come.
    pub(super) fn place(&self, head: &RequestHead<'_>) -> Place {
        Place::of(head.block().get(PARENT).unwrap_or_default(), self.percent, &self.dice)
    }

    /// Puts a span into the mailbox, with how many had no room before it.
    pub(super) fn post(&self, span: &Span<'_>) {
        let lost = self.lost.swap(0, Relaxed);
        let mut bytes = Vec::with_capacity(512);
        Span { lost, ..*span }.write(&mut bytes);
        if !matches!(self.mailbox.post(&bytes), Ok(Posted::Queued)) {
            self.lost.fetch_add(lost.saturating_add(1), Relaxed);
        }
    }
}
