//! SCGI, both directions: a netstring of names and values, each with a NUL behind it, then the body (the protocol's
//! page, "SCGI: A Simple Common Gateway Interface alternative").
//!
//! Bytes only: it reads no socket and gives no meaning to a variable. What it decodes it writes as the block of a uwsgi
//! packet, which is what the rest works on. Runs in the worker for every request of an SCGI socket; the encoder serves
//! clients and tests.
//!
//! The page wants `CONTENT_LENGTH` first and `SCGI` somewhere; neither is insisted on, as uWSGI never did and
//! configurations without them exist. Everything else is strict.
//!
//! ```
//! let mut request = Vec::new();
//! worker_protocol::scgi::encode(&mut request, [("CONTENT_LENGTH", "0"), ("SCGI", "1")])?;
//! assert_eq!(request, b"24:CONTENT_LENGTH\x000\0SCGI\x001\0,");
//! # Ok::<(), worker_protocol::scgi::EncodeError>(())
//! ```
//!
//! ```
//! use worker_protocol::pairs::Limits;
//! use worker_protocol::progress::{Form, Progress};
//! use worker_protocol::scgi::{Error, Receiver};
//!
//! let mut receiver = Receiver::default();
//! let refused = receiver.feed(b"GET / HTTP/1.1\r\n", &Limits::default(), Form::Status);
//! assert!(matches!(refused, Progress::Refused(Error::SpeaksHttp)));
//! ```

use thiserror::Error;

use crate::Fault;
use crate::pairs::{Block, Limits, Marks, Overflow, PathInfo, Writer};
use crate::progress::{Asks, Envelope, Form, Message, Progress};

/// Why bytes are no request. Offsets count from the start of the netstring's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Error {
    /// The first byte of a uwsgi packet.
    #[error("the peer speaks uwsgi to an SCGI socket (nginx needs scgi_pass here, not uwsgi_pass)")]
    SpeaksUwsgi,
    /// The first byte of a FastCGI record.
    #[error("the peer speaks FastCGI to an SCGI socket (nginx needs scgi_pass here, not fastcgi_pass)")]
    SpeaksFastCgi,
    /// A letter: the beginning of an HTTP request.
    #[error("the peer speaks HTTP to an SCGI socket (nginx needs scgi_pass here, not proxy_pass)")]
    SpeaksHttp,
    /// No number at the beginning, or none that a colon ends, or one with a leading zero.
    #[error("the request does not begin with the length of a netstring")]
    Length,
    /// The netstring announces more than [`Limits::block_bytes_max`].
    #[error("request head of more than the {block_bytes_max} bytes that buffer-size allows")]
    TooLarge {
        /// Bytes the limits allow.
        block_bytes_max: u16,
    },
    /// No variables.
    #[error("the request has no variables")]
    Empty,
    /// The netstring does not end where it says.
    #[error("the netstring is not followed by a comma")]
    Comma,
    /// A name of length zero.
    #[error("empty name at offset {offset} of the request head")]
    EmptyName {
        /// Where.
        offset: usize,
    },
    /// A name or value without its NUL, or a name without a value.
    #[error("the name or value at offset {offset} of the request head does not end")]
    Unterminated {
        /// Where it begins.
        offset: usize,
    },
    /// More pairs than [`Limits::variables_max`].
    #[error("the request head holds more than {variables_max} variables")]
    TooManyVariables {
        /// Pairs the limits allow.
        variables_max: usize,
    },
}

impl Error {
    /// The HTTP status that answers the request.
    pub fn status(self) -> u16 {
        match self {
            Error::TooLarge { .. } | Error::TooManyVariables { .. } => 431,
            _ => 400,
        }
    }

    /// Who has to change something.
    pub fn fault(self) -> Fault {
        match self {
            Error::SpeaksUwsgi | Error::SpeaksFastCgi | Error::SpeaksHttp => Fault::Configuration,
            _ => Fault::Client,
        }
    }
}

/// Receives the head of a request.
#[derive(Debug, Clone, Default)]
pub struct Receiver {
    block: Vec<u8>,
    marks: Marks,
}

impl Receiver {
    /// `received`: all that has come so far, from the first byte on.
    ///
    /// Errors that the length shows are told as soon as it is there; others when the netstring is whole.
    pub fn feed(&mut self, received: &[u8], limits: &Limits, answer: Form) -> Progress<Error> {
        self.advance(received, limits, answer).unwrap_or_else(Progress::Refused)
    }

