//! An HTTP connection's requests as they arrive: finds and reads one head after the other. Pure; the worker keeps one
//! [`Receiver`] for each connection.

use super::chunked::Decoder;
use super::request::{self, Body, Peer};
use super::scan::Scan;
use super::{Limits, Refusal};
use crate::pairs::{self, Block, Marks, PathInfo};
use crate::progress::{Asks, Coming, Envelope, Form, Message, Progress};

/// Most memory that a connection keeps between two requests, so that many that wait take little.
const KEPT_BYTES_MAX: usize = 4_096;

/// Receives the heads of a connection's requests.
#[derive(Debug, Clone)]
pub struct Receiver {
    scan: Scan,
    block: Vec<u8>,
    marks: Marks,
    decoder: Decoder,
}

impl Default for Receiver {
    fn default() -> Receiver {
        Receiver { scan: Scan::default(), block: Vec::new(), marks: Marks::default(), decoder: Decoder::new(u64::MAX) }
    }
}

impl Receiver {
    /// `received`: all that has come so far, from the first byte of the request on.
    pub fn feed(&mut self, received: &[u8], peer: &Peer<'_>, limits: &pairs::Limits) -> Progress<Refusal> {
        self.advance(received, peer, limits).unwrap_or_else(Progress::Refused)
    }

    fn advance(
        &mut self,
        received: &[u8],
        peer: &Peer<'_>,
        limits: &pairs::Limits,
    ) -> Result<Progress<Refusal>, Refusal> {
        let Some(head) = self.scan.advance(received, &Limits::within(limits))? else { return Ok(Progress::Need(1)) };
        self.block.clear();
        let consumed = head.end;
        let request = request::read_noting(&received[head], peer, limits, (&mut self.block, &mut self.marks))?;
        let message = Message {
            body: if request.body == Body::Chunked { Coming::Wrapped } else { Coming::Declared },
            answer: Form::Http,
            persistent: request.persistent,
            expects_continue: request.expects_continue,
        };
        Ok(Progress::Head(Envelope {
            asks: Asks::Request(PathInfo::AsSent),
            modifiers: (0, 0),
            variables_count: request.variables_count,
            block_bytes: self.block.len(),
            consumed,
            message,
        }))
    }

    /// The variables of the head that it has yielded.
    pub fn block(&self, envelope: &Envelope) -> Block<'_> {
        Block::validated(&self.block, envelope.variables_count, &self.marks)
    }

    /// The same, and what decodes a body in chunks, of at most so many bytes.
    pub fn open(&mut self, envelope: &Envelope, body_bytes_max: u64) -> (Block<'_>, &mut Decoder) {
        self.decoder = Decoder::new(body_bytes_max);
        (Block::validated(&self.block, envelope.variables_count, &self.marks), &mut self.decoder)
    }

    /// The request is done with; the next one's bytes follow.
    pub fn next_request(&mut self) {
        self.scan = Scan::default();
        if self.block.capacity() > KEPT_BYTES_MAX {
            self.block = Vec::new();
        }
    }

    /// Whether nothing of a request has come yet. `received` is all that has.
    pub fn is_idle(&self, received: &[u8]) -> bool {
        self.scan.is_idle(received)
    }
}
