//! The head of one request: read with httparse, judged by the rules of RFC 9112, written as variables. Pure.
//!
//! # The target
//!
//! A path is percent-decoded once, then its `.` and `..` segments are resolved, encoded ones too (as nginx does);
//! empty segments stay. `%2F` becomes a slash; `%00` and invalid escapes are refused, and so is a path that leads out of
//! the root. `REQUEST_URI` is the path and the query as they came. The query is not judged but for its bytes.
//!
//! Bytes beyond RFC 3986's that browsers are known to send as they are (the WHATWG's URL standard) are let through:
//! ``[ ] ^ ` { | }``, in a query also `\`. Of an absolute URI the authority replaces `Host` (RFC 9112 section 3.2.2).

use core::mem::MaybeUninit;

use super::facts::Facts;
use super::source::Source;
use super::{Refusal, forwarded, target, variables};
use crate::pairs::{Limits, Marks};
use crate::response::Version;
use crate::token::is_token;

pub use super::facts::Body;
pub use super::source::Peer;

/// Header lines that can be read at most, whatever the limits say: what the reader keeps room for on its stack.
pub const HEADERS_MAX: usize = 1024;

/// Header lines of nearly all requests: room that takes less memory, and so less time.
const HEADERS_FEW: usize = 48;

/// A request whose variables have been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// The version it was made with.
    pub version: Version,
    /// Its body.
    pub body: Body,
    /// Whether the client lets the connection go on after the answer (RFC 9112 section 9.3).
    pub persistent: bool,
    /// Whether the client waits for [`super::CONTINUE`] before it sends the body.
    pub expects_continue: bool,
    /// Whether the client offers to change the protocol (RFC 9110 section 7.8).
    pub upgrade: bool,
    /// Variables written.
    pub variables_count: usize,
    /// Headers left out because of an underscore in their name.
    pub dropped: usize,
}

/// Reads a head that [`super::scan::Scan`] found, and appends its variables to `block` in the form of a uwsgi packet's
/// block. After an error `block` may hold some of them.
///
/// # Errors
/// The first rule that is broken.
pub fn read(head: &[u8], peer: &Peer<'_>, limits: &Limits, block: &mut Vec<u8>) -> Result<Request, Refusal> {
    read_noting(head, peer, limits, (block, &mut Marks::default()))
}

/// The same, and where in the block the variables with a meaning are.
pub(super) fn read_noting(
    head: &[u8],
    peer: &Peer<'_>,
    limits: &Limits,
    (block, marks): (&mut Vec<u8>, &mut Marks),
) -> Result<Request, Refusal> {
    match read_with::<HEADERS_FEW>(head, peer, limits, (block, marks)) {
        Err(Refusal::TooManyHeaders { .. }) => read_with::<HEADERS_MAX>(head, peer, limits, (block, marks)),
        outcome => outcome,
    }
}

/// The same with room for so many headers, on a stack of its own.
#[inline(never)]
fn read_with<const HEADERS: usize>(
    head: &[u8],
    peer: &Peer<'_>,
    limits: &Limits,
    into: (&mut Vec<u8>, &mut Marks),
) -> Result<Request, Refusal> {
    let mut room = [const { MaybeUninit::uninit() }; HEADERS];
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(head, &mut room) {
        Ok(httparse::Status::Complete(end)) if end == head.len() => {}
        Ok(_) => return Err(judge_version(head).err().unwrap_or(Refusal::RequestLine)),
        Err(error) => return Err(judge_version(head).err().unwrap_or_else(|| diagnose(head, error))),
    }
    give_meaning(&parsed, head, peer, limits, into)
}

