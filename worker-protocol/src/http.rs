//! HTTP/1.1 as a server speaks it to clients (RFC 9110, RFC 9112), turned into the block of variables that the other
//! protocols bring along, so that nothing behind it knows the difference.
//!
//! Sans-IO: bytes in, values out; no sockets, no clock. It answers nothing itself, chooses no application and knows no
//! configuration but the [`Limits`] it is given. Runs in the worker, for connections of HTTP sockets, and in
//! the router.
//!
//! - [`receive`] joins what follows for the requests of one connection.
//! - [`scan`] finds the end of a head, however it arrives, and refuses at the first byte that no request can have.
//! - [`request`] reads the head (with httparse), judges it, and writes the variables.
//! - [`chunked`] decodes request bodies, [`framing`] says how the end of an answer is told and encodes its chunks.
//! - [`answer`] turns the answer of a worker behind a router into one for an HTTP client.
//! - [`packing`] says whether that is packed, because its application wants it.
//! - [`caller`] is who is at the two ends of a connection.
//! - [`foreign`] reads the head of an answer that somebody gives whom a worker has asked.
//! - [`hop`] names the headers that are about one connection only.
//! - [`forwarded`] reads what proxies say of the client before them; [`date`] writes the header of that name.
//! - [`conditional`], [`range`] and [`coding`] read what a client asks of a file: if it has changed, which part of it, and
//!   how it may be packed. [`selection`] says what of it answers then.
//!
//! # Strictness
//!
//! Whatever two servers could understand in two ways is refused, with one status and one sentence ([`Refusal`]): a bare
//! CR or LF, a folded header, a blank before the colon, no `Host` or two, `Content-Length` beside `Transfer-Encoding`,
//! a transfer coding other than one `chunked`. After a refusal the connection must be closed, as nothing tells where
//! the next request would begin.
//!
//! Headers whose names contain an underscore are dropped, and counted ([`request::Request::dropped`]): `X_Real_Ip` and
//! `X-Real-Ip` would be the same variable, so that a client could pass off its own value for a proxy's.
//!
//! ```
//! use worker_protocol::http::chunked::{Decoder, Piece};
//! use worker_protocol::http::framing::{self, Answer, Framing, Plan};
//! use worker_protocol::http::receive::Receiver;
//! use worker_protocol::http::request::{self, Body, Peer, Request};
//! use worker_protocol::http::scan::Scan;
//! use worker_protocol::http::{Limits, Refusal};
//! use worker_protocol::progress::Progress;
//! use worker_protocol::response::Version;
//! use worker_protocol::pairs;
//!
//! let sent = b"POST /a?b HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
//! let peer = Peer { remote_addr: b"192.0.2.7", ..Peer::default() };
//!
//! // The head: where it ends, and what it means.
//! let end = Scan::default().advance(sent, &Limits::default())?.expect("it is whole");
//! let mut block = Vec::new();
//! let read: Request = request::read(&sent[end.clone()], &peer, &pairs::Limits::default(), &mut block)?;
//! assert_eq!((read.version, read.body), (Version::Http11, Body::Chunked));
//!
//! // The body.
//! let Piece { data, .. } = Decoder::new(1_000).next(&sent[end.end..], usize::MAX).expect("a chunk");
//! assert_eq!(data, b"hi");
//!
//! // Both at once, as for every other protocol; and what no request can be.
//! let mut receiver = Receiver::default();
//! assert!(matches!(receiver.feed(sent, &peer, &pairs::Limits::default()), Progress::Head(_)));
//! let refused = Receiver::default().feed(b"\x16\x03", &peer, &pairs::Limits::default());
//! assert!(matches!(refused, Progress::Refused(Refusal::SpeaksTls)));
//!
//! // How the end of the answer is told.
//! let answer = Answer { version: Version::Http11, method: "POST", status: 200, length: None, persistent: true };
//! let Plan { framing, .. } = framing::plan(&answer);
//! assert_eq!(framing, Framing::Chunked);
//! # Ok::<(), Refusal>(())
//! ```
//!
//! What a client asks of a file, and what a proxy says of the client:
//!
//! ```
//! use worker_protocol::http::coding::{Coding, acceptable};
//! use worker_protocol::http::forwarded::{Client, client};
//! use worker_protocol::http::selection::Multipart;
//!
//! assert_eq!(acceptable(Some(b"gzip, br;q=0.5")), [Coding::Gzip, Coding::Brotli]);
//! let parts = Multipart::new(7, Some("text/plain"), vec![0..2, 4..9], 9);
//! assert!(parts.content_type.starts_with("multipart/byteranges"));
//! assert_eq!(client(&[], &|_| true), Client::default());
//! ```

pub mod answer;
pub mod caller;
pub mod chunked;
pub mod coding;
pub mod conditional;
pub mod date;
mod facts;
pub mod foreign;
pub mod forwarded;
pub mod framing;
pub mod hop;
mod list;
pub mod packing;
pub mod range;
pub mod receive;
mod refusal;
pub mod request;
pub mod scan;
pub mod selection;
mod source;
mod target;
mod variables;

pub use self::refusal::Refusal;

use crate::pairs;

/// What the head of a request may measure at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one line without its end: 414 for a longer request line, 431 for a longer header. RFC 9112 section 3
    /// asks for 8,000 at least; the default is twice what nginx takes.
    pub line_bytes_max: u16,
    /// Bytes of the whole head, its blank line included: 431. The default is the size of the largest uwsgi packet.
    pub head_bytes_max: usize,
    /// Header lines: 431. At most [`request::HEADERS_MAX`] count whatever is written here. The default is some five
    /// times what a browser sends.
    pub headers_max: usize,
}

/// Variables that a request has besides one for each header, at most.
const OTHER_VARIABLES_MAX: usize = 13;

/// No longer line than that, whatever the limit of the whole.
const LINE_BYTES_MAX: u16 = 16_384;

impl Limits {
    /// Those that keep a request within a block.
    pub fn within(block: &pairs::Limits) -> Limits {
        Limits {
            line_bytes_max: LINE_BYTES_MAX.min(block.block_bytes_max),
            head_bytes_max: usize::from(block.block_bytes_max),
            headers_max: block.variables_max.saturating_sub(OTHER_VARIABLES_MAX),
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::within(&pairs::Limits::default())
    }
}

/// The answer to `Expect: 100-continue`, to be sent when the body is first asked for.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
