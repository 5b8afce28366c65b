//! What all control messages have in common: the record of 32 bytes, packed and unpacked, the text behind it, and what
//! can be wrong with them. All processes.

use thiserror::Error;

use crate::ids::ProcessId;
use crate::post::Post;

/// The version that this crate speaks.
pub const VERSION: u16 = 1;
/// Bytes of a record.
pub const RECORD_BYTES: usize = 32;
/// Most bytes of the text after a record: a long traceback fits, a flood does not.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Most bytes of a message; a receive buffer of this size never truncates one.
pub const MESSAGE_BYTES_MAX: usize = RECORD_BYTES + TEXT_BYTES_MAX;
/// Most descriptors beside one record; the kernel's own bound (`SCM_MAX_FD`) is 253.
pub const DESCRIPTORS_MAX: usize = 128;

/// What can be sent as one packet of a control socket.
pub trait Message: Sized {
    /// Appends the message to `out`, at most [`MESSAGE_BYTES_MAX`] bytes. Of a longer text the last
    /// [`TEXT_BYTES_MAX`] bytes are sent, because the error of a traceback is its last line.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads one whole packet. Text that is not UTF-8 is repaired with U+FFFD rather than refused: it is the only
    /// explanation there is.
    fn decode(packet: &[u8]) -> Result<Self, Error>;

    /// How many descriptors travel beside it, at most [`DESCRIPTORS_MAX`].
    fn descriptors(&self) -> usize;
}

/// Why a packet is no message. It is a fault of the program on the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Error {
    /// Fewer than [`RECORD_BYTES`].
    #[error("control packet of {bytes} bytes is shorter than a record of 32")]
    Short {
        /// Bytes of the packet.
        bytes: usize,
    },
    /// Another version of the protocol.
    #[error("control record of version {0}, expected 1")]
    Version(u16),
    /// No kind of this direction.
    #[error("unknown control record kind {0}")]
    Kind(u16),
    /// A number outside of what its field can mean.
    #[error("control record kind {kind}: {field} cannot be {value}")]
    Field {
        /// The record's kind.
        kind: u16,
        /// What the field is called in this kind.
        field: &'static str,
        /// As received.
        value: u64,
    },
    /// Bytes after a record whose kind has no text.
    #[error("control record kind {kind} is followed by {bytes} bytes, but carries no text")]
    UnexpectedText {
        /// The record's kind.
        kind: u16,
        /// Bytes after the record.
        bytes: usize,
    },
    /// More than [`TEXT_BYTES_MAX`].
    #[error("text of {bytes} bytes after a control record exceeds 16384")]
    TextTooLong {
        /// Bytes after the record.
        bytes: usize,
    },
}

/// The 32 bytes, unpacked.
pub(super) struct Record {
    pub(super) kind: u16,
    pub(super) generation: u32,
    pub(super) seat: u32,
    /// A post, packed; in one kind a count.
    pub(super) post: u32,
    pub(super) a: u64,
    pub(super) b: u64,
}

impl Record {
    pub(super) fn new(kind: u16) -> Record {
        Record { kind, generation: 0, seat: 0, post: 0, a: 0, b: 0 }
    }

    pub(super) fn append(&self, out: &mut Vec<u8>, text: &str) {
        out.extend_from_slice(&self.kind.to_le_bytes());
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.generation.to_le_bytes());
        out.extend_from_slice(&self.seat.to_le_bytes());
        out.extend_from_slice(&self.post.to_le_bytes());
        out.extend_from_slice(&self.a.to_le_bytes());
        out.extend_from_slice(&self.b.to_le_bytes());
        out.extend_from_slice(last_bytes(text, TEXT_BYTES_MAX).as_bytes());
    }

    /// Splits a packet into record and text.
    pub(super) fn split(packet: &[u8]) -> Result<(Record, Text<'_>), Error> {
        let (bytes, text) = packet.split_first_chunk::<RECORD_BYTES>().ok_or(Error::Short { bytes: packet.len() })?;
        let version = u16::from_le_bytes(field(bytes, 2));
        if version != VERSION {
            return Err(Error::Version(version));
        }
        let record = Record {
            kind: u16::from_le_bytes(field(bytes, 0)),
            generation: u32::from_le_bytes(field(bytes, 4)),
            seat: u32::from_le_bytes(field(bytes, 8)),
            post: u32::from_le_bytes(field(bytes, 12)),
            a: u64::from_le_bytes(field(bytes, 16)),
            b: u64::from_le_bytes(field(bytes, 24)),
        };
        Ok((record, Text(text)))
    }

    pub(super) fn count(&self, field: &'static str) -> Result<u32, Error> {
        u32::try_from(self.a).map_err(|_| self.wrong(field, self.a))
    }

    pub(super) fn signed_a(&self, field: &'static str) -> Result<i32, Error> {
        unsigned(self.a).ok_or(self.wrong(field, self.a))
    }

    pub(super) fn wait_status(&self) -> Result<i32, Error> {
        unsigned(self.b).ok_or(self.wrong("wait status", self.b))
    }

    pub(super) fn post(&self) -> Result<Post, Error> {
        Post::unpack(self.post).ok_or(self.wrong("post", self.post.into()))
    }

    pub(super) fn pid(&self) -> Result<ProcessId, Error> {
        unsigned(self.a).and_then(ProcessId::new).ok_or(self.wrong("process id", self.a))
    }

    pub(super) fn wrong(&self, field: &'static str, value: u64) -> Error {
        Error::Field { kind: self.kind, field, value }
    }
}

/// What follows a record.
pub(super) struct Text<'a>(&'a [u8]);

impl Text<'_> {
    pub(super) fn none(&self, record: &Record) -> Result<(), Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Error::UnexpectedText { kind: record.kind, bytes: self.0.len() })
    }

    pub(super) fn read(&self) -> Result<String, Error> {
        if self.0.len() > TEXT_BYTES_MAX {
            return Err(Error::TextTooLong { bytes: self.0.len() });
        }
        Ok(String::from_utf8_lossy(self.0).into_owned())
    }
}

/// The `N` bytes at `offset`.
fn field<const N: usize>(record: &[u8; RECORD_BYTES], offset: usize) -> [u8; N] {
    std::array::from_fn(|index| record[offset + index])
}

/// A signed 32-bit number in a 64-bit field: its two's complement in the lower half.
pub(super) fn signed(number: i32) -> u64 {
    u64::from(number.cast_unsigned())
}

fn unsigned(field: u64) -> Option<i32> {
    u32::try_from(field).ok().map(u32::cast_signed)
}

/// The last `bytes_max` bytes of `text` or fewer, beginning with a whole character.
fn last_bytes(text: &str, bytes_max: usize) -> &str {
    let first = text.len().saturating_sub(bytes_max);
    let start = (first..text.len()).find(|&index| text.is_char_boundary(index));
    start.map_or("", |start| &text[start..])
}
