//! How far the receiving of a request's head has come: what every codec says after it was fed. Pure; used in the worker.
//!
//! ```
//! use worker_protocol::progress::{Asks, Coming, Envelope, Form, Message, Offer, Progress};
//! use worker_protocol::{pairs::Limits, uwsgi};
//!
//! let mut packet = Vec::new();
//! uwsgi::encode(&mut packet, uwsgi::MODIFIER_CACHE, 17, [("cmd", "get"), ("key", "a")])?;
//! let mut receiver = uwsgi::Receiver::default();
//! assert!(matches!(receiver.feed(&packet[..2], &Limits::default()), Progress::Need(_)));
//! let Progress::Head(envelope) = receiver.feed(&packet, &Limits::default()) else { panic!("it is whole") };
//! let Envelope { asks, message: Message { body, answer, .. }, .. } = envelope;
//! assert_eq!((asks, body, answer), (Asks::Offer(Offer::Caches), Coming::Declared, Form::Plain));
//! # Ok::<(), uwsgi::EncodeError>(())
//! ```

use crate::pairs::PathInfo;

/// What a codec says of the bytes that have come so far. `E` is why it refuses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<E> {
    /// The head is not whole: at least so many more bytes are needed.
    Need(usize),
    /// The head is whole.
    Head(Envelope),
    /// This will never be a head that is answered, whatever follows.
    Refused(E),
}

/// A whole head, but for its pairs: those are in the codec's keeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope {
    /// What the peer wants.
    pub asks: Asks,
    /// `modifier1` and `modifier2`, where the protocol has such.
    pub modifiers: (u8, u8),
    /// Number of pairs, repeated keys counted each time.
    pub variables_count: usize,
    /// Bytes of the block of pairs.
    pub block_bytes: usize,
    /// Bytes received that the head took; what follows them is the start of the body.
    pub consumed: usize,
    /// How body and answer go over the wire.
    pub message: Message,
}

/// How a request's body comes and its answer goes, as the protocol has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// How the body comes.
    pub body: Coming,
    /// How the answer goes.
    pub answer: Form,
    /// Whether the peer lets the connection go on after the answer.
    pub persistent: bool,
    /// Whether the client waits for [`crate::http::CONTINUE`] before it sends the body.
    pub expects_continue: bool,
}

/// How the bytes of a body come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coming {
    /// As they are: as many as `CONTENT_LENGTH` says, none without it.
    Declared,
    /// Wrapped, the end being told in between. `CONTENT_LENGTH`, if there is one, says what is meant to come.
    Wrapped,
}

/// How an answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A status line, headers, a body that ends with the connection. The web server in front adds what HTTP wants.
    Plain,
    /// The same, but with a `Status` header in the place of the status line, as CGI has it.
    Status,
    /// To an HTTP client: everything that HTTP wants.
    Http,
    /// In records of FastCGI.
    Records {
        /// The number of the request.
        id: u16,
        /// Whether a status line begins the answer, or a `Status` header.
        status_line: bool,
    },
}

impl Message {
    /// That of a protocol with one request for each connection.
    pub const fn single(answer: Form) -> Message {
        Message { body: Coming::Declared, answer, persistent: false, expects_continue: false }
    }
}

/// What a peer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// That a web request be answered; how its `PATH_INFO` is to be read.
    Request(PathInfo),
    /// Only whether anybody is there.
    Ping {
        /// What says so.
        pong: &'static [u8],
    },
    /// Something that one instance offers to others; the block is in its own words.
    Offer(Offer),
}

/// What an instance offers to others beside answers to web requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// Its caches ([`crate::remote_cache`]).
    Caches,
    /// Functions of its application ([`crate::rpc`]).
    Functions,
    /// Spoolers that run tasks; the block has the variables of one.
    Spoolers,
}

impl<E> Progress<E> {
    /// The same, with another word for why it is refused.
    #[inline]
    pub(crate) fn map_refusal<F>(self, refusal: impl FnOnce(E) -> F) -> Progress<F> {
        match self {
            Progress::Need(bytes) => Progress::Need(bytes),
            Progress::Head(head) => Progress::Head(head),
            Progress::Refused(error) => Progress::Refused(refusal(error)),
        }
    }
}