/// Reads a short head that came all at once, as nearly all do, without having it scanned before; also says how many bytes it is
/// of what has come. `None`: there is no such head, or one with a flaw, and the scan is to say which.
///
/// What httparse lets through and the scan does not is looked for here: lines that end with a mere LF, an empty line before the
/// first, `PROXY`, too many headers. (A CR without an LF is an error to it, and so is a line that begins with a blank.)
#[inline(never)]
pub(super) fn read_at_once(
    received: &[u8],
    peer: &Peer<'_>,
    (of_head, limits): (&super::Limits, &Limits),
    into: (&mut Vec<u8>, &mut Marks),
) -> Option<(Request, usize)> {
    let mut room = [const { MaybeUninit::uninit() }; HEADERS_FEW];
    let mut parsed = httparse::Request::new(&mut []);
    let Ok(httparse::Status::Complete(end)) = parsed.parse_with_uninit_headers(received, &mut room) else {
        return None;
    };
    let head = received.get(..end)?;
    let starts = |part: &str| part.as_ptr().addr().wrapping_sub(head.as_ptr().addr());
    let follows_line =
        |header: &httparse::Header<'_>| head.get(..starts(header.name)).is_some_and(|before| before.ends_with(b"\r\n"));
    if end > of_head.head_bytes_max.min(usize::from(of_head.line_bytes_max))
        || !head.ends_with(b"\r\n\r\n")
        || parsed.method.is_none_or(|method| starts(method) > 0 || method == "PROXY")
        || parsed.headers.len() > of_head.headers_max
        || !parsed.headers.iter().all(follows_line)
    {
        return None;
    }
    Some((give_meaning(&parsed, head, peer, limits, into).ok()?, end))
}

/// Writes the variables of a head that httparse has taken.
#[inline(always)]
fn give_meaning(
    parsed: &httparse::Request<'_, '_>,
    head: &[u8],
    peer: &Peer<'_>,
    limits: &Limits,
    into: (&mut Vec<u8>, &mut Marks),
) -> Result<Request, Refusal> {
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else { return Err(Refusal::RequestLine) };
    let version = if parsed.version == Some(0) { Version::Http10 } else { Version::Http11 };
    let target = target::read(method, target.as_bytes(), peer.https)?;
    let facts = Facts::of(parsed.headers, version)?;
    let client = peer.trusts.map(|trusts| forwarded::client(parsed.headers, trusts));
    let (headers, client) = (&parsed.headers[..], client.as_ref());
    let source = Source { method, target: &target, version, headers, peer, client, head_bytes: head.len() };
    let written = variables::write(into, &source, &facts, limits)?;
    Ok(Request {
        version,
        body: facts.body,
        persistent: facts.persistent,
        expects_continue: facts.expects_continue,
        upgrade: facts.upgrade,
        variables_count: written.count,
        dropped: written.dropped,
    })
}

/// The end of the request line of a head that httparse has refused: a version that is well formed but not spoken here has a
/// status of its own.
#[cold]
fn judge_version(head: &[u8]) -> Result<(), Refusal> {
    let line = first_line(head);
    match line.split_last_chunk() {
        Some((_, b" HTTP/1.1" | b" HTTP/1.0")) => Ok(()),
        Some((_, [b' ', b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'])) => Err(Refusal::Version),
        _ => Err(Refusal::RequestLine),
    }
}

fn first_line(head: &[u8]) -> &[u8] {
    memchr::memchr(b'\r', head).map_or(head, |end| &head[..end])
}

/// Finds the line that httparse refused, for a sentence that says what is wrong with it.
#[cold]
fn diagnose(head: &[u8], error: httparse::Error) -> Refusal {
    let lines = head.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    for (index, line) in lines.enumerate().skip(1).filter(|(_, line)| !line.is_empty()) {
        if let Some(refusal) = flaw(line, index + 1) {
            return refusal;
        }
    }
    match error {
        httparse::Error::TooManyHeaders => Refusal::TooManyHeaders { headers_max: HEADERS_MAX },
        _ => match first_line(head).iter().find(|byte| byte.is_ascii_control()) {
            Some(&byte) => Refusal::TargetByte(byte),
            None => Refusal::RequestLine,
        },
    }
}

/// What is wrong with a header line.
fn flaw(text: &[u8], line: usize) -> Option<Refusal> {
    let Some(colon) = text.iter().position(|&byte| byte == b':') else { return Some(Refusal::NoColon { line }) };
    let (name, value) = (&text[..colon], &text[colon..]);
    if let [.., b' ' | b'\t'] = name {
        return Some(Refusal::BlankBeforeColon { line });
    }
    if !is_token(name) {
        return Some(Refusal::HeaderName { line });
    }
    let has_control = value.iter().any(|&byte| byte.is_ascii_control() && byte != b'\t');
    has_control.then_some(Refusal::HeaderValue { line })
}
