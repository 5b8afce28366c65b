//! The uwsgi packet, both directions: a 4-byte header, a block of variables, then the body (uWSGI's manual, "The uwsgi
//! Protocol").
//!
//! Bytes only: it reads no socket, keeps no state between calls and gives no meaning to a variable (that is
//! [`crate::head`]). Runs in the worker for every request; the encoder serves clients, load generators and tests.
//!
//! One walk over the block validates it; the pairs are then iterated without a further error and without allocating.
//! The walk and the iteration use the same function, so they cannot disagree about where a pair ends.

use std::iter::FusedIterator;

use thiserror::Error;

use crate::Fault;
use crate::head::PathInfo;

/// Bytes of the packet's header.
pub const HEADER_BYTES: usize = 4;
/// `modifier1` of a web request.
pub const MODIFIER_REQUEST: u8 = 0;
/// `modifier1` of a web request whose `PATH_INFO` still begins with `SCRIPT_NAME` (old nginx and Cherokee set-ups).
pub const MODIFIER_STRIP_SCRIPT_NAME: u8 = 30;
/// `modifier1` of a ping and of its answer.
pub const MODIFIER_PING: u8 = 100;
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

/// What a decoder accepts at most. Both limits answer 431 when exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the block of variables, header and body not counted (the option `buffer-size`). The protocol itself
    /// ends at 65,535, which is the default: nginx sends up to that much.
    pub packet_bytes_max: u16,
    /// Variables in the block. The default, 1,024, is some fifty times what a browser behind nginx causes, and bounds
    /// what one packet can cost an application that keeps variables in a map.
    pub variables_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { packet_bytes_max: u16::MAX, variables_max: 1024 }
    }
}

/// Why a packet is refused. Offsets count from the start of the block, which is 4 bytes after the packet's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Error {
    /// The first four bytes begin an HTTP request: `proxy_pass` where `uwsgi_pass` belongs, or a browser.
    #[error("the peer speaks HTTP to a uwsgi socket (nginx needs uwsgi_pass here, not proxy_pass)")]
    PlainHttp,
    /// A `modifier1` other than 0, 30 and 100.
    #[error("unsupported modifier1 {modifier1}: this server answers web requests (0, 30) and pings (100)")]
    UnsupportedModifier {
        /// As received.
        modifier1: u8,
    },
    /// The header announces more than [`Limits::packet_bytes_max`].
    #[error("request block of {announced} bytes exceeds the {packet_bytes_max} that buffer-size allows")]
    BlockTooLarge {
        /// Bytes the header announces.
        announced: u16,
        /// Bytes the limits allow.
        packet_bytes_max: u16,
    },
    /// More pairs than [`Limits::variables_max`].
    #[error("request block holds more than {variables_max} variables")]
    TooManyVariables {
        /// Pairs the limits allow.
        variables_max: usize,
    },
    /// A web request without a single variable.
    #[error("request block is empty")]
    EmptyBlock,
    /// A key of length zero.
    #[error("empty key at offset {offset} of the request block")]
    EmptyKey {
        /// Where the pair begins.
        offset: usize,
    },
    /// A key length that points past the end of the block.
    #[error("key at offset {offset} runs past the end of the request block")]
    KeyPastEnd {
        /// Where the pair begins.
        offset: usize,
    },
    /// The block ends inside or before the length of a value.
    #[error("key at offset {offset} has no value: the request block ends")]
    ValueMissing {
        /// Where the pair begins.
        offset: usize,
    },
    /// A value length that points past the end of the block.
    #[error("value of the key at offset {offset} runs past the end of the request block")]
    ValuePastEnd {
        /// Where the pair begins.
        offset: usize,
    },
    /// A single byte after the last pair.
    #[error("stray byte at offset {offset}, after the last variable of the request block")]
    StrayByte {
        /// Where it is.
        offset: usize,
    },
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
            Error::UnsupportedModifier { .. } => 501,
            Error::BlockTooLarge { .. } | Error::TooManyVariables { .. } => 431,
            _ => 400,
        }
    }
}

