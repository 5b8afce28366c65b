//! An HTTP connection's requests as they arrive: finds and reads one head after the other. Pure; the worker keeps one
//! [`Receiver`] for each connection.

use super::chunked::Decoder;
use super::request::{self, Body, Peer, Request};
use super::scan::Scan;
use super::{Limits, Refusal};
use crate::pairs::{self, Block, Marks, PathInfo};
use crate::progress::{Asks, Coming, Envelope, Form, Message, Progress};

/// Most memory that a connection keeps between two requests, so that many that wait take little.
const KEPT_BYTES_MAX: usize = 4_096;

/// Takes the head that `received` begins with, if all of it has come: the request, whose variables are in `block` then, and how
/// many bytes it was.
#[inline(always)]
pub(crate) fn take_head(
    scan: &mut Scan,
    received: &[u8],
    peer: &Peer<'_>,
    (of_head, limits): (&Limits, &pairs::Limits),
    (block, marks): (&mut Vec<u8>, &mut Marks),
) -> Result<Option<(Request, usize)>, Refusal> {
    block.clear();
    if !scan.has_begun()
        && let Some(taken) = request::read_at_once(received, peer, (of_head, limits), (block, marks))
    {
        return Ok(Some(taken));
    }
    let Some(head) = scan.advance(received, of_head)? else { return Ok(None) };
    block.clear();
    let consumed = head.end;
    Ok(Some((request::read_noting(&received[head], peer, limits, (block, marks))?, consumed)))
}

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
    #[inline(always)]
    pub fn feed(&mut self, received: &[u8], peer: &Peer<'_>, limits: &pairs::Limits) -> Progress<Refusal> {
        self.advance(received, peer, limits).unwrap_or_else(Progress::Refused)
    }

    #[inline(always)]
    fn advance(
        &mut self,
        received: &[u8],
        peer: &Peer<'_>,
        limits: &pairs::Limits,
    ) -> Result<Progress<Refusal>, Refusal> {
        let limits = (&Limits::within(limits), limits);
        let into = (&mut self.block, &mut self.marks);
        let Some((request, consumed)) = take_head(&mut self.scan, received, peer, limits, into)? else {
            return Ok(Progress::Need(1));
        };
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
    #[inline(always)]
    pub fn open(&mut self, envelope: &Envelope, body_bytes_max: u64) -> (Block<'_>, &mut Decoder) {
        self.decoder = Decoder::new(body_bytes_max);
        (Block::validated(&self.block, envelope.variables_count, &self.marks), &mut self.decoder)
    }

    /// The request is done with; the next one's bytes follow.
    #[inline(always)]
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