    fn advance(&mut self, received: &[u8], limits: &Limits, answer: Form) -> Result<Progress<Error>, Error> {
        let Some(start) = start(received, limits)? else { return Ok(Progress::Need(1)) };
        let end = start.content + start.length;
        let (Some(content), Some(&comma)) = (received.get(start.content..end), received.get(end)) else {
            return Ok(Progress::Need(end + 1 - received.len()));
        };
        if comma != b',' {
            return Err(Error::Comma);
        }
        self.block.clear();
        let variables_count = append_pairs(content, limits, (&mut self.block, &mut self.marks))?;
        Ok(Progress::Head(Envelope {
            asks: Asks::Request(PathInfo::AsSent),
            modifiers: (0, 0),
            variables_count,
            block_bytes: self.block.len(),
            consumed: end + 1,
            message: Message::single(answer),
        }))
    }

    /// The variables of the head that it has yielded.
    pub fn block(&self, envelope: &Envelope) -> Block<'_> {
        Block::validated(&self.block, envelope.variables_count, &self.marks)
    }
}

/// The length of the netstring and where its content begins.
struct Start {
    length: usize,
    content: usize,
}

/// Reads digits up to the colon.
fn start(buffer: &[u8], limits: &Limits) -> Result<Option<Start>, Error> {
    let mut length = 0;
    for (at, &byte) in buffer.iter().enumerate() {
        match byte {
            b':' if at > 0 && length > 0 => return Ok(Some(Start { length, content: at + 1 })),
            b':' if at > 0 => return Err(Error::Empty),
            b'0'..=b'9' if at == 0 || length > 0 => {
                length = length * 10 + usize::from(byte - b'0');
                if length > usize::from(limits.block_bytes_max) {
                    return Err(Error::TooLarge { block_bytes_max: limits.block_bytes_max });
                }
            }
            _ if at == 0 => return Err(beginning(byte)),
            _ => return Err(Error::Length),
        }
    }
    Ok(None)
}

fn beginning(byte: u8) -> Error {
    match byte {
        0 => Error::SpeaksUwsgi,
        1 => Error::SpeaksFastCgi,
        b'A'..=b'Z' => Error::SpeaksHttp,
        _ => Error::Length,
    }
}

fn append_pairs(content: &[u8], limits: &Limits, (block, marks): (&mut Vec<u8>, &mut Marks)) -> Result<usize, Error> {
    let overflow = |overflow| match overflow {
        Overflow::Bytes => Error::TooLarge { block_bytes_max: limits.block_bytes_max },
        Overflow::Pairs => Error::TooManyVariables { variables_max: limits.variables_max },
    };
    let mut block = Writer::new(block, marks, *limits, 2 * content.len());
    let mut rest = content;
    while !rest.is_empty() {
        let offset = content.len() - rest.len();
        let (name, after) = split(rest).ok_or(Error::Unterminated { offset })?;
        if name.is_empty() {
            return Err(Error::EmptyName { offset });
        }
        let (value, after) = split(after).ok_or(Error::Unterminated { offset: offset + name.len() + 1 })?;
        block.pair(name, value);
        rest = after;
    }
    block.finish().map_err(overflow)
}

fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(0, text)?;
    Some((&text[..end], &text[end + 1..]))
}

/// Why a request cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("variable {index} has an empty name, or a NUL in its name or value")]
pub struct EncodeError {
    /// Its place among the pairs given, from 0.
    pub index: usize,
}

/// Appends a request's head. The pairs are written as they come: `CONTENT_LENGTH` belongs first, `SCGI` with the value
/// `1` after it.
///
/// # Errors
/// A pair that SCGI cannot carry; `out` is then as it was.
pub fn encode<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    out: &mut Vec<u8>,
    pairs: impl IntoIterator<Item = (K, V)>,
) -> Result<(), EncodeError> {
    let mut content = Vec::new();
    for (index, (name, value)) in pairs.into_iter().enumerate() {
        let (name, value) = (name.as_ref(), value.as_ref());
        if name.is_empty() || name.contains(&0) || value.contains(&0) {
            return Err(EncodeError { index });
        }
        for text in [name, value] {
            content.extend_from_slice(text);
            content.push(0);
        }
    }
    out.extend_from_slice(format!("{}:", content.len()).as_bytes());
    out.extend_from_slice(&content);
    out.push(b',');
    Ok(())
}
