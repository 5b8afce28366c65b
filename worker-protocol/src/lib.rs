//! What a worker speaks: the uwsgi wire protocol towards the web server, and the fixed-size control records and
//! scoreboard words towards the master.
//!
//! Sans-IO: bytes in, values out; no sockets, no clock, no files, no unsafe code. Used by all processes: the worker
//! decodes requests and encodes response heads, the master and the zygote exchange [`control`] records, and the master
//! and its workers share the words that [`scoreboard`] lays out. `docs/PROTOCOL.md` says the same for a worker in
//! another language.
//!
//! # One request, start to end
//!
//! ```
//! use worker_protocol::pairs::Limits;
//! use worker_protocol::wire::{Asks, Progress, Protocol, Receiver};
//! use worker_protocol::{head::RequestHead, response, uwsgi};
//!
//! // What the web server sent, as far as it has arrived.
//! let mut received = Vec::new();
//! let variables = [("REQUEST_METHOD", "GET"), ("PATH_INFO", "/"), ("SERVER_PROTOCOL", "HTTP/1.1")];
//! uwsgi::encode(&mut received, uwsgi::MODIFIER_REQUEST, 0, variables)?;
//!
//! let mut receiver = Receiver::new(Protocol::Uwsgi, Limits::default());
//! let Progress::Head(envelope) = receiver.feed(&received) else { panic!("the head is whole") };
//! let Asks::Request(path_info) = envelope.asks else { panic!("a ping") };
//! let head = RequestHead::read(receiver.block(&received, &envelope), path_info)?;
//! assert_eq!(head.method, "GET");
//!
//! let mut out = Vec::new();
//! let mut answer = response::Head::start(&mut out, head.response_version(), 200, None)?;
//! answer.header("Content-Type", "text/plain")?;
//! answer.finish();
//! assert_eq!(out, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

pub mod control;
pub mod decimal;
pub mod fastcgi;
#[doc(hidden)]
pub mod fuzz;
pub mod head;
pub mod http;
pub mod ids;
pub mod pairs;
pub mod post;
pub mod progress;
pub mod proxy;
pub mod remote_cache;
pub mod response;
pub mod rpc;
pub mod scgi;
pub mod scoreboard;
pub mod strings;
pub mod subscription;
mod token;
pub mod uwsgi;
pub mod wire;

/// Who has to change something so that an error goes away.
///
/// ```
/// use worker_protocol::{Fault, uwsgi};
///
/// // nginx has proxy_pass where uwsgi_pass is meant: no request of it will do.
/// assert_eq!(uwsgi::Error::PlainHttp.fault(), Fault::Configuration);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The bytes of this one request are wrong; others from the same web server may be right.
    Client,
    /// The web server in front, or this server's limits, are set up so that no such request can succeed.
    Configuration,
}
