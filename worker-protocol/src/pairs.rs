//! The block of key/value pairs: the one form in which every protocol's codec hands a request over, and the only one
//! that [`crate::head`] reads.
//!
//! `{ keylen:u16 key vallen:u16 value } …`, little-endian, as the uwsgi protocol has it on the wire (uWSGI's manual, "The
//! uwsgi Protocol"). One walk over the block validates it; the pairs are then iterated without a further error and
//! without allocating. The walk and the iteration use the same function, so they cannot disagree about where a pair ends.
//! It gives no meaning to a key. Runs in the worker for every request.
//!
//! ```
//! use worker_protocol::pairs::{Block, Error, Limits, Misfit, Pair, Pairs, PathInfo, append};
//!
//! let mut block = Vec::new();
//! append(&mut block, 0, b"PATH_INFO", b"/")?;
//! assert_eq!(append(&mut block, 0, b"", b"no key"), Err(Misfit::EmptyKey));
//! let mut pairs: Pairs<'_> = Block::parse(&block, Limits::default().variables_max).expect("pairs").pairs();
//! let first: Option<Pair<'_>> = pairs.next();
//! assert_eq!(first, Some((&b"PATH_INFO"[..], &b"/"[..])));
//! assert!(matches!(Block::parse(&block, 0), Err(Error::TooManyVariables { variables_max: 0 })));
//! assert_ne!(PathInfo::AsSent, PathInfo::WithoutScriptName);
//! # Ok::<(), Misfit>(())
//! ```

mod marks;
mod writer;

use std::iter::FusedIterator;

use thiserror::Error;

pub(crate) use self::marks::{Field, Marks};
pub(crate) use self::writer::{Overflow, Writer};

/// A key and its value.
pub type Pair<'a> = (&'a [u8], &'a [u8]);

/// What a block may be at most. Both limits answer 431 when exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the block (the option `buffer-size`). The uwsgi protocol itself ends at 65,535, which is the default:
    /// nginx sends up to that much.
    pub block_bytes_max: u16,
    /// Pairs in the block (twice the option `max-vars`). The default, 128, is some five times what a browser behind nginx
    /// causes, and bounds what one request can cost an application that keeps variables in a map.
    pub variables_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { block_bytes_max: u16::MAX, variables_max: 128 }
    }
}

/// How `PATH_INFO` relates to `SCRIPT_NAME` among the pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathInfo {
    /// As it should be: the rest of the path.
    AsSent,
    /// The whole path: `SCRIPT_NAME` is cut off its front where it is a prefix that ends at a segment (`modifier1` 30 of
    /// the uwsgi protocol).
    WithoutScriptName,
}

/// Why bytes are no block. Offsets count from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Error {
    /// More pairs than [`Limits::variables_max`].
    #[error("request block holds more than {variables_max} variables")]
    TooManyVariables {
        /// Pairs the limits allow.
        variables_max: usize,
    },
    /// More than 65,535 bytes.
    #[error("request block of {bytes} bytes, of at most 65535")]
    TooLarge {
        /// Its bytes.
        bytes: usize,
    },
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
    /// The HTTP status that answers it.
    pub fn status(self) -> u16 {
        if matches!(self, Error::TooManyVariables { .. } | Error::TooLarge { .. }) { 431 } else { 400 }
    }
}

/// A validated block.
///
/// ```
/// use worker_protocol::pairs::{Block, append};
///
/// let mut bytes = Vec::new();
/// append(&mut bytes, 0, b"REQUEST_METHOD", b"GET").unwrap();
/// let block = Block::parse(&bytes, 128)?;
/// assert_eq!((block.count(), block.get(b"REQUEST_METHOD")), (1, Some(b"GET".as_slice())));
/// # Ok::<(), worker_protocol::pairs::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Block<'a> {
    bytes: &'a [u8],
    count: usize,
    /// Where its fields stand, if whoever walked over it has noted that.
    marks: Option<&'a Marks>,
}

impl PartialEq for Block<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Block<'_> {}

