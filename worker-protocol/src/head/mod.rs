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
