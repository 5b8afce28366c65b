//! The fuzz targets of HTTP, and the reader of a whole connection that they and the tests share: what requests does a
//! server see in these bytes, and how does it end? No server calls this.

use crate::head::RequestHead;
use crate::http::chunked::{self, Decoder};
use crate::http::receive::take_head;
use crate::http::request::{Body, Peer, Request};
use crate::http::scan::Scan;
use crate::http::{Limits, Refusal};
use crate::pairs::{self, Block, Marks, PathInfo};
use crate::response::Version;

/// A request that was seen to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The variables that were written.
    pub variables: Vec<(Vec<u8>, Vec<u8>)>,
    /// The names of those that the application gets to see.
    pub visible: Vec<Vec<u8>>,
    /// The body, decoded.
    pub body: Vec<u8>,
    /// Whether another request may follow.
    pub persistent: bool,
    /// Whether the client waits for an interim answer.
    pub expects_continue: bool,
    /// Whether the client offers another protocol.
    pub upgrade: bool,
}

impl Seen {
    /// A variable; empty if there is none.
    pub fn variable(&self, key: &str) -> &[u8] {
        self.variables.iter().find(|(name, _)| name == key.as_bytes()).map_or(b"", |(_, value)| value)
    }
}

/// How the bytes of a connection end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Between two requests.
    Idle,
    /// Within a request.
    Waiting,
    /// After a request that is the last one, whatever follows.
    Closed,
    /// With a head that is refused.
    Refused(Refusal),
    /// With a body that is refused.
    BodyRefused(chunked::Error),
}

impl End {
    /// The status of the last answer, if the bytes are refused.
    pub fn status(self) -> Option<u16> {
        match self {
            End::Refused(refusal) => Some(refusal.status()),
            End::BodyRefused(error) => Some(error.status()),
            _ => None,
        }
    }
}

/// Reads the requests of one connection, as its bytes arrive.
#[derive(Debug)]
pub struct Reader {
    limits: Limits,
    body_bytes_max: u64,
    unread: Vec<u8>,
    scan: Scan,
    /// The request whose body is being read.
    current: Option<(Seen, Rest)>,
    /// Requests seen to their end.
    pub seen: Vec<Seen>,
    end: Option<End>,
}

/// What is still to come of a body.
#[derive(Debug)]
enum Rest {
    Bytes(u64),
    Chunks(Decoder),
}

impl Reader {
    /// A connection of which nothing was read.
    pub fn new(limits: Limits, body_bytes_max: u64) -> Reader {
        Reader {
            limits,
            body_bytes_max,
            unread: Vec::new(),
            scan: Scan::default(),
            current: None,
            seen: Vec::new(),
            end: None,
        }
    }

    /// Reads on.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        while self.end.is_none() && self.advance() {}
    }

    /// How it ends if no more bytes come.
    pub fn end(&self) -> End {
        match self.end {
            Some(end) => end,
            None if self.current.is_none() && self.scan.is_idle(&self.unread) => End::Idle,
            None => End::Waiting,
        }
    }

    /// One step; false when bytes are missing.
    fn advance(&mut self) -> bool {
        match self.current.take() {
            None => self.read_head(),
            Some((seen, Rest::Bytes(left))) => self.read_bytes(seen, left),
            Some((seen, Rest::Chunks(decoder))) => self.read_chunks(seen, decoder),
        }
    }

    fn read_head(&mut self) -> bool {
        let (mut block, mut marks) = (Vec::new(), Marks::default());
        let (limits, into) = ((&self.limits, &BLOCK_LIMITS), (&mut block, &mut marks));
        let (request, consumed) = match take_head(&mut self.scan, &self.unread, &PEER, limits, into) {
            Ok(None) => return false,
            Ok(Some(taken)) => taken,
            Err(refusal) => return self.refuse(refusal),
        };
        let block = Block::parse(&block, BLOCK_LIMITS.variables_max).expect("what was written is a block");
        let visible = check_block(block, &request);
        self.unread.drain(..consumed);
        self.scan = Scan::default();
        let seen = Seen {
            variables: block.pairs().map(|(key, value)| (key.to_vec(), value.to_vec())).collect(),
            visible,
            body: Vec::new(),
            persistent: request.persistent,
            expects_continue: request.expects_continue,
            upgrade: request.upgrade,
        };
        let rest = match request.body {
            Body::None => Rest::Bytes(0),
            Body::Length(length) => Rest::Bytes(length),
            Body::Chunked => Rest::Chunks(Decoder::new(self.body_bytes_max)),
        };
        self.current = Some((seen, rest));
        true
    }

    fn refuse(&mut self, refusal: Refusal) -> bool {
        assert!(matches!(refusal.status(), 400 | 405 | 414 | 417 | 421 | 431 | 501 | 505), "{refusal:?}");
        assert!(!refusal.to_string().contains(['\r', '\n']));
        self.end = Some(End::Refused(refusal));
        false
    }

    fn read_bytes(&mut self, mut seen: Seen, left: u64) -> bool {
        let here = self.unread.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        seen.body.extend(self.unread.drain(..here));
        if here as u64 == left {
            self.finish(seen)
        } else {
            self.current = Some((seen, Rest::Bytes(left - here as u64)));
            false
        }
    }

    fn read_chunks(&mut self, mut seen: Seen, mut decoder: Decoder) -> bool {
        let piece = match decoder.next(&self.unread, 7) {
            Ok(piece) => piece,
            Err(error) => {
                self.end = Some(End::BodyRefused(error));
                return false;
            }
        };
        assert!(piece.consumed >= piece.data.len() && piece.data.len() <= 7);
        assert_eq!(piece.ended, decoder.has_ended());
        seen.body.extend_from_slice(piece.data);
        assert!(seen.body.len() as u64 <= self.body_bytes_max);
        let (ended, goes_on) = (piece.ended, piece.consumed > 0);
        self.unread.drain(..piece.consumed);
        if ended {
            return self.finish(seen);
        }
        self.current = Some((seen, Rest::Chunks(decoder)));
        goes_on
    }

    fn finish(&mut self, seen: Seen) -> bool {
        if !seen.persistent {
            self.end = Some(End::Closed);
        }
        self.seen.push(seen);
        true
    }
}

