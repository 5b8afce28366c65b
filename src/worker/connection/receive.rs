//! Reading what a peer asks for: drives the protocol's pure receiver with bytes from the connection, until the head is
//! whole, refused, or too late. Worker only.

use std::io::ErrorKind;

use worker_protocol::pairs::{Block, PathInfo};
use worker_protocol::wire::{Asks, Envelope, Progress, Receiver};

use crate::sys::clock::monotonic_us;
use crate::sys::stream::Stream;

/// What a peer asks for.
pub(super) enum Asked<'b> {
    /// A web request, and how its `PATH_INFO` is to be read.
    Request(Incoming<'b>, PathInfo),
    /// Whether anybody is there; what says so.
    Ping(&'static [u8]),
}

/// A request whose head has come.
#[derive(Debug)]
pub(super) struct Incoming<'b> {
    pub(super) envelope: Envelope,
    /// Its variables.
    pub(super) block: Block<'b>,
    /// What came together with the head, of the body and beyond.
    pub(super) rest: &'b [u8],
}

/// Why a connection gets no service.
pub(super) enum Refusal {
    /// Nothing to answer: the peer has gone or never spoke.
    Silent,
    /// An answer for the peer, and a line for the log.
    Answer { status: u16, reason: String },
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
        Asks::Request(path_info) => {
            let (block, rest) = (receiver.block(received, &envelope), &received[envelope.consumed..]);
            Ok(Asked::Request(Incoming { envelope, block, rest }, path_info))
        }
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
            Progress::Refused(refusal) => return Err(Refusal::malformed(&refusal, refusal.status())),
        }
    }
}

impl Refusal {
    #[cold]
    pub(super) fn malformed(error: &dyn std::fmt::Display, status: u16) -> Self {
        Self::Answer { status, reason: error.to_string() }
    }
}

/// What becomes of a connection on which the head was not there in time.
#[cold]
fn too_slow(filled: usize) -> Refusal {
    match filled {
        0 => Refusal::Silent,
        _ => Refusal::Answer {
            status: 408,
            reason: format!("only {filled} bytes of a request came within the socket timeout"),
        },
    }
}
