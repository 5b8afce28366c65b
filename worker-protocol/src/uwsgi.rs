//! The uwsgi packet, both directions: a 4-byte header, a block of variables, then the body (uWSGI's manual, "The uwsgi
//! Protocol").
//!
//! Bytes only: it reads no socket and gives no meaning to a variable (that is [`crate::head`]). The receiver runs in the
//! worker for every request; the encoder serves clients, load generators and tests.
//!
//! ```
//! use worker_protocol::uwsgi::{HEADER_BYTES, Header, MODIFIER_REQUEST, encode};
//!
//! let mut packet = Vec::new();
//! encode(&mut packet, MODIFIER_REQUEST, 0, [("REQUEST_METHOD", "GET")])?;
//! let header = Header::parse(&packet).expect("four bytes");
//! assert_eq!(usize::from(header.datasize), packet.len() - HEADER_BYTES);
//! # Ok::<(), worker_protocol::uwsgi::EncodeError>(())
//! ```
//!
//! ```
//! use worker_protocol::pairs::Limits;
//! use worker_protocol::progress::Progress;
//! use worker_protocol::uwsgi::{Error, NotAPong, PONG, Receiver, decode_pong};
//!
//! let refused = Receiver::default().feed(b"GET / HTTP/1.1\r\n", &Limits::default());
//! assert!(matches!(refused, Progress::Refused(Error::PlainHttp)));
//! assert_eq!(decode_pong(&PONG), Ok(Some(&b""[..])));
//! assert_eq!(decode_pong(b"HTTP/1.1"), Err(NotAPong(*b"HTTP")));
//! ```

use thiserror::Error;

use crate::Fault;
use crate::pairs::{self, Block, Limits, Marks, Misfit, PathInfo};
use crate::progress::{Asks, Envelope, Form, Message, Offer, Progress};

/// Bytes of the packet's header.
pub const HEADER_BYTES: usize = 4;
/// `modifier1` of a web request.
pub const MODIFIER_REQUEST: u8 = 0;
/// `modifier1` of a web request whose `PATH_INFO` still begins with `SCRIPT_NAME` (old nginx and Cherokee set-ups).
pub const MODIFIER_STRIP_SCRIPT_NAME: u8 = 30;
/// `modifier1` of a task for a spooler, on the wire and in its file, and of the answer to one.
pub const MODIFIER_SPOOL: u8 = 17;
/// `modifier1` of a ping and of its answer.
pub const MODIFIER_PING: u8 = 100;
/// `modifier1` of what is asked of a cache.
pub const MODIFIER_CACHE: u8 = 111;
/// `modifier1` of the call of a function, and of its result.
pub const MODIFIER_RPC: u8 = 173;
/// What a task for a spooler is answered with: it will be run, or it will not.
pub const SPOOLED: [[u8; HEADER_BYTES]; 2] = [[255, 0, 0, 1], [255, 0, 0, 0]];
/// The ping a client sends.
pub const PING: [u8; HEADER_BYTES] = [MODIFIER_PING, 0, 0, 0];
/// The answer to a ping: all is well.
pub const PONG: [u8; HEADER_BYTES] = [MODIFIER_PING, 0, 0, 1];
/// Most bytes of warning text in an answer to a ping (uWSGI's manual, "The uwsgi Protocol").
pub const PONG_WARNING_BYTES_MAX: usize = 80;

/// The packet's first four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What kind of packet it is.
    pub modifier1: u8,
    /// Bytes of the block of variables that follows; the body is not counted.
    pub datasize: u16,
    /// Sub-command, 0 in requests and ignored there.
    pub modifier2: u8,
}

impl Header {
    /// Reads the header at the start of `buffer`; `None` when fewer than four bytes are there.
    pub fn parse(buffer: &[u8]) -> Option<Header> {
        let &[modifier1, low, high, modifier2] = buffer.first_chunk()?;
        Some(Header { modifier1, datasize: u16::from_le_bytes([low, high]), modifier2 })
    }

    /// The four bytes as they go over the wire.
    pub fn encode(self) -> [u8; HEADER_BYTES] {
        let [low, high] = self.datasize.to_le_bytes();
        [self.modifier1, low, high, self.modifier2]
    }
}

