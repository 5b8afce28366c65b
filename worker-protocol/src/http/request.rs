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
use core::net::IpAddr;

use httparse::Header;

use super::forwarded::{self, Client};
use super::target::{self, Target};
use super::{Refusal, variables};
use crate::decimal;
use crate::pairs::Limits;
use crate::response::Version;
use crate::token::is_token;

/// Header lines that can be read at most, whatever the limits say: what the reader keeps room for on its stack.
pub const HEADERS_MAX: usize = 1024;

/// What the connection tells of itself. It becomes variables beside those of the head.
#[derive(Clone, Copy, Default)]
pub struct Peer<'a> {
    /// `SERVER_NAME`: the machine's name, not what a client says.
    pub server_name: &'a [u8],
    /// `SERVER_PORT`.
    pub server_port: &'a [u8],
    /// `REMOTE_ADDR`, empty for a unix socket.
    pub remote_addr: &'a [u8],
    /// `REMOTE_PORT`, empty for a unix socket.
    pub remote_port: &'a [u8],
    /// Whether the connection is secure.
    pub https: bool,
    /// Where the peer is a proxy that is believed: which other addresses are, too. What it says of its client then
    /// takes the place of the peer's own address and scheme (see [`forwarded`]).
    pub trusts: Option<&'a dyn Fn(IpAddr) -> bool>,
}

/// How long the request's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Neither length nor coding was given: there is none.
    None,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

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
    judge_version(head)?;
    let mut room = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(head, &mut room) {
        Ok(httparse::Status::Complete(end)) if end == head.len() => {}
        Ok(_) => return Err(Refusal::RequestLine),
        Err(error) => return Err(diagnose(head, error)),
    }
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else { return Err(Refusal::RequestLine) };
    let version = if parsed.version == Some(0) { Version::Http10 } else { Version::Http11 };
    let target = target::read(method, target.as_bytes(), peer.https)?;
    let facts = Facts::of(parsed.headers, version)?;
    let client = peer.trusts.map(|trusts| forwarded::client(parsed.headers, trusts));
    let (headers, client) = (&*parsed.headers, client.as_ref());
    let source = Source { method, target: &target, version, headers, peer, client, head_bytes: head.len() };
    let written = variables::write(block, &source, &facts, limits)?;
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

/// All that variables are made of.
pub(super) struct Source<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a Target<'a>,
    pub(super) version: Version,
    pub(super) headers: &'a [Header<'a>],
    pub(super) peer: &'a Peer<'a>,
    /// The client behind a trusted proxy.
    pub(super) client: Option<&'a Client>,
    pub(super) head_bytes: usize,
}

/// What headers say of the message itself.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) body: Body,
    persistent: bool,
    expects_continue: bool,
    upgrade: bool,
}

impl Facts {
    fn of(headers: &[Header<'_>], version: Version) -> Result<Facts, Refusal> {
        let mut seen = Seen::default();
        for header in headers {
            seen.note(header.name, header.value)?;
        }
        seen.finish(version)
    }
}

/// The headers that matter, over all their lines.
#[derive(Default)]
struct Seen {
    hosts: usize,
    length: Option<u64>,
    coding: Option<Coding>,
    close: bool,
    keep_alive: bool,
    upgrade_option: bool,
    upgrade: bool,
    expects_continue: bool,
}

/// The transfer codings so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    /// One `chunked`.
    Chunked,
    /// Several, the last one being `chunked`.
    EndsChunked,
    /// The last one is not `chunked`.
    Endless,
}

impl Seen {
    #[inline]
    fn note(&mut self, name: &str, value: &[u8]) -> Result<(), Refusal> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match name.len() {
            4 if is("host") => self.note_host(value)?,
            6 if is("expect") => self.note_expectations(value)?,
            7 if is("upgrade") => self.upgrade = true,
            10 if is("connection") => self.note_connection(value)?,
            14 if is("content-length") => self.note_length(value)?,
            17 if is("transfer-encoding") => self.note_codings(value),
            _ => {}
        }
        Ok(())
    }

    fn note_host(&mut self, value: &[u8]) -> Result<(), Refusal> {
        self.hosts += 1;
        match self.hosts {
            1 if target::is_authority(value) => Ok(()),
            1 => Err(Refusal::HostInvalid),
            _ => Err(Refusal::HostRepeated),
        }
    }

    fn note_expectations(&mut self, value: &[u8]) -> Result<(), Refusal> {
        for expectation in list(value) {
            if !expectation.eq_ignore_ascii_case(b"100-continue") {
                return Err(Refusal::Expectation);
            }
            self.expects_continue = true;
        }
        Ok(())
    }

    fn note_connection(&mut self, value: &[u8]) -> Result<(), Refusal> {
        for option in list(value) {
            if !is_token(option) {
                return Err(Refusal::ConnectionInvalid);
            }
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            self.upgrade_option |= option.eq_ignore_ascii_case(b"upgrade");
        }
        Ok(())
    }

    /// Equal lengths, in lines of their own or in a list, are one (RFC 9112 section 6.3).
    fn note_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        for text in value.split(|&byte| byte == b',').map(trim) {
            if text.is_empty() || text.len() > 19 {
                return Err(Refusal::LengthInvalid);
            }
            let second = decimal::parse(text).ok_or(Refusal::LengthInvalid)?;
            match self.length {
                Some(first) if first != second => return Err(Refusal::LengthConflict { first, second }),
                _ => self.length = Some(second),
            }
        }
        Ok(())
    }

    /// An empty coding counts as one that is not `chunked`.
    fn note_codings(&mut self, value: &[u8]) {
        for coding in value.split(|&byte| byte == b',').map(trim) {
            self.coding = Some(match (coding.eq_ignore_ascii_case(b"chunked"), self.coding) {
                (true, None) => Coding::Chunked,
                (true, Some(_)) => Coding::EndsChunked,
                (false, _) => Coding::Endless,
            });
        }
    }

    fn finish(self, version: Version) -> Result<Facts, Refusal> {
        let is_11 = version == Version::Http11;
        if is_11 && self.hosts == 0 {
            return Err(Refusal::HostMissing);
        }
        let body = match (self.coding, self.length) {
            (Some(_), Some(_)) => return Err(Refusal::LengthAndCoding),
            (Some(_), None) if !is_11 => return Err(Refusal::CodingIn10),
            (Some(Coding::Endless), None) => return Err(Refusal::CodingWithoutEnd),
            (Some(Coding::EndsChunked), None) => return Err(Refusal::CodingUnknown),
            (Some(Coding::Chunked), None) => Body::Chunked,
            (None, Some(length)) => Body::Length(length),
            (None, None) => Body::None,
        };
        Ok(Facts {
            body,
            persistent: !self.close && (is_11 || self.keep_alive),
            // HTTP/1.0 knows neither (RFC 9110 sections 7.8 and 10.1.1).
            expects_continue: is_11 && self.expects_continue,
            upgrade: is_11 && self.upgrade && self.upgrade_option,
        })
    }
}

/// The members of a comma-separated list, without blanks around them and without empty ones (RFC 9110 section 5.6.1).
pub(super) fn list(value: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim).filter(|member| !member.is_empty())
}

/// Without blanks and tabs at both ends; no other byte is white space here.
pub(super) fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// The end of the request line, before httparse gets to see it: a version that is well formed but not spoken here has
/// a status of its own.
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
