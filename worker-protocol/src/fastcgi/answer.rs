//! What a worker sends back: the answer in records, and how the request ended (sections 5.3 and 5.5 of the
//! specification). Pure.

use super::record::{self, CONTENT_BYTES_MAX, HEADER_BYTES, Header, kind};

/// How a request ended, as far as the protocol is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// It was answered.
    Complete = 0,
    /// It came while another one was under way on the same connection.
    CannotMultiplex = 1,
    /// Its role is not one that is played here.
    UnknownRole = 3,
}

/// The header of a record with `bytes` of the answer, at most [`CONTENT_BYTES_MAX`]; none may be empty.
pub fn part(id: u16, bytes: u16) -> [u8; HEADER_BYTES] {
    Header { kind: kind::STDOUT, id, content_bytes: bytes, padding_bytes: 0 }.encode()
}

/// How many of `bytes` go into the next record.
pub fn part_bytes(bytes: usize) -> u16 {
    bytes.min(CONTENT_BYTES_MAX) as u16
}

/// Appends what follows the last byte of an answer: the end of the stream and of the request.
pub fn append_end(out: &mut Vec<u8>, id: u16) {
    record::append(out, kind::STDOUT, id, &[]);
    append_outcome(out, id, Outcome::Complete);
}

/// Appends the end of a request.
pub fn append_outcome(out: &mut Vec<u8>, id: u16, outcome: Outcome) {
    // Four bytes of the application's own status, which is not used.
    record::append(out, kind::END_REQUEST, id, &[0, 0, 0, 0, outcome as u8, 0, 0, 0]);
}