/// Blocks as large as heads can make them; the heads have limits of their own here.
const BLOCK_LIMITS: pairs::Limits = pairs::Limits { block_bytes_max: u16::MAX, variables_max: 1_100 };

/// What the tests' connections tell of themselves.
pub const PEER: Peer<'static> = Peer {
    server_name: b"machine",
    server_port: b"8000",
    remote_addr: b"192.0.2.1",
    remote_port: b"40001",
    https: false,
    trusts: None,
};

/// The requests that a server sees in bytes that arrive at once, and how it ends.
pub fn requests(bytes: &[u8], limits: Limits, body_bytes_max: u64) -> (Vec<Seen>, End) {
    let mut reader = Reader::new(limits, body_bytes_max);
    reader.feed(bytes);
    let end = reader.end();
    (reader.seen, end)
}

/// Reads `bytes` as the requests of a connection, whole and in pieces, with generous and with narrow limits.
pub fn exercise_http(bytes: &[u8]) {
    let narrow = Limits { line_bytes_max: 64, head_bytes_max: 256, headers_max: 4 };
    for (limits, body_bytes_max) in [(Limits::default(), u64::MAX), (narrow, 32)] {
        let whole = requests(bytes, limits, body_bytes_max);
        let mut reader = Reader::new(limits, body_bytes_max);
        bytes.chunks(1).for_each(|byte| reader.feed(byte));
        let end = reader.end();
        assert_eq!((reader.seen, end), whole, "byte by byte");
    }
}

/// Reads `bytes` as a chunked body, whole and in pieces.
pub fn exercise_chunked(bytes: &[u8]) {
    for body_bytes_max in [u64::MAX, 32] {
        let whole = decode(bytes, bytes.len().max(1), body_bytes_max);
        assert_eq!(decode(bytes, 1, body_bytes_max), whole, "byte by byte");
    }
}

/// The body, the bytes it took if it ended, or why not.
fn decode(bytes: &[u8], step: usize, body_bytes_max: u64) -> (Vec<u8>, Result<Option<usize>, chunked::Error>) {
    let (mut decoder, mut body, mut at) = (Decoder::new(body_bytes_max), Vec::new(), 0);
    while at < bytes.len() {
        let here = &bytes[at..bytes.len().min(at + step)];
        match decoder.next(here, usize::MAX) {
            Err(error) => return (body, Err(error)),
            Ok(piece) => {
                body.extend_from_slice(piece.data);
                at += piece.consumed;
                if piece.ended {
                    return (body, Ok(Some(at)));
                }
            }
        }
    }
    (body, Ok(None))
}

fn check_block(block: Block<'_>, request: &Request) -> Vec<Vec<u8>> {
    assert_eq!(block.count(), request.variables_count);
    let head = RequestHead::read(block, PathInfo::AsSent).expect("what was written is a request");
    assert_eq!(head.protocol, request.version.as_str());
    assert!(head.path().starts_with(b"/") || head.path() == b"*", "{}", head.path().escape_ascii());
    assert!(!head.path().contains(&0));
    assert_eq!(head.scheme(false), "http");
    assert_eq!(head.remote_addr(), PEER.remote_addr);
    let length = match request.body {
        Body::Length(length) => Some(length),
        Body::None | Body::Chunked => None,
    };
    assert_eq!(head.content_length(), length);
    assert!(request.version == Version::Http10 || !head.host().is_empty());
    for (key, value) in block.pairs() {
        let is_own = !key.starts_with(b"HTTP_");
        assert!(is_own || !value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t'), "a control character");
        assert!(!key.contains(&b'-') && !key.iter().any(u8::is_ascii_lowercase));
    }
    head.variables().map(|(key, _)| key.to_vec()).collect()
}
