//! The protocols that listening sockets speak, behind one seam: the only place that tells them apart.
//!
//! Each has a codec that is fed bytes and yields the same things: an [`Envelope`], and the request's variables as the one
//! [`Block`] of pairs. A further protocol is a codec in a file of its own and an arm in each `match` of this one. Pure;
//! used in the worker, and wherever a socket's protocol is named.
//!
//! ```
//! use worker_protocol::pairs::Limits;
//! use worker_protocol::wire::{BodyError, Peer, Piece, Progress, Protocol, Receiver, Refusal, UnknownProtocol, Wrapped};
//!
//! assert_eq!(Protocol::try_from("http".to_owned()), Ok(Protocol::Http));
//! assert_eq!(Protocol::try_from("gopher".to_owned()), Err(UnknownProtocol("gopher".to_owned())));
//!
//! let sent = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
//! let mut receiver = Receiver::new(Protocol::Http, Limits::default());
//! let Progress::Head(envelope) = receiver.feed_from(sent, &Peer::default()) else { panic!("the head is whole") };
//! let mut decoder = worker_protocol::http::chunked::Decoder::new(1_000);
//! let Piece { data, .. } = Wrapped::Chunks(&mut decoder).next(&sent[envelope.consumed..], usize::MAX)?;
//! assert_eq!(data, b"hi");
//!
//! let refused = Receiver::new(Protocol::Uwsgi, Limits::default()).feed(b"GET / HTTP/1.1\r\n");
//! assert!(matches!(refused, Progress::Refused(Refusal::Uwsgi(_))));
//! # Ok::<(), BodyError>(())
//! ```

mod wrapped;

use thiserror::Error;

pub use self::wrapped::{BodyError, Piece, Wrapped};
use crate::Fault;
pub use crate::http::request::Peer;
use crate::pairs::{Block, Limits};
pub use crate::progress::{Asks, Coming, Envelope, Form, Message, Offer};
use crate::{fastcgi, http, progress, scgi, uwsgi};

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
    /// HTTP/1.1 (clients, load balancers, nginx `proxy_pass`).
    Http,
    /// SCGI (nginx `scgi_pass`), answered with a `Status` header.
    Scgi,
    /// SCGI, answered with a status line.
    ScgiNph,
    /// FastCGI (nginx `fastcgi_pass`), answered with a `Status` header.
    Fastcgi,
    /// FastCGI, answered with a status line.
    FastcgiNph,
}

impl Protocol {
    /// Each of them.
    pub const ALL: &'static [Protocol] =
        &[Protocol::Uwsgi, Protocol::Http, Protocol::Scgi, Protocol::ScgiNph, Protocol::Fastcgi, Protocol::FastcgiNph];

