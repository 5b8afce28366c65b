//! A connection whose client owes the rest of a body that is to be whole before the application runs. Worker only.

use worker_protocol::head::RequestHead;
use worker_protocol::http;
use worker_protocol::wire::{Asks, Envelope, Protocol};

use super::{Next, Patient, Visit};
use crate::sys::clock::monotonic_us;
use crate::worker::body::write_all;
use crate::worker::connection::answered::Answered;
use crate::worker::connection::buffers::Buffers;
use crate::worker::connection::collecting::{Collecting, too_slow};
use crate::worker::connection::receive::Refusal;
use crate::worker::exchange::Service;
use crate::worker::parking::Owes;

impl Patient {
    /// Whether the body of a request is to be waited for, as everything else that a client owes: it is declared, and not all of
    /// it is here. (One that comes in chunks is read by the thread that has the request.)
    #[inline(always)]
    pub(super) fn begin_to_collect(
        &mut self,
        visit: &Visit<'_>,
        received: &[u8],
        envelope: &Envelope,
    ) -> Result<Option<Box<Collecting>>, Refusal> {
        if !visit.worker.limits().gathers || self.protocol != Protocol::Http {
            return Ok(None);
        }
        self.begin_to_gather(visit, received, envelope)
    }

    /// The same, where bodies are to be whole before the application runs.
    fn begin_to_gather(
        &mut self,
        visit: &Visit<'_>,
        received: &[u8],
        envelope: &Envelope,
    ) -> Result<Option<Box<Collecting>>, Refusal> {
        let limits = visit.worker.limits();
        let Asks::Request(path_info) = envelope.asks else { return Ok(None) };
        let body_max = limits.body_max.unwrap_or(u64::MAX);
        let (block, wrapped) = self.receiver.open(received, envelope, body_max);
        let length = RequestHead::read(block, path_info).ok().and_then(|head| head.content_length()).unwrap_or(0);
        let here = &received[envelope.consumed..];
        if wrapped.is_some() || length <= here.len() as u64 || length > body_max {
            return Ok(None);
        }
        if envelope.message.expects_continue && here.is_empty() {
            // Whoever does not read it does not get an answer either.
            let _ = write_all(&self.stream, http::CONTINUE, limits.socket_timeout.as_micros() as u64);
        }
        self.since_us = monotonic_us();
        let collecting = Collecting::begin(*envelope, (length, here), limits, visit.worker.room())?;
        self.carried.clear();
        self.carried.extend_from_slice(&received[..envelope.consumed]);
        Ok(Some(Box::new(collecting)))
    }

    /// Reads what is here of a body, and has the request answered if that makes it whole.
    pub(super) fn collect<S: Service + ?Sized>(
        &mut self,
        visit: &Visit<'_>,
        buffers: &mut Buffers,
        mut collecting: Box<Collecting>,
        service: &S,
        begin: impl FnOnce(),
        account: impl FnOnce(&Answered<'_>) -> u64,
    ) -> Next {
        match self.take_in(visit, buffers, &mut collecting) {
            Ok(_) if collecting.is_whole() => {}
            Ok(_) => {
                self.collecting = Some(collecting);
                return self.waits(visit, Owes::Rest);
            }
            Err(refusal) => return self.refuse(visit, buffers, &refusal),
        }
        let (envelope, filled) = (collecting.envelope, self.carried.len());
        buffers.received[..filled].copy_from_slice(&self.carried);
        match collecting.finish() {
            Ok(gathered) => self.serve(visit, buffers, filled, (&envelope, Some(gathered)), service, begin, account),
            Err(refusal) => self.refuse(visit, buffers, &refusal),
        }
    }

    /// Its time is over, unless something has come meanwhile that this thread had no time for.
    pub(super) fn expire_collecting(
        &mut self,
        visit: &Visit<'_>,
        buffers: &mut Buffers,
        mut collecting: Box<Collecting>,
    ) -> Next {
        match self.take_in(visit, buffers, &mut collecting) {
            Ok(false) => self.refuse(visit, buffers, &too_slow()),
            Ok(true) => {
                let is_whole = collecting.is_whole();
                self.collecting = Some(collecting);
                if is_whole { Next::Ready } else { self.waits(visit, Owes::Rest) }
            }
            Err(refusal) => self.refuse(visit, buffers, &refusal),
        }
    }

    /// Whether anything came.
    fn take_in(
        &mut self,
        visit: &Visit<'_>,
        buffers: &mut Buffers,
        collecting: &mut Collecting,
    ) -> Result<bool, Refusal> {
        let (limits, room) = (visit.worker.limits(), visit.worker.room());
        let any = collecting.take_in(&self.stream, &mut buffers.received, limits, room)?;
        if any {
            self.since_us = monotonic_us();
        }
        Ok(any)
    }
}
