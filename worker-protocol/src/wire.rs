//! The protocols that listening sockets speak, behind one seam: the only place that tells them apart.
//!
//! Each has a codec that is fed bytes and yields the same things: an [`Envelope`], and the request's variables as the one
//! [`Block`] of pairs. A further protocol is a codec in a file of its own and an arm in each `match` of this one. Pure;
//! used in the worker, and wherever a socket's protocol is named.

use thiserror::Error;

use crate::Fault;
use crate::pairs::{Block, Limits};
pub use crate::progress::{Asks, Envelope};
use crate::{progress, uwsgi};

/// What is spoken on a listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "&'static str")
)]
pub enum Protocol {
    /// The uwsgi protocol (nginx `uwsgi_pass`).
    #[default]
    Uwsgi,
}

impl Protocol {
    /// Each of them.
    pub const ALL: &'static [Protocol] = &[Protocol::Uwsgi];

    /// How it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::Uwsgi => "uwsgi",
        }
    }
}

/// A protocol that this version does not speak: a later one may.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("this version knows no protocol of sockets `{0}`")]
pub struct UnknownProtocol(
    /// As it was written.
    pub String,
);

impl TryFrom<String> for Protocol {
    type Error = UnknownProtocol;

    fn try_from(name: String) -> Result<Protocol, UnknownProtocol> {
        Protocol::ALL.iter().copied().find(|protocol| protocol.name() == name).ok_or(UnknownProtocol(name))
    }
}

impl From<Protocol> for &'static str {
    fn from(protocol: Protocol) -> &'static str {
        protocol.name()
    }
}

/// Most bytes of a head, in any protocol, that are not part of its block.
pub const ENVELOPE_BYTES_MAX: usize = uwsgi::HEADER_BYTES;

/// How far a head has come.
pub type Progress = progress::Progress<Refusal>;

/// Why a head is refused, by the protocol's own rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The uwsgi protocol's.
    #[error(transparent)]
    Uwsgi(#[from] uwsgi::Error),
}

impl Refusal {
    /// Who has to change something.
    pub fn fault(self) -> Fault {
        match self {
            Refusal::Uwsgi(error) => error.fault(),
        }
    }

    /// The HTTP status that answers the connection.
    pub fn status(self) -> u16 {
        match self {
            Refusal::Uwsgi(error) => error.status(),
        }
    }
}

/// Receives the head of one request. It is fed until it is whole or refused, and remembers how far it has looked.
///
/// ```
/// use worker_protocol::pairs::Limits;
/// use worker_protocol::wire::{Asks, Progress, Protocol, Receiver};
///
/// // As far as the read went.
/// let received = [0, 6, 0, 0, 2, 0, b'A', b'B', 0, 0, b'b', b'o', b'd', b'y'];
/// let mut receiver = Receiver::new(Protocol::Uwsgi, Limits::default());
/// assert_eq!(receiver.feed(&received[..3]), Progress::Need(1));
/// assert_eq!(receiver.feed(&received[..7]), Progress::Need(3));
/// let Progress::Head(envelope) = receiver.feed(&received) else { panic!("it is whole") };
/// assert!(matches!(envelope.asks, Asks::Request(_)));
/// assert_eq!(receiver.block(&received, &envelope).get(b"AB"), Some(b"".as_slice()));
/// assert_eq!(&received[envelope.consumed..], b"body");
/// ```
#[derive(Debug, Clone)]
pub struct Receiver {
    codec: Codec,
    limits: Limits,
}

#[derive(Debug, Clone)]
enum Codec {
    Uwsgi(uwsgi::Receiver),
}

impl Receiver {
    /// For a connection on a socket of this protocol.
    #[inline]
    pub fn new(protocol: Protocol, limits: Limits) -> Receiver {
        let codec = match protocol {
            Protocol::Uwsgi => Codec::Uwsgi(uwsgi::Receiver::default()),
        };
        Receiver { codec, limits }
    }

    /// `received`: all that has come so far, from the first byte on; what was there at the last call is still there.
    #[inline]
    pub fn feed(&mut self, received: &[u8]) -> Progress {
        match &mut self.codec {
            Codec::Uwsgi(receiver) => receiver.feed(received, &self.limits).map_refusal(Refusal::Uwsgi),
        }
    }

    /// The variables of a head that it has yielded, out of the same bytes.
    #[inline]
    pub fn block<'a>(&'a self, received: &'a [u8], envelope: &Envelope) -> Block<'a> {
        match &self.codec {
            Codec::Uwsgi(receiver) => receiver.block(received, envelope),
        }
    }
}
