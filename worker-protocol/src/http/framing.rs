//! How the end of an answer is told to an HTTP client, and whether the connection goes on after it (RFC 9112 sections
//! 6.3, 7.1 and 9.3). Pure; the worker asks when it has the status and the length.

use crate::response::{Version, body_allowed};

/// How the client knows where the answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body: for `HEAD`, 1xx, 204 and 304.
    Bodiless,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// The connection ends with it.
    Close,
}

/// What decides.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The version of the request.
    pub version: Version,
    /// The method of the request.
    pub method: &'a str,
    /// The status of the answer.
    pub status: u16,
    /// Its `Content-Length`, if it has one.
    pub length: Option<u64>,
    /// Whether client and server both let the connection go on.
    pub persistent: bool,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How the end is told.
    pub framing: Framing,
    /// Whether another request may follow, once the body of this one is read and the answer sent as announced.
    pub persistent: bool,
    /// The value of the `Connection` header; `None` for none. After 101 it is the application's.
    pub connection: Option<&'static str>,
}

/// Decides.
pub fn plan(answer: &Answer<'_>) -> Plan {
    let is_11 = answer.version == Version::Http11;
    if answer.status == 101 {
        // What follows is another protocol's.
        return Plan { framing: Framing::Close, persistent: false, connection: None };
    }
    let framing = match answer.length {
        _ if !body_allowed(answer.method, answer.status) => Framing::Bodiless,
        Some(length) => Framing::Length(length),
        None if is_11 => Framing::Chunked,
        None => Framing::Close,
    };
    let persistent = answer.persistent && framing != Framing::Close;
    let connection = match (persistent, is_11) {
        (true, true) => None,
        (true, false) => Some("keep-alive"),
        (false, _) => Some("close"),
    };
    Plan { framing, persistent, connection }
}

/// Bytes that a chunk's beginning has at most: 16 digits and CRLF.
pub const CHUNK_START_BYTES_MAX: usize = 18;

/// What follows the bytes of a chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

/// The last chunk, and no trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The beginning of a chunk of `bytes`, written at the end of `room`. None may be empty: that would be the last one.
pub fn chunk_start(mut bytes: u64, room: &mut [u8; CHUNK_START_BYTES_MAX]) -> &[u8] {
    let mut start = room.len() - CHUNK_END.len();
    room[start..].copy_from_slice(CHUNK_END);
    loop {
        start -= 1;
        room[start] = b"0123456789abcdef"[(bytes & 0xf) as usize];
        bytes >>= 4;
        if bytes == 0 {
            return &room[start..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: Answer<'static> =
        Answer { version: Version::Http11, method: "GET", status: 200, length: None, persistent: true };
    const GET_10: Answer<'static> = Answer { version: Version::Http10, ..GET };

    #[track_caller]
    fn check(answer: Answer<'_>, framing: Framing, persistent: bool, connection: Option<&'static str>) {
        assert_eq!(plan(&answer), Plan { framing, persistent, connection }, "{answer:?}");
    }

    #[test]
    fn http_11_is_chunked_where_the_length_is_unknown() {
        check(GET, Framing::Chunked, true, None);
        check(Answer { length: Some(0), ..GET }, Framing::Length(0), true, None);
        check(Answer { persistent: false, ..GET }, Framing::Chunked, false, Some("close"));
    }

    #[test]
    fn http_10_is_closed_where_the_length_is_unknown() {
        check(GET_10, Framing::Close, false, Some("close"));
        check(Answer { length: Some(5), ..GET_10 }, Framing::Length(5), true, Some("keep-alive"));
        check(Answer { length: Some(5), persistent: false, ..GET_10 }, Framing::Length(5), false, Some("close"));
        check(Answer { method: "HEAD", ..GET_10 }, Framing::Bodiless, true, Some("keep-alive"));
    }

    #[test]
    fn what_has_no_body_needs_no_framing() {
        for answer in [
            Answer { method: "HEAD", ..GET },
            Answer { method: "HEAD", length: Some(5), ..GET },
            Answer { status: 204, ..GET },
            Answer { status: 304, length: Some(5), ..GET },
        ] {
            check(answer, Framing::Bodiless, true, None);
        }
    }

    #[test]
    fn after_a_change_of_protocol_the_connection_is_not_ours() {
        check(Answer { status: 101, ..GET }, Framing::Close, false, None);
    }

    #[test]
    fn chunks_begin_with_their_length() {
        for bytes in [1, 9, 10, 15, 16, 255, 4096, u64::MAX] {
            assert_eq!(chunk_start(bytes, &mut [0; 18]), format!("{bytes:x}\r\n").as_bytes());
        }
    }
}