/// What a packet asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A web request, and how its `PATH_INFO` is to be read.
    Request(PathInfo),
    /// A ping, to be answered with [`PONG`]. Its block, if any, is ignored and not validated.
    Ping,
}

/// A whole, valid packet. Borrows from the buffer it was decoded from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    header: Header,
    kind: Kind,
    block: &'a [u8],
    variables_count: usize,
}

impl<'a> Packet<'a> {
    /// The header as received.
    pub fn header(&self) -> Header {
        self.header
    }

    /// What the packet asks for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The variables in wire order, repeated keys included. Empty for a ping.
    pub fn pairs(&self) -> Pairs<'a> {
        match self.kind {
            Kind::Request(_) => Pairs { rest: self.block, left: self.variables_count },
            Kind::Ping => Pairs { rest: &[], left: 0 },
        }
    }

    /// Number of pairs in the block, repeated keys counted each time.
    pub fn variables_count(&self) -> usize {
        self.variables_count
    }

    /// Bytes of the block of variables.
    pub fn block_bytes(&self) -> usize {
        self.block.len()
    }

    /// Bytes of the buffer that the packet took; what follows them is the start of the body.
    pub fn consumed(&self) -> usize {
        HEADER_BYTES + self.block.len()
    }
}

/// The pairs of a validated block, `(key, value)`, in wire order.
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let Split { key, value, rest } = split_pair(self.rest).ok()?;
        self.rest = rest;
        self.left -= 1;
        Some((key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Pairs<'_> {}
impl FusedIterator for Pairs<'_> {}

/// Decodes the packet at the start of `buffer`. `None`: it is not whole yet, [`missing`] says how much to wait for.
///
/// Errors that the header shows are reported as soon as its four bytes are there; errors inside the block when the
/// block is whole. A call that returned `None` has cost only the look at the header, so calling again after each read
/// is cheap.
pub fn decode<'a>(buffer: &'a [u8], limits: &Limits) -> Result<Option<Packet<'a>>, Error> {
    let Some(header) = Header::parse(buffer) else { return Ok(None) };
    let kind = accept(buffer, header, limits)?;
    let Some(block) = buffer.get(HEADER_BYTES..HEADER_BYTES + usize::from(header.datasize)) else { return Ok(None) };
    let variables_count = match kind {
        Kind::Request(_) => validate(block, limits.variables_max)?,
        Kind::Ping => 0,
    };
    Ok(Some(Packet { header, kind, block, variables_count }))
}

/// How many more bytes the packet at the start of `buffer` needs at least: exact once the header is there, and 0 when
/// the packet is whole. Errors are those of the header.
pub fn missing(buffer: &[u8], limits: &Limits) -> Result<usize, Error> {
    let Some(header) = Header::parse(buffer) else { return Ok(HEADER_BYTES - buffer.len()) };
    accept(buffer, header, limits)?;
    Ok((HEADER_BYTES + usize::from(header.datasize)).saturating_sub(buffer.len()))
}

/// Judges the header alone. `buffer` begins with it.
fn accept(buffer: &[u8], header: Header, limits: &Limits) -> Result<Kind, Error> {
    let kind = match header.modifier1 {
        MODIFIER_REQUEST => Kind::Request(PathInfo::AsSent),
        MODIFIER_STRIP_SCRIPT_NAME => Kind::Request(PathInfo::WithoutScriptName),
        MODIFIER_PING => Kind::Ping,
        _ if begins_http(buffer) => return Err(Error::PlainHttp),
        modifier1 => return Err(Error::UnsupportedModifier { modifier1 }),
    };
    if header.datasize > limits.packet_bytes_max {
        let Limits { packet_bytes_max, .. } = *limits;
        return Err(Error::BlockTooLarge { announced: header.datasize, packet_bytes_max });
    }
    if header.datasize == 0 && kind != Kind::Ping {
        return Err(Error::EmptyBlock);
    }
    Ok(kind)
}