    /// How it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::Uwsgi => "uwsgi",
            Protocol::Http => "http",
            Protocol::Scgi => "scgi",
            Protocol::ScgiNph => "scgi-nph",
            Protocol::Fastcgi => "fastcgi",
            Protocol::FastcgiNph => "fastcgi-nph",
        }
    }

    /// Whether a connection may bring one request after the other, and take its time between them.
    pub const fn keeps_connections(self) -> bool {
        matches!(self, Protocol::Http | Protocol::Fastcgi | Protocol::FastcgiNph)
    }

    /// How what could not be understood is answered; `None` where there is nothing to answer by itself.
    pub const fn refusal_form(self) -> Option<Form> {
        match self {
            Protocol::Uwsgi | Protocol::ScgiNph => Some(Form::Plain),
            Protocol::Http => Some(Form::Http),
            Protocol::Scgi => Some(Form::Status),
            Protocol::Fastcgi | Protocol::FastcgiNph => None,
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
    /// HTTP's.
    #[error(transparent)]
    Http(#[from] http::Refusal),
    /// SCGI's.
    #[error(transparent)]
    Scgi(#[from] scgi::Error),
    /// FastCGI's.
    #[error(transparent)]
    Fastcgi(#[from] fastcgi::Error),
}

impl Refusal {
    /// Who has to change something.
    pub fn fault(self) -> Fault {
        match self {
            Refusal::Uwsgi(error) => error.fault(),
            Refusal::Http(refusal) => refusal.fault(),
            Refusal::Scgi(error) => error.fault(),
            Refusal::Fastcgi(error) => error.fault(),
        }
    }

    /// The HTTP status that answers the connection.
    pub fn status(self) -> u16 {
        match self {
            Refusal::Uwsgi(error) => error.status(),
            Refusal::Http(refusal) => refusal.status(),
            Refusal::Scgi(error) => error.status(),
            Refusal::Fastcgi(error) => error.status(),
        }
    }

    /// What the answer must say in `Allow`.
    pub fn allow(self) -> Option<&'static str> {
        match self {
            Refusal::Http(refusal) => refusal.allow(),
            _ => None,
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
    protocol: Protocol,
    codec: Codec,
    limits: Limits,
}

#[derive(Debug, Clone)]
#[allow(
    clippy::large_enum_variant,
    reason = "one lives on the stack of each connection; a box would cost an allocation"
)]
enum Codec {
    Uwsgi(uwsgi::Receiver),
    Http(http::receive::Receiver),
    Scgi(scgi::Receiver),
    Fastcgi(fastcgi::heads::Receiver),
}

impl Receiver {
    /// For a connection on a socket of this protocol.
    #[inline]
    pub fn new(protocol: Protocol, limits: Limits) -> Receiver {
        Receiver::with_capacity(protocol, limits, 1)
    }

    /// The same. `capacity`: how many requests the instance takes at a time, for web servers that ask.
    #[inline]
    pub fn with_capacity(protocol: Protocol, limits: Limits, capacity: u32) -> Receiver {
        let codec = match protocol {
            Protocol::Uwsgi => Codec::Uwsgi(uwsgi::Receiver::default()),
            Protocol::Http => Codec::Http(http::receive::Receiver::default()),
            Protocol::Scgi | Protocol::ScgiNph => Codec::Scgi(scgi::Receiver::default()),
            Protocol::Fastcgi | Protocol::FastcgiNph => Codec::Fastcgi(fastcgi::heads::Receiver::new(limits, capacity)),
        };
        Receiver { protocol, codec, limits }
    }

    /// `received`: all that has come so far, from the first byte on; what was there at the last call is still there.
    #[inline]
    pub fn feed(&mut self, received: &[u8]) -> Progress {
        self.feed_from(received, &Peer::default())
    }

    /// The same, for a protocol whose head does not say who sends it.
    #[inline(always)]
    pub fn feed_from(&mut self, received: &[u8], peer: &Peer<'_>) -> Progress {
        let status_line = matches!(self.protocol, Protocol::ScgiNph | Protocol::FastcgiNph);
        match &mut self.codec {
            Codec::Uwsgi(receiver) => receiver.feed(received, &self.limits).map_refusal(Refusal::Uwsgi),
            Codec::Http(receiver) => receiver.feed(received, peer, &self.limits).map_refusal(Refusal::Http),
            Codec::Scgi(receiver) => {
                let answer = if status_line { Form::Plain } else { Form::Status };
                receiver.feed(received, &self.limits, answer).map_refusal(Refusal::Scgi)
            }
            Codec::Fastcgi(receiver) => receiver.feed(received, status_line).map_refusal(Refusal::Fastcgi),
        }
    }

    /// The variables of a head that it has yielded, out of the same bytes.
    #[inline]
    pub fn block<'a>(&'a self, received: &'a [u8], envelope: &Envelope) -> Block<'a> {
        match &self.codec {
            Codec::Uwsgi(receiver) => receiver.block(received, envelope),
            Codec::Http(receiver) => receiver.block(envelope),
            Codec::Scgi(receiver) => receiver.block(envelope),
            Codec::Fastcgi(receiver) => receiver.block(envelope),
        }
    }

    /// The block of what is no web request ([`Asks::Offer`]), as it came.
    pub fn payload<'a>(&self, received: &'a [u8], envelope: &Envelope) -> &'a [u8] {
        match &self.codec {
            Codec::Uwsgi(receiver) => receiver.payload(received, envelope),
            Codec::Http(_) | Codec::Scgi(_) | Codec::Fastcgi(_) => &[],
        }
    }

    /// The variables, and what unwraps a body that comes wrapped ([`Coming::Wrapped`]), of at most so many bytes.
    #[inline(always)]
    pub fn open<'a>(
        &'a mut self,
        received: &'a [u8],
        envelope: &Envelope,
        body_bytes_max: u64,
    ) -> (Block<'a>, Option<Wrapped<'a>>) {
        let is_wrapped = envelope.message.body == Coming::Wrapped;
        match &mut self.codec {
            Codec::Uwsgi(receiver) => (receiver.block(received, envelope), None),
            Codec::Scgi(receiver) => (receiver.block(envelope), None),
            Codec::Http(receiver) => {
                let (block, decoder) = receiver.open(envelope, body_bytes_max);
                (block, is_wrapped.then_some(Wrapped::Chunks(decoder)))
            }
            Codec::Fastcgi(receiver) => {
                let (block, records) = receiver.open(envelope);
                (block, Some(Wrapped::Records(records)))
            }
        }
    }

    /// How many bytes at the start of what was received are of no use any more, although the head is not whole. They are
    /// to be removed: what is fed next begins behind them.
    pub fn release(&mut self) -> usize {
        match &mut self.codec {
            Codec::Fastcgi(receiver) => receiver.release(),
            Codec::Uwsgi(_) | Codec::Http(_) | Codec::Scgi(_) => 0,
        }
    }

    /// The request is done with, and another one may follow on the connection.
    #[inline(always)]
    pub fn next_request(&mut self) {
        match &mut self.codec {
            Codec::Uwsgi(_) | Codec::Scgi(_) => {}
            Codec::Http(receiver) => receiver.next_request(),
            Codec::Fastcgi(receiver) => receiver.next_request(),
        }
    }

    /// Whether nothing of a request has come yet. `received` is all that has, and was fed.
    pub fn is_idle(&self, received: &[u8]) -> bool {
        match &self.codec {
            Codec::Uwsgi(_) | Codec::Scgi(_) => received.is_empty(),
            Codec::Http(receiver) => receiver.is_idle(received),
            Codec::Fastcgi(receiver) => receiver.is_idle(),
        }
    }

    /// What is to be sent now, besides answers. The caller sends it and clears it.
    pub fn replies(&mut self) -> Option<&mut Vec<u8>> {
        match &mut self.codec {
            Codec::Fastcgi(receiver) => Some(receiver.replies()).filter(|replies| !replies.is_empty()),
            _ => None,
        }
    }

    /// How a head that was refused is answered; `None` where nobody waits for an answer.
    pub fn refusal_form(&self) -> Option<Form> {
        match &self.codec {
            Codec::Fastcgi(receiver) => receiver.form(self.protocol == Protocol::FastcgiNph),
            _ => self.protocol.refusal_form(),
        }
    }
}
