//! FastCGI 1.0, both directions (the specification: Mark R. Brown, "FastCGI Specification", 1996): the web server's
//! records become a block of variables and a body, the answer becomes records.
//!
//! Bytes only. Runs in the worker for every connection of a FastCGI socket; the encoders of requests serve clients and
//! tests.
//!
//! - [`record`] is the header that every record has.
//! - [`receive`] is fed what arrives: it puts together what is split over records, answers what is about the connection
//!   itself, and refuses a second request beside the first, as a worker takes one at a time.
//! - [`answer`] writes what goes back, [`request`] what a web server sends.
//!
//! ```
//! use worker_protocol::fastcgi::answer::{self, Outcome};
//! use worker_protocol::fastcgi::record::{HEADER_BYTES, Header, kind};
//! use worker_protocol::fastcgi::{Error, heads, receive, request};
//! use worker_protocol::pairs::Limits;
//! use worker_protocol::progress::Progress;
//!
//! let mut sent = Vec::new();
//! request::append_begin(&mut sent, 1, request::RESPONDER, 0);
//! request::append_params(&mut sent, 1, [("REQUEST_METHOD", "POST"), ("CONTENT_LENGTH", "2")]);
//! request::append_body(&mut sent, 1, b"ab");
//!
//! // Record by record, the way it came.
//! let mut records = receive::Receiver::new(Limits::default(), 1);
//! let receive::Step { consumed, event } = records.next(&sent, usize::MAX)?;
//! assert_eq!((event, consumed > 0), (receive::Event::Head, true));
//!
//! // Or up to the head, as every other protocol brings it.
//! let mut heads = heads::Receiver::new(Limits::default(), 1);
//! let Progress::Head(envelope) = heads.feed(&sent, false) else { panic!("the head is whole") };
//! assert_eq!(heads.block(&envelope).get(b"REQUEST_METHOD"), Some(&b"POST"[..]));
//!
//! let mut answered = Vec::new();
//! answer::append_outcome(&mut answered, 1, Outcome::UnknownRole);
//! let first: [u8; HEADER_BYTES] = answered[..HEADER_BYTES].try_into().expect("a record");
//! assert_eq!(Header::parse(first)?.kind, kind::END_REQUEST);
//! # Ok::<(), Error>(())
//! ```

pub mod answer;
pub mod heads;
mod pairs;
pub mod receive;
pub mod record;
pub mod request;

use thiserror::Error;

use crate::Fault;

/// Why a connection cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Error {
    /// The first byte of a uwsgi packet.
    #[error("the peer speaks uwsgi to a FastCGI socket (nginx needs fastcgi_pass here, not uwsgi_pass)")]
    SpeaksUwsgi,
    /// A letter: the beginning of an HTTP request.
    #[error("the peer speaks HTTP to a FastCGI socket (nginx needs fastcgi_pass here, not proxy_pass)")]
    SpeaksHttp,
    /// A version other than 1.
    #[error("a record of FastCGI version {0}: only 1 is spoken here")]
    Version(
        /// As received.
        u8,
    ),
    /// A record whose content has a length that its type does not allow.
    #[error("a record of type {kind} with {content_bytes} bytes of content")]
    Content {
        /// The record's type.
        kind: u8,
        /// Bytes of its content.
        content_bytes: u16,
    },
    /// A type that only goes the other way, or a request's record without a request's number.
    #[error("a record of type {kind} for request {id}, which a web server does not send")]
    Misplaced {
        /// The record's type.
        kind: u8,
        /// The request's number.
        id: u16,
    },
    /// A request that begins while it is under way, a body before the parameters have ended, or parameters after.
    #[error("a record of type {kind} where request {id} cannot have one")]
    Order {
        /// The record's type.
        kind: u8,
        /// The request's number.
        id: u16,
    },
    /// Parameters of more than [`crate::pairs::Limits::block_bytes_max`].
    #[error("request parameters exceed the {block_bytes_max} bytes that buffer-size allows")]
    ParamsTooLarge {
        /// Bytes the limits allow.
        block_bytes_max: u16,
    },
    /// A length that reaches past the end of the parameters.
    #[error("the parameter at offset {offset} runs past the end of the request's parameters")]
    ParamPastEnd {
        /// Where it begins.
        offset: usize,
    },
    /// A name of length zero.
    #[error("empty name at offset {offset} of the request's parameters")]
    EmptyName {
        /// Where.
        offset: usize,
    },
    /// More parameters than [`crate::pairs::Limits::variables_max`].
    #[error("the request has more than {variables_max} parameters")]
    TooManyVariables {
        /// Pairs the limits allow.
        variables_max: usize,
    },
    /// No parameters.
    #[error("the request has no parameters")]
    Empty,
    /// A request whose role is not played here, or that was given up, on a connection that ends with it. What there is
    /// to say of it has been said.
    #[error("a request that needs no answer")]
    Unanswerable,
}

impl Error {
    /// The HTTP status that answers the request, where there is one to be answered.
    pub fn status(self) -> u16 {
        match self {
            Error::ParamsTooLarge { .. } | Error::TooManyVariables { .. } => 431,
            _ => 400,
        }
    }

    /// Who has to change something.
    pub fn fault(self) -> Fault {
        match self {
            Error::SpeaksUwsgi | Error::SpeaksHttp => Fault::Configuration,
            _ => Fault::Client,
        }
    }
}