/// Why a packet is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Error {
    /// The first four bytes begin an HTTP request: `proxy_pass` where `uwsgi_pass` belongs, or a browser.
    #[error("the peer speaks HTTP to a uwsgi socket (nginx needs uwsgi_pass here, not proxy_pass)")]
    PlainHttp,
    /// A `modifier1` that asks for nothing that there is.
    #[error("unsupported modifier1 {modifier1}: this server answers web requests (0, 30) and pings (100)")]
    UnsupportedModifier {
        /// As received.
        modifier1: u8,
    },
    /// The header announces more than [`Limits::block_bytes_max`].
    #[error("request block of {announced} bytes exceeds the {block_bytes_max} that buffer-size allows")]
    BlockTooLarge {
        /// Bytes the header announces.
        announced: u16,
        /// Bytes the limits allow.
        block_bytes_max: u16,
    },
    /// A web request without a single variable.
    #[error("request block is empty")]
    EmptyBlock,
    /// The block is none.
    #[error(transparent)]
    Block(#[from] pairs::Error),
}

impl Error {
    /// Who has to change something.
    pub fn fault(self) -> Fault {
        match self {
            Error::PlainHttp | Error::UnsupportedModifier { .. } => Fault::Configuration,
            _ => Fault::Client,
        }
    }

    /// The HTTP status that answers the connection (uWSGI's manual, "The uwsgi Protocol": never close without an
    /// answer).
    pub fn status(self) -> u16 {
        match self {
            Error::PlainHttp | Error::EmptyBlock => 400,
            Error::UnsupportedModifier { .. } => 501,
            Error::BlockTooLarge { .. } => 431,
            Error::Block(error) => error.status(),
        }
    }
}

/// Receives one packet.
///
/// Errors that the header shows are reported as soon as its four bytes are there; errors inside the block when the block
/// is whole. The header is judged once, and nothing is looked at before the block is whole, so that each feeding in
/// between costs next to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Receiver {
    accepted: Option<(Header, Asks)>,
    marks: Marks,
}

impl Receiver {
    /// `received`: all that has come so far, from the first byte of the packet on.
    #[inline]
    pub fn feed(&mut self, received: &[u8], limits: &Limits) -> Progress<Error> {
        self.advance(received, limits).unwrap_or_else(Progress::Refused)
    }

    #[inline]
    fn advance(&mut self, received: &[u8], limits: &Limits) -> Result<Progress<Error>, Error> {
        let (header, asks) = match self.accepted {
            Some(accepted) => accepted,
            None => {
                let Some(header) = Header::parse(received) else {
                    return Ok(Progress::Need(HEADER_BYTES - received.len()));
                };
                *self.accepted.insert((header, accept(received, header, limits)?))
            }
        };
        let consumed = HEADER_BYTES + usize::from(header.datasize);
        let Some(block) = received.get(HEADER_BYTES..consumed) else {
            return Ok(Progress::Need(consumed - received.len()));
        };
        let variables_count = match asks {
            Asks::Request(_) => pairs::validate(block, limits.variables_max, &mut self.marks)?,
            Asks::Ping { .. } | Asks::Offer(_) => 0,
        };
        let modifiers = (header.modifier1, header.modifier2);
        let message = Message::single(Form::Plain);
        Ok(Progress::Head(Envelope { asks, modifiers, variables_count, block_bytes: block.len(), consumed, message }))
    }

    /// The block of the packet that it has found whole in the same bytes, as it came.
    pub fn payload<'a>(&self, received: &'a [u8], envelope: &Envelope) -> &'a [u8] {
        received.get(HEADER_BYTES..envelope.consumed).unwrap_or_default()
    }

    /// The variables of the packet that it has found whole in the same bytes. Empty for what is no web request.
    #[inline]
    pub fn block<'a>(&'a self, received: &'a [u8], envelope: &Envelope) -> Block<'a> {
        match (envelope.asks, received.get(HEADER_BYTES..envelope.consumed)) {
            (Asks::Request(_), Some(block)) => Block::validated(block, envelope.variables_count, &self.marks),
            _ => Block::default(),
        }
    }
}

