//! What of a file answers a request: all of it, parts, or nothing, by the request's conditions and its `Range` (RFC 9110
//! sections 13 and 14). Pure: the headers and what is known of the file come in.

use std::ops::Range;

use super::conditional::{Conditions, Validators, Verdict};
use super::range::{Wanted, wanted};

/// What is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of it: 200.
    Whole,
    /// These parts: 206. Never empty, each within the file.
    Parts(Vec<Range<u64>>),
    /// Nothing, as the client has it: 304.
    NotModified,
    /// Nothing, as it is not the one that the client means: 412.
    Failed,
    /// Nothing, as there is nothing in that range: 416.
    OutOfRange,
}

/// Chooses, for GET and HEAD. `range`: the `Range` of the request, where it may have a part.
///
/// ```
/// use worker_protocol::http::conditional::{Conditions, Validators};
/// use worker_protocol::http::selection::{Selection, select};
///
/// let known = Validators { etag: "\"7\"", modified_s: 1_700_000_000 };
/// let asked = Conditions { if_range: Some(b"\"7\""), ..Conditions::default() };
/// assert_eq!(select("GET", &asked, Some(b"bytes=0-4"), &known, 100), Selection::Parts(vec![0..5]));
/// let other = Validators { etag: "\"8\"", ..known };
/// assert_eq!(select("GET", &asked, Some(b"bytes=0-4"), &other, 100), Selection::Whole);
/// ```
pub fn select(
    method: &str,
    conditions: &Conditions<'_>,
    range: Option<&[u8]>,
    known: &Validators<'_>,
    length: u64,
) -> Selection {
    match conditions.judge(known) {
        Verdict::NotModified => return Selection::NotModified,
        Verdict::Failed => return Selection::Failed,
        Verdict::Send => {}
    }
    // Ranges are of GET only (RFC 9110 section 14.2).
    let range = range.filter(|_| method == "GET" && conditions.permit_range(known));
    match range.map_or(Wanted::Whole, |range| wanted(range, length)) {
        Wanted::Whole => Selection::Whole,
        Wanted::Parts(parts) => Selection::Parts(parts),
        Wanted::Nothing => Selection::OutOfRange,
    }
}

/// A strong entity tag of a file, by when it was written and how long it is.
pub fn etag(modified_s: u64, modified_ns: u64, length: u64) -> String {
    format!("\"{modified_s:x}.{modified_ns:x}-{length:x}\"")
}

/// The value of `Content-Range` for one part.
pub fn content_range(part: &Range<u64>, length: u64) -> String {
    format!("bytes {}-{}/{length}", part.start, part.end - 1)
}

/// The value of `Content-Range` where there is nothing in the range.
pub fn no_range(length: u64) -> String {
    format!("bytes */{length}")
}

/// An answer in several parts, `multipart/byteranges` (RFC 9110 section 14.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multipart {
    /// Its media type, with the boundary.
    pub content_type: String,
    /// Bytes of the whole body.
    pub bytes: u64,
    /// Each part: what is before its bytes, and which they are.
    pub parts: Vec<(String, Range<u64>)>,
    /// What is behind the last one.
    pub end: String,
}

impl Multipart {
    /// Of a file of `length` bytes. `boundary`: what whoever made the file could not know.
    pub fn new(boundary: u128, media_type: Option<&str>, parts: Vec<Range<u64>>, length: u64) -> Multipart {
        let kind = media_type.map_or_else(String::new, |kind| format!("Content-Type: {kind}\r\n"));
        let before = |bytes: &Range<u64>| {
            format!("\r\n--{boundary:032x}\r\n{kind}Content-Range: {}\r\n\r\n", content_range(bytes, length))
        };
        let parts: Vec<_> = parts.into_iter().map(|bytes| (before(&bytes), bytes)).collect();
        let end = format!("\r\n--{boundary:032x}--\r\n");
        let of_parts: u64 = parts.iter().map(|(before, bytes)| before.len() as u64 + bytes.end - bytes.start).sum();
        let content_type = format!("multipart/byteranges; boundary={boundary:032x}");
        Multipart { content_type, bytes: of_parts + end.len() as u64, parts, end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Validators<'static> = Validators { etag: "\"a\"", modified_s: 1_000 };

    #[test]
    fn conditions_count_before_ranges_and_ranges_for_get_only() {
        let asked = Conditions { if_none_match: Some(b"\"a\""), ..Conditions::default() };
        assert_eq!(select("GET", &asked, Some(b"bytes=0-1"), &KNOWN, 9), Selection::NotModified);
        let asked = Conditions { if_match: Some(b"\"b\""), ..Conditions::default() };
        assert_eq!(select("GET", &asked, None, &KNOWN, 9), Selection::Failed);
        let asked = Conditions::default();
        assert_eq!(select("GET", &asked, Some(b"bytes=0-1,4-"), &KNOWN, 9), Selection::Parts(vec![0..2, 4..9]));
        assert_eq!(select("HEAD", &asked, Some(b"bytes=0-1"), &KNOWN, 9), Selection::Whole);
        assert_eq!(select("GET", &asked, Some(b"bytes=9-"), &KNOWN, 9), Selection::OutOfRange);
    }

    #[test]
    fn an_answer_in_parts_is_as_long_as_it_says() {
        let made = Multipart::new(7, Some("text/plain"), vec![0..2, 4..9], 9);
        let body: String = made
            .parts
            .iter()
            .map(|(before, bytes)| before.clone() + &"abcdefghi"[bytes.start as usize..bytes.end as usize])
            .collect();
        let body = body + &made.end;
        assert_eq!(body.len() as u64, made.bytes);
        assert!(body.contains("Content-Type: text/plain\r\nContent-Range: bytes 4-8/9\r\n\r\nefghi\r\n--"));
        assert!(
            made.content_type
                .ends_with(body.split("\r\n--").nth(1).unwrap_or_default().split("\r\n").next().unwrap_or("none"))
        );
    }
}
