//! Reading what a peer asks for on a connection with one request: drives the protocol's pure receiver with bytes from the
//! connection, until the head is whole, refused, or too late. Worker only.

use std::io::ErrorKind;

use worker_protocol::head::RequestHead;
use worker_protocol::wire::{self, Asks, Envelope, Offer, Progress, Receiver, Wrapped};

use crate::sys::clock::monotonic_us;
use crate::sys::stream::Stream;
use crate::worker::body::Gathered;
use crate::worker::offers::Question;

/// What a peer asks for.
#[allow(clippy::large_enum_variant, reason = "one lives on the stack of each request; a box would cost an allocation")]
pub(super) enum Asked<'b> {
    /// A web request.
    Request(Incoming<'b>),
    /// Whether anybody is there; what says so.
    Ping(&'static [u8]),
    /// Something that is offered to other instances.
    Offer(Offer, Question<'b>),
}

/// A request whose head has come.
#[derive(Debug)]
pub(super) struct Incoming<'b> {
    pub(super) head: RequestHead<'b>,
    pub(super) envelope: Envelope,
    /// What came together with the head, of the body and beyond.
    pub(super) rest: &'b [u8],
    /// What unwraps a body that comes wrapped.
    pub(super) wrapped: Option<Wrapped<'b>>,
    /// The body, if it is whole already.
    pub(super) gathered: Option<Gathered>,
}

/// Why a connection gets no service.
pub(super) enum Refusal {
    /// Nothing to answer: the peer has gone or never spoke.
    Silent,
    /// An answer for the peer, and a line for the log.
    Answer { status: u16, reason: String, allow: Option<&'static str> },
}

impl Refusal {
    pub(super) fn with(status: u16, reason: impl std::fmt::Display) -> Self {
        Self::Answer { status, reason: reason.to_string(), allow: None }
    }
}

impl From<wire::Refusal> for Refusal {
    #[cold]
    fn from(refusal: wire::Refusal) -> Self {
        Self::Answer { status: refusal.status(), reason: refusal.to_string(), allow: refusal.allow() }
    }
}

/// Reads the head of a request into `buffer`. The deadline is for all of it.
pub(super) fn receive<'b>(
    stream: &Stream,
    buffer: &'b mut [u8],
    receiver: &'b mut Receiver,
    deadline_us: u64,
) -> Result<Asked<'b>, Refusal> {
    let (filled, envelope) = fill(stream, buffer, receiver, deadline_us)?;
    let received = &buffer[..filled];
    match envelope.asks {
        Asks::Ping { pong } => Ok(Asked::Ping(pong)),
        Asks::Offer(offer) => {
            let block = receiver.payload(received, &envelope);
            Ok(Asked::Offer(offer, Question { block, rest: &received[envelope.consumed..], envelope }))
        }
        Asks::Request(path_info) => match RequestHead::read(receiver.block(received, &envelope), path_info) {
            Ok(head) => {
                let rest = &received[envelope.consumed..];
                Ok(Asked::Request(Incoming { head, envelope, rest, wrapped: None, gathered: None }))
            }
            Err(error) => Err(Refusal::with(error.status(), error)),
        },
    }
}

/// Reads until the head is whole; how many bytes there are then.
///
/// The first read does not wait, as the head has mostly come before the worker got there.
fn fill(
    stream: &Stream,
    buffer: &mut [u8],
    receiver: &mut Receiver,
    deadline_us: u64,
) -> Result<(usize, Envelope), Refusal> {
    let mut filled = 0;
    let mut waits = false;
    loop {
        let room = &mut buffer[filled..];
        let read = if waits {
            stream.read_within(room, deadline_us.saturating_sub(monotonic_us()))
        } else {
            stream.read(room)
        };
        match read {
            Ok(0) => {
                if filled > 0 {
                    log::debug!("the client closed the connection after {filled} bytes of a request");
                }
                return Err(Refusal::Silent);
            }
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock && waits => return Err(too_slow(filled)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => return Err(Refusal::Silent),
        }
        waits = true;
        match receiver.feed(&buffer[..filled]) {
            Progress::Need(_) => {}
            Progress::Head(envelope) => return Ok((filled, envelope)),
            Progress::Refused(refusal) => return Err(refusal.into()),
        }
    }
}

/// What becomes of a connection on which the head was not there in time.
#[cold]
pub(super) fn too_slow(filled: usize) -> Refusal {
    match filled {
        0 => Refusal::Silent,
        _ => Refusal::with(408, format_args!("only {filled} bytes of a request came within the socket timeout")),
    }
}
