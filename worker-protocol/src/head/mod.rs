//! What the variables of a request mean: CGI (RFC 3875), as uWSGI reads it, its faults apart (uWSGI's manual, "uWSGI
//! protocol magic variables").
//!
//! Independent of the protocol they arrived with: it takes the pairs of a [`crate::pairs::Block`]. It reads no body,
//! chooses no application and honours no `UWSGI_*` variable but `UWSGI_SCHEME`. Runs in the worker, once for every
//! request.
//!
//! Everything borrowed; a request without repeated keys costs no allocation. Rules that differ from uWSGI's:
//!
//! - `UWSGI_*`, `wsgi.*`, `uwsgi.*`, `HTTP_PROXY`, `HTTP_CONTENT_TYPE` and `HTTP_CONTENT_LENGTH` never reach the
//!   application ([`RequestHead::variables`]), and nothing here acts on them (uWSGI's manual, "Nginx support"),
//!   except that `UWSGI_SCHEME` tells the scheme.
//! - Repeated `HTTP_*` keys are joined ([`RequestHead::joined`]) as RFC 9110 5.3 and nginx from 1.23 on do it; of other
//!   repeated keys the last one counts, for every field here as well as for the application.
//! - `CONTENT_LENGTH` is strict, `Transfer-Encoding` is ignored: on these protocols the length rules.
//! - Forwarded headers count only where the caller says that they may ([`RequestHead::scheme`]).
//!
//! Values are opaque bytes: CR, LF and NUL pass, since a decoded path may hold them; whoever logs a value escapes it.
//! Only the method (a token, or 400) and the protocol (`HTTP/x.y`, or replaced) are checked, because they are echoed.
//!
//! ```
//! use worker_protocol::head::{Error, Joined, RequestHead, Variables};
//! use worker_protocol::pairs::{self, Block, PathInfo};
//!
//! let mut block = Vec::new();
//! let sent = [("REQUEST_METHOD", "GET"), ("HTTP_ACCEPT", "a"), ("HTTP_ACCEPT", "b"), ("UWSGI_FILE", "/etc/passwd")];
//! for (key, value) in sent {
//!     pairs::append(&mut block, 0, key.as_bytes(), value.as_bytes()).expect("they fit");
//! }
//! let head = RequestHead::read(Block::parse(&block, 8).expect("pairs"), PathInfo::AsSent)?;
//! assert_eq!(head.method, "GET");
//! let mut variables: Variables<'_> = head.variables();
//! assert!(variables.all(|(key, _)| key != b"UWSGI_FILE"));
//! let mut joined: Joined<'_> = head.joined();
//! assert!(joined.any(|(key, value)| key == b"HTTP_ACCEPT" && *value == *b"a, b"));
//! # Ok::<(), Error>(())
//! ```

mod arrival;
mod error;
mod fields;
mod request;
mod scheme;
mod seen_keys;
mod variables;

pub use self::error::Error;
pub use self::request::RequestHead;
pub use self::variables::{Joined, Variables};
