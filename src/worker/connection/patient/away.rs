//! A connection whose last answer others send on (`offload-threads`): how it goes to them, what they do with it, and how it
//! comes back. Worker only.

use std::io;

use super::{Next, Patient, Visit};
use crate::sys::clock::monotonic_us;
use crate::worker::connection::answered::After;
use crate::worker::connection::handed::Handed;
use crate::worker::reply::Moved;

impl Patient {
    /// Others are to send the rest of its answer.
    pub(crate) fn hand_over(&mut self, handed: Box<Handed>) -> Next {
        self.handed = Some(handed);
        Next::HandedOver
    }

    /// Sends what its client takes of that. Not in the thread that it belongs to.
    ///
    /// # Errors
    /// As for [`Transfer::advance`](crate::worker::reply::Transfer::advance).
    pub(crate) fn carry_on(&mut self) -> io::Result<Moved> {
        match &mut self.handed {
            Some(handed) => handed.transfer.advance(&self.stream),
            None => Ok(Moved::Whole),
        }
    }

    /// The client does not get the rest of it.
    pub(crate) fn break_off(&mut self) {
        self.handed = None;
    }

    /// It is back.
    pub(crate) fn come_back(&mut self, visit: &Visit<'_>) -> Next {
        match self.handed.take().map(|handed| *handed) {
            Some(Handed { after: After::Persists, .. }) if visit.is_last => Next::Ended,
            Some(Handed { after, beyond, .. }) => self.go_on(visit, after, beyond, monotonic_us()),
            // Its client must not take what it has for the whole.
            None => self.go_on(visit, After::Cut, Vec::new(), monotonic_us()),
        }
    }
}