/// Whether the first four bytes are those of an HTTP request. Their first letters are no `modifier1` we accept.
fn begins_http(buffer: &[u8]) -> bool {
    const STARTS: [&[u8; HEADER_BYTES]; 10] =
        [b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"OPTI", b"PATC", b"TRAC", b"CONN", b"PRI "];
    STARTS.iter().any(|start| buffer.starts_with(*start))
}

/// Walks the whole block; returns the number of pairs.
fn validate(block: &[u8], variables_max: usize) -> Result<usize, Error> {
    let mut rest = block;
    let mut count = 0;
    while !rest.is_empty() {
        let split = split_pair(rest).map_err(|flaw| flaw.at(block.len() - rest.len()))?;
        rest = split.rest;
        count += 1;
        if count > variables_max {
            return Err(Error::TooManyVariables { variables_max });
        }
    }
    Ok(count)
}

/// What is wrong with a pair, without the place.
#[derive(Clone, Copy)]
enum Flaw {
    StrayByte,
    EmptyKey,
    KeyPastEnd,
    ValueMissing,
    ValuePastEnd,
}

impl Flaw {
    #[cold]
    fn at(self, offset: usize) -> Error {
        match self {
            Flaw::StrayByte => Error::StrayByte { offset },
            Flaw::EmptyKey => Error::EmptyKey { offset },
            Flaw::KeyPastEnd => Error::KeyPastEnd { offset },
            Flaw::ValueMissing => Error::ValueMissing { offset },
            Flaw::ValuePastEnd => Error::ValuePastEnd { offset },
        }
    }
}

/// A pair and what follows it.
struct Split<'a> {
    key: &'a [u8],
    value: &'a [u8],
    rest: &'a [u8],
}

/// Splits the first pair off `block`.
///
/// A key length that reaches past the end is an error here; uWSGI skips it and reads the key's bytes as lengths
/// (uWSGI's manual, "The uwsgi Protocol"), so that two parsers see two different requests.
#[inline(always)]
fn split_pair(block: &[u8]) -> Result<Split<'_>, Flaw> {
    let (length, rest) = block.split_first_chunk().ok_or(Flaw::StrayByte)?;
    let key_bytes = usize::from(u16::from_le_bytes(*length));
    if key_bytes == 0 {
        return Err(Flaw::EmptyKey);
    }
    let (key, rest) = rest.split_at_checked(key_bytes).ok_or(Flaw::KeyPastEnd)?;
    let (length, rest) = rest.split_first_chunk().ok_or(Flaw::ValueMissing)?;
    let value_bytes = usize::from(u16::from_le_bytes(*length));
    let (value, rest) = rest.split_at_checked(value_bytes).ok_or(Flaw::ValuePastEnd)?;
    Ok(Split { key, value, rest })
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
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_BYTES]);
    let mut datasize = 0;
    for (index, (key, value)) in pairs.into_iter().enumerate() {
        let (key, value) = (key.as_ref(), value.as_ref());
        if key.is_empty() {
            return Err(EncodeError::EmptyKey { index });
        }
        let too_large = |_| EncodeError::BlockTooLarge { index };
        let key_bytes = u16::try_from(key.len()).map_err(too_large)?;
        let value_bytes = u16::try_from(value.len()).map_err(too_large)?;
        let pair_bytes = 2 + key.len() + 2 + value.len();
        datasize = u16::try_from(usize::from(datasize) + pair_bytes).map_err(too_large)?;
        out.extend_from_slice(&key_bytes.to_le_bytes());
        out.extend_from_slice(key);
        out.extend_from_slice(&value_bytes.to_le_bytes());
        out.extend_from_slice(value);
    }
    let header = Header { modifier1, datasize, modifier2 }.encode();
    out[start..start + HEADER_BYTES].copy_from_slice(&header);
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