/// Judges the header alone. `received` begins with it.
fn accept(received: &[u8], header: Header, limits: &Limits) -> Result<Asks, Error> {
    let asks = match header.modifier1 {
        MODIFIER_REQUEST => Asks::Request(PathInfo::AsSent),
        MODIFIER_STRIP_SCRIPT_NAME => Asks::Request(PathInfo::WithoutScriptName),
        MODIFIER_PING => Asks::Ping { pong: &PONG },
        MODIFIER_CACHE => Asks::Offer(Offer::Caches),
        MODIFIER_RPC => Asks::Offer(Offer::Functions),
        MODIFIER_SPOOL => Asks::Offer(Offer::Spoolers),
        _ if begins_http(received) => return Err(Error::PlainHttp),
        modifier1 => return Err(Error::UnsupportedModifier { modifier1 }),
    };
    let Limits { block_bytes_max, .. } = *limits;
    if header.datasize > block_bytes_max {
        return Err(Error::BlockTooLarge { announced: header.datasize, block_bytes_max });
    }
    if header.datasize == 0 && matches!(asks, Asks::Request(_)) {
        return Err(Error::EmptyBlock);
    }
    Ok(asks)
}

/// Whether the first four bytes are those of an HTTP request. Their first letters are no `modifier1` we accept.
fn begins_http(buffer: &[u8]) -> bool {
    const STARTS: [&[u8; HEADER_BYTES]; 10] =
        [b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"OPTI", b"PATC", b"TRAC", b"CONN", b"PRI "];
    STARTS.iter().any(|start| buffer.starts_with(*start))
}

/// Why a packet cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// Keys have at least one byte.
    #[error("variable {index} has an empty key")]
    EmptyKey {
        /// Its place among the pairs given, from 0.
        index: usize,
    },
    /// The block would not fit the header's 16 bits.
    #[error("variables do not fit the 65535 bytes of a packet, from variable {index} on")]
    BlockTooLarge {
        /// The first pair that does not fit, from 0.
        index: usize,
    },
}

/// Appends a packet (header and block, no body) to `out`. On an error `out` is as before.
pub fn encode<K, V>(
    out: &mut Vec<u8>,
    modifier1: u8,
    modifier2: u8,
    pairs: impl IntoIterator<Item = (K, V)>,
) -> Result<(), EncodeError>
where
    K: AsRef<[u8]>,
    V: AsRef<[u8]>,
{
    let start = out.len();
    let written = append(out, modifier1, modifier2, pairs);
    if written.is_err() {
        out.truncate(start);
    }
    written
}

fn append<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    out: &mut Vec<u8>,
    modifier1: u8,
    modifier2: u8,
    pairs: impl IntoIterator<Item = (K, V)>,
) -> Result<(), EncodeError> {
    let start = out.len() + HEADER_BYTES;
    out.extend_from_slice(&[0; HEADER_BYTES]);
    for (index, (key, value)) in pairs.into_iter().enumerate() {
        pairs::append(out, start, key.as_ref(), value.as_ref()).map_err(|misfit| match misfit {
            Misfit::EmptyKey => EncodeError::EmptyKey { index },
            Misfit::TooLarge => EncodeError::BlockTooLarge { index },
        })?;
    }
    // A block that was appended fits.
    let datasize = (out.len() - start) as u16;
    let header = Header { modifier1, datasize, modifier2 }.encode();
    out[start - HEADER_BYTES..start].copy_from_slice(&header);
    Ok(())
}

/// Appends the answer to a ping. An empty `warning` is a plain [`PONG`]; a longer one is cut at
/// [`PONG_WARNING_BYTES_MAX`] bytes, as clients read no more.
pub fn encode_pong(out: &mut Vec<u8>, warning: &[u8]) {
    let warning = &warning[..warning.len().min(PONG_WARNING_BYTES_MAX)];
    let header = Header { modifier1: MODIFIER_PING, datasize: warning.len() as u16, modifier2: 1 };
    out.extend_from_slice(&header.encode());
    out.extend_from_slice(warning);
}

/// Why an answer to a ping is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not the answer to a ping: it begins with {0:02x?}")]
pub struct NotAPong(
    /// The header received.
    pub [u8; HEADER_BYTES],
);

/// Reads the answer to a ping: its warning text, empty when all is well. `None`: more bytes are needed.
pub fn decode_pong(buffer: &[u8]) -> Result<Option<&[u8]>, NotAPong> {
    let Some(header) = Header::parse(buffer) else { return Ok(None) };
    let length = usize::from(header.datasize);
    if header.modifier1 != MODIFIER_PING || header.modifier2 != 1 || length > PONG_WARNING_BYTES_MAX {
        return Err(NotAPong(header.encode()));
    }
    Ok(buffer.get(HEADER_BYTES..HEADER_BYTES + length))
}