impl<'a> Block<'a> {
    /// Walks over the whole of it. An empty one is a block without pairs.
    ///
    /// # Errors
    /// The first flaw, or more than `variables_max` pairs.
    pub fn parse(bytes: &'a [u8], variables_max: usize) -> Result<Block<'a>, Error> {
        let count = walk(bytes, variables_max, |_, _, _| ())?;
        Ok(Block { bytes, count, marks: None })
    }

    /// A block that has been walked over before, had so many pairs, and its fields where `marks` says.
    pub(crate) fn validated(bytes: &'a [u8], count: usize, marks: &'a Marks) -> Block<'a> {
        Block { bytes, count, marks: Some(marks) }
    }

    /// Where its fields stand.
    #[inline]
    pub(crate) fn marks(&self) -> Marks {
        self.marks.copied().unwrap_or_else(|| Marks::of(self.pairs()))
    }

    /// The value of a field by its place; `None` when it is absent.
    #[inline]
    pub(crate) fn find(&self, marks: &Marks, field: Field) -> Option<&'a [u8]> {
        let (start, end) = marks.find(field)?;
        self.bytes.get(start..end)
    }

    /// Its pairs in wire order, repeated keys included.
    pub fn pairs(&self) -> Pairs<'a> {
        Pairs { rest: self.bytes, left: self.count }
    }

    /// The value of a key, where it is repeated the last one.
    pub fn get(&self, key: &[u8]) -> Option<&'a [u8]> {
        self.pairs().filter(|(own, _)| *own == key).map(|(_, value)| value).last()
    }

    /// Number of its pairs, repeated keys counted each time.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Its length in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

/// The pairs of a validated block, in wire order.
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let Split { key, value, rest } = split_pair(self.rest).ok()?;
        self.rest = rest;
        self.left = self.left.saturating_sub(1);
        Some((key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Pairs<'_> {}
impl FusedIterator for Pairs<'_> {}

/// Walks over a whole block and notes its fields; returns the number of its pairs.
pub(crate) fn validate(block: &[u8], variables_max: usize, marks: &mut Marks) -> Result<usize, Error> {
    *marks = Marks::default();
    walk(block, variables_max, |key, start, bytes| marks.note(key, start, bytes))
}

/// Walks over a whole block; returns the number of its pairs. `note` is told each key, and where its value stands.
#[inline(always)]
fn walk(block: &[u8], variables_max: usize, mut note: impl FnMut(&[u8], usize, usize)) -> Result<usize, Error> {
    if block.len() > usize::from(u16::MAX) {
        return Err(Error::TooLarge { bytes: block.len() });
    }
    let mut rest = block;
    let mut count = 0;
    while !rest.is_empty() {
        let split = split_pair(rest).map_err(|flaw| flaw.at(block.len() - rest.len()))?;
        rest = split.rest;
        count += 1;
        if count > variables_max {
            return Err(Error::TooManyVariables { variables_max });
        }
        note(split.key, block.len() - rest.len() - split.value.len(), split.value.len());
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

/// Why a pair cannot be part of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Misfit {
    /// Keys have at least one byte.
    #[error("the key is empty")]
    EmptyKey,
    /// A key or value of more than 65,535 bytes, or a block of more.
    #[error("the pair does not fit the 65535 bytes of a block")]
    TooLarge,
}

/// Appends a pair to the block that begins at `start` in `out`. On an error `out` is as before.
pub fn append(out: &mut Vec<u8>, start: usize, key: &[u8], value: &[u8]) -> Result<(), Misfit> {
    if key.is_empty() {
        return Err(Misfit::EmptyKey);
    }
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).map_err(|_| Misfit::TooLarge);
    let (key_bytes, value_bytes) = (length(key)?, length(value)?);
    let before = out.len().saturating_sub(start);
    if before + 2 + key.len() + 2 + value.len() > usize::from(u16::MAX) {
        return Err(Misfit::TooLarge);
    }
    out.extend_from_slice(&key_bytes.to_le_bytes());
    out.extend_from_slice(key);
    out.extend_from_slice(&value_bytes.to_le_bytes());
    out.extend_from_slice(value);
    Ok(())
}
