//! The header of a FastCGI record (section 3.3 of the specification), and the numbers of its types. Pure.

use super::Error;

/// Bytes of the header.
pub const HEADER_BYTES: usize = 8;
/// The version that every record has.
pub const VERSION: u8 = 1;
/// Most bytes of content in one record.
pub const CONTENT_BYTES_MAX: usize = 65_535;

/// Types of records.
pub mod kind {
    /// A request begins: role and flags.
    pub const BEGIN_REQUEST: u8 = 1;
    /// The web server has no use for the answer any more.
    pub const ABORT_REQUEST: u8 = 2;
    /// A request is done.
    pub const END_REQUEST: u8 = 3;
    /// A part of the variables; an empty one ends them.
    pub const PARAMS: u8 = 4;
    /// A part of the body; an empty one ends it.
    pub const STDIN: u8 = 5;
    /// A part of the answer; an empty one ends it.
    pub const STDOUT: u8 = 6;
    /// A part of a log.
    pub const STDERR: u8 = 7;
    /// A part of a filter's file.
    pub const DATA: u8 = 8;
    /// The web server asks what the application can do.
    pub const GET_VALUES: u8 = 9;
    /// The answer to that.
    pub const GET_VALUES_RESULT: u8 = 10;
    /// The answer to a type that is not known.
    pub const UNKNOWN_TYPE: u8 = 11;
}

/// What precedes the content of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// One of [`kind`].
    pub kind: u8,
    /// The request's number; 0 for what is about the connection.
    pub id: u16,
    /// Bytes of content that follow.
    pub content_bytes: u16,
    /// Bytes without meaning behind them.
    pub padding_bytes: u8,
}

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    /// A version other than 1.
    pub fn parse(bytes: [u8; HEADER_BYTES]) -> Result<Header, Error> {
        let [version, kind, id_high, id_low, length_high, length_low, padding_bytes, _] = bytes;
        if version != VERSION {
            return Err(Error::Version(version));
        }
        let id = u16::from_be_bytes([id_high, id_low]);
        let content_bytes = u16::from_be_bytes([length_high, length_low]);
        Ok(Header { kind, id, content_bytes, padding_bytes })
    }

    /// The bytes as they go over the wire.
    pub fn encode(self) -> [u8; HEADER_BYTES] {
        let ([id_high, id_low], [high, low]) = (self.id.to_be_bytes(), self.content_bytes.to_be_bytes());
        [VERSION, self.kind, id_high, id_low, high, low, self.padding_bytes, 0]
    }
}

/// Appends a record without padding. Content beyond [`CONTENT_BYTES_MAX`] is not written.
pub(super) fn append(out: &mut Vec<u8>, kind: u8, id: u16, content: &[u8]) {
    let content = &content[..content.len().min(CONTENT_BYTES_MAX)];
    let header = Header { kind, id, content_bytes: content.len() as u16, padding_bytes: 0 };
    out.extend_from_slice(&header.encode());
    out.extend_from_slice(content);
}

/// Appends as many records as a stream of bytes needs; none for no bytes, as that would end the stream.
pub(super) fn append_stream(out: &mut Vec<u8>, kind: u8, id: u16, bytes: &[u8]) {
    bytes.chunks(CONTENT_BYTES_MAX).for_each(|content| append(out, kind, id, content));
}
