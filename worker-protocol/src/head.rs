//! What the variables of a request mean: CGI (RFC 3875), as uWSGI reads it, its faults apart (uWSGI's manual, "uWSGI
//! protocol magic variables").
//!
//! Independent of the protocol they arrived with: it takes any cloneable iterator over `(key, value)` pairs. It reads
//! no body, chooses no application and honours no `UWSGI_*` variable. Runs in the worker, once for every request.
//!
//! Everything borrowed; a request without repeated keys costs no allocation. Rules that differ from uWSGI's:
//!
//! - `UWSGI_*`, `wsgi.*`, `uwsgi.*`, `HTTP_PROXY`, `HTTP_CONTENT_TYPE` and `HTTP_CONTENT_LENGTH` never reach the
//!   application ([`RequestHead::variables`]), and nothing here acts on them (uWSGI's manual, "Nginx support").
//! - Repeated `HTTP_*` keys are joined ([`RequestHead::joined`]) as RFC 9110 5.3 and nginx from 1.23 on do it; of other
//!   repeated keys the last one counts, for every field here as well as for the application.
//! - `CONTENT_LENGTH` is strict, `Transfer-Encoding` is ignored: on these protocols the length rules.
//! - Forwarded headers count only where the caller says that they may ([`RequestHead::scheme`]).
//!
//! Values are opaque bytes: CR, LF and NUL pass, since a decoded path may hold them; whoever logs a value escapes it.
//! Only the method (a token, or 400) and the protocol (`HTTP/x.y`, or replaced) are checked, because they are echoed.

mod seen_keys;
mod variables;

use thiserror::Error;

use self::seen_keys::SeenKeys;
use self::variables::{ADDITIONS_MAX, Replaced};
pub use self::variables::{Joined, Variables};
use crate::Fault;
use crate::decimal;
use crate::response::Protocol;
use crate::token::is_token;
use crate::uwsgi::Pairs;

type Pair<'a> = (&'a [u8], &'a [u8]);

/// How `PATH_INFO` relates to `SCRIPT_NAME` in what the web server sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathInfo {
    /// As it should be: the rest of the path.
    AsSent,
    /// The whole path: `SCRIPT_NAME` is cut off its front where it is a prefix that ends at a segment (`modifier1` 30).
    WithoutScriptName,
}

/// Why the variables are no request. Each one answers 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Error {
    /// No `REQUEST_METHOD`, or an empty one.
    #[error("no REQUEST_METHOD among the variables")]
    MethodMissing,
    /// A method that is no token (RFC 9110 section 9.1).
    #[error("REQUEST_METHOD is not a token")]
    MethodInvalid,
    /// A `CONTENT_LENGTH` other than 1 to 19 digits.
    #[error("CONTENT_LENGTH is not a number of 1 to 19 digits")]
    ContentLengthInvalid,
    /// Two lengths that differ.
    #[error("CONTENT_LENGTH is given as {first} and as {second}")]
    ContentLengthConflict {
        /// The earlier one.
        first: u64,
        /// The later one.
        second: u64,
    },
}

impl Error {
    /// Who has to change something.
    pub fn fault(self) -> Fault {
        match self {
            // A web server with `uwsgi_params` always sends it.
            Error::MethodMissing => Fault::Configuration,
            _ => Fault::Client,
        }
    }

    /// The HTTP status that answers the request.
    pub fn status(self) -> u16 {
        400
    }
}

/// A request without its body. Text fields are the bytes received, empty when the variable is absent.
///
/// `P` is the iterator over the pairs it was read from.
#[derive(Debug, Clone)]
pub struct RequestHead<'a, P = Pairs<'a>> {
    /// `REQUEST_METHOD`, a token, as sent (methods are case-sensitive).
    pub method: &'a str,
    /// `REQUEST_URI`: path and query, still encoded.
    pub uri: &'a [u8],
    /// `PATH_INFO`: decoded by the web server, below `script_name`.
    pub path: &'a [u8],
    /// `SCRIPT_NAME`: where the application is mounted.
    pub script_name: &'a [u8],
    /// `QUERY_STRING`, without the question mark.
    pub query: &'a [u8],
    /// `SERVER_PROTOCOL`, always of the form `HTTP/x.y`; `HTTP/1.0` when absent or of another form.
    pub protocol: &'a str,
    /// `CONTENT_TYPE`.
    pub content_type: &'a [u8],
    /// `CONTENT_LENGTH` in bytes; `None` when absent or empty: no body.
    pub content_length: Option<u64>,
    /// `HTTP_HOST`, with its port if any.
    pub host: &'a [u8],
    /// `SERVER_NAME`; made from `host` or `localhost` when absent (RFC 3875 4.1.14 requires it).
    pub server_name: &'a [u8],
    /// `SERVER_PORT`; made from the scheme when absent.
    pub server_port: &'a [u8],
    /// `REMOTE_ADDR`.
    pub remote_addr: &'a [u8],
    /// `REMOTE_PORT`.
    pub remote_port: &'a [u8],
    /// `REMOTE_USER`. Nothing here authenticates it: whoever reaches the socket sets it.
    pub remote_user: &'a [u8],
    /// `HTTP_USER_AGENT`.
    pub user_agent: &'a [u8],
    /// `HTTP_REFERER`.
    pub referer: &'a [u8],
    /// `HTTP_COOKIE`; the last line when there are several, see [`RequestHead::joined`].
    pub cookie: &'a [u8],
    /// `HTTP_X_FORWARDED_FOR`; the last line when there are several.
    pub forwarded_for: &'a [u8],
    pairs: P,
    path_info: PathInfo,
    secure: Secure<'a>,
    arrival: Arrival<'a>,
    synthesised: Synthesised,
}

/// What tells the scheme, as received.
#[derive(Debug, Clone, Copy, Default)]
struct Secure<'a> {
    https: &'a [u8],
    /// The later of `HTTPS` and `HTTP_X_FORWARDED_SSL` (they share a slot, uWSGI's manual, "uWSGI protocol magic
    /// variables").
    https_or_forwarded_ssl: &'a [u8],
    forwarded_proto: &'a [u8],
}

/// What tells when the web server received the request, as received.
#[derive(Debug, Clone, Copy, Default)]
struct Arrival<'a> {
    request_msec: &'a [u8],
    x_request_start: &'a [u8],
}

/// Which required variables the web server left out, so that they are added for the application.
#[derive(Debug, Clone, Copy, Default)]
struct Synthesised {
    server_name: bool,
    server_port: bool,
    protocol: bool,
}

impl<'a, P> RequestHead<'a, P>
where
    P: Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
{
    /// Gives the pairs their meaning, in one pass. The first error ends it.
    pub fn read(pairs: P, path_info: PathInfo) -> Result<Self, Error> {
        let mut head = Fields::default();
        for (key, value) in pairs.clone() {
            head.note(key, value)?;
        }
        head.finish(pairs, path_info)
    }

    /// The protocol version for the answer's status line.
    pub fn response_protocol(&self) -> Protocol {
        if self.protocol == "HTTP/1.0" { Protocol::Http10 } else { Protocol::Http11 }
    }

    /// `http` or `https` (uWSGI's manual, "uWSGI protocol magic variables").
    ///
    /// With `trust_forwarded`, `X-Forwarded-Proto` decides if it says `http` or `https`, then the later one of `HTTPS`
    /// and `X-Forwarded-SSL`. Without it only `HTTPS` counts, which the web server sets and a client cannot. `HTTPS`
    /// means `https` when it is `on`, `1` or `https` in any case; uWSGI took any word that begins with `on`.
    pub fn scheme(&self, trust_forwarded: bool) -> &'static str {
        let Secure { https, https_or_forwarded_ssl, forwarded_proto } = self.secure;
        if !trust_forwarded {
            return scheme_of_switch(https);
        }
        known_scheme(forwarded_proto).unwrap_or_else(|| scheme_of_switch(https_or_forwarded_ssl))
    }

    /// When the web server received the request, in microseconds since the epoch, if it says so.
    ///
    /// `REQUEST_MSEC` (nginx `uwsgi_param REQUEST_MSEC $msec;`, seconds with a fraction) comes first. `X-Request-Start`
    /// (`t=` optional; seconds with or without a fraction, milliseconds, or microseconds, told apart by magnitude)
    /// counts only with `trust_forwarded`, as a client can send it.
    pub fn arrival_us(&self, trust_forwarded: bool) -> Option<u64> {
        epoch_us(self.arrival.request_msec)
            .or_else(|| trust_forwarded.then(|| epoch_us(self.arrival.x_request_start)).flatten())
    }

    /// Whether a key is repeated, so that [`RequestHead::joined`] differs from [`RequestHead::variables`].
    ///
    /// Packets built for it may make this `true` without a repeated key; `false` is always exact. Each call goes
    /// through the variables: an application that takes them one by one need not pay for the answer.
    pub fn has_duplicates(&self) -> bool {
        let mut seen = SeenKeys::default();
        for (index, (key, _)) in self.pairs.clone().enumerate() {
            seen.note(key, || self.pairs.clone().take(index));
        }
        seen.any_repeated()
    }

    /// The variables as received, those included that the application does not see.
    pub fn raw_variables(&self) -> P {
        self.pairs.clone()
    }

    /// What the application sees, in wire order; repeated keys come repeated. Required variables that the web server
    /// left out (`SERVER_PROTOCOL`, `SERVER_NAME`, `SERVER_PORT`; PEP 3333) follow at the end.
    pub fn variables(&self) -> Variables<'a, P> {
        let replaced = Replaced {
            path: (self.path_info == PathInfo::WithoutScriptName).then_some((self.path, self.script_name)),
            protocol: self.protocol.as_bytes(),
        };
        Variables::new(self.pairs.clone(), replaced, self.additions())
    }

    /// What the application sees, each key once: repeated `HTTP_*` keys are joined with `", "` (`HTTP_COOKIE` with
    /// `"; "`), of other repeated keys the last value stays. Keys come in the order of their first appearance.
    ///
    /// Allocates only when [`RequestHead::has_duplicates`]; takes linear time however the keys are chosen.
    pub fn joined(&self) -> Joined<'a, P> {
        Joined::new(self.variables(), self.has_duplicates())
    }

    fn additions(&self) -> [Option<Pair<'a>>; ADDITIONS_MAX] {
        let Synthesised { server_name, server_port, protocol } = self.synthesised;
        [
            protocol.then_some((b"SERVER_PROTOCOL".as_slice(), self.protocol.as_bytes())),
            server_name.then_some((b"SERVER_NAME".as_slice(), self.server_name)),
            server_port.then_some((b"SERVER_PORT".as_slice(), self.server_port)),
        ]
    }
}

/// The fields while the pass goes on: bytes as received, the last one of each key.
#[derive(Default)]
struct Fields<'a> {
    method: &'a [u8],
    uri: &'a [u8],
    path: &'a [u8],
    script_name: &'a [u8],
    query: &'a [u8],
    protocol: Option<&'a [u8]>,
    content_type: &'a [u8],
    content_length: ContentLength,
    host: &'a [u8],
    server_name: Option<&'a [u8]>,
    server_port: Option<&'a [u8]>,
    remote_addr: &'a [u8],
    remote_port: &'a [u8],
    remote_user: &'a [u8],
    user_agent: &'a [u8],
    referer: &'a [u8],
    cookie: &'a [u8],
    forwarded_for: &'a [u8],
    secure: Secure<'a>,
    arrival: Arrival<'a>,
}

impl<'a> Fields<'a> {
    #[inline]
    fn note(&mut self, key: &[u8], value: &'a [u8]) -> Result<(), Error> {
        match key.strip_prefix(b"HTTP_") {
            Some(name) => self.note_header(name, value),
            None => self.note_variable(key, value)?,
        }
        Ok(())
    }

    #[inline]
    fn note_variable(&mut self, key: &[u8], value: &'a [u8]) -> Result<(), Error> {
        match key {
            b"QUERY_STRING" => self.query = value,
            b"REQUEST_METHOD" => self.method = value,
            b"CONTENT_TYPE" => self.content_type = value,
            b"CONTENT_LENGTH" => self.content_length.note(value)?,
            b"REQUEST_URI" => self.uri = value,
            b"PATH_INFO" => self.path = value,
            b"SCRIPT_NAME" => self.script_name = value,
            b"SERVER_PROTOCOL" => self.protocol = Some(value),
            b"SERVER_NAME" => self.server_name = Some(value),
            b"SERVER_PORT" => self.server_port = Some(value),
            b"REMOTE_ADDR" => self.remote_addr = value,
            b"REMOTE_PORT" => self.remote_port = value,
            b"REMOTE_USER" => self.remote_user = value,
            b"HTTPS" => {
                self.secure.https = value;
                self.secure.https_or_forwarded_ssl = value;
            }
            b"REQUEST_MSEC" => self.arrival.request_msec = value,
            _ => {}
        }
        Ok(())
    }

    /// `name` is the key without `HTTP_`.
    #[inline]
    fn note_header(&mut self, name: &[u8], value: &'a [u8]) {
        match name {
            b"HOST" => self.host = value,
            b"USER_AGENT" => self.user_agent = value,
            b"REFERER" => self.referer = value,
            b"COOKIE" => self.cookie = value,
            b"X_FORWARDED_FOR" => self.forwarded_for = value,
            b"X_FORWARDED_PROTO" => self.secure.forwarded_proto = value,
            b"X_FORWARDED_SSL" => self.secure.https_or_forwarded_ssl = value,
            b"X_REQUEST_START" => self.arrival.x_request_start = value,
            _ => {}
        }
    }

    fn finish<P>(self, pairs: P, path_info: PathInfo) -> Result<RequestHead<'a, P>, Error> {
        let method = method(self.method)?;
        let protocol = self.protocol.and_then(valid_protocol);
        let (script_name, path) = match path_info {
            PathInfo::AsSent => (self.script_name, self.path),
            PathInfo::WithoutScriptName => without_script_name(self.script_name, self.path),
        };
        let synthesised = Synthesised {
            server_name: self.server_name.is_none(),
            server_port: self.server_port.is_none(),
            protocol: self.protocol.is_none(),
        };
        Ok(RequestHead {
            method,
            uri: self.uri,
            path,
            script_name,
            query: self.query,
            protocol: protocol.unwrap_or("HTTP/1.0"),
            content_type: self.content_type,
            content_length: self.content_length.value,
            host: self.host,
            server_name: self.server_name.unwrap_or_else(|| name_of_host(self.host)),
            server_port: self.server_port.unwrap_or_else(|| port_of_scheme(self.secure.https)),
            remote_addr: self.remote_addr,
            remote_port: self.remote_port,
            remote_user: self.remote_user,
            user_agent: self.user_agent,
            referer: self.referer,
            cookie: self.cookie,
            forwarded_for: self.forwarded_for,
            pairs,
            path_info,
            secure: self.secure,
            arrival: self.arrival,
            synthesised,
        })
    }
}

/// `CONTENT_LENGTH` over all its appearances.
#[derive(Default)]
struct ContentLength {
    /// What holds: the last appearance, an empty one being none (nginx configurations without a body end that way).
    value: Option<u64>,
    /// The last one that was not empty.
    given: Option<u64>,
}

impl ContentLength {
    fn note(&mut self, text: &[u8]) -> Result<(), Error> {
        self.value = if text.is_empty() { None } else { Some(content_length(text)?) };
        match (self.given, self.value) {
            (Some(first), Some(second)) if first != second => Err(Error::ContentLengthConflict { first, second }),
            _ => {
                self.given = self.value.or(self.given);
                Ok(())
            }
        }
    }
}

/// 1 to 19 digits, which always fit 64 bits; no sign, no blank (uWSGI's manual, "The uwsgi Protocol": uWSGI wraps and
/// stops early).
fn content_length(text: &[u8]) -> Result<u64, Error> {
    if text.is_empty() || text.len() > 19 {
        return Err(Error::ContentLengthInvalid);
    }
    decimal::parse(text).ok_or(Error::ContentLengthInvalid)
}

fn method(bytes: &[u8]) -> Result<&str, Error> {
    // Most are one of these.
    match bytes {
        b"GET" => return Ok("GET"),
        b"POST" => return Ok("POST"),
        _ => {}
    }
    if bytes.is_empty() {
        return Err(Error::MethodMissing);
    }
    if !is_token(bytes) {
        return Err(Error::MethodInvalid);
    }
    std::str::from_utf8(bytes).map_err(|_| Error::MethodInvalid)
}

/// `HTTP/x.y` with one digit each (RFC 9112 section 2.3).
fn valid_protocol(bytes: &[u8]) -> Option<&str> {
    match bytes {
        b"HTTP/1.1" => Some("HTTP/1.1"),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

/// Script name and path for `modifier1` 30. A prefix counts only at a segment boundary, and `SCRIPT_NAME`'s own
/// trailing slash is not part of it; uWSGI cut without looking (uWSGI's manual, "The uwsgi Protocol").
fn without_script_name<'a>(script_name: &'a [u8], path: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    let prefix = script_name.strip_suffix(b"/").unwrap_or(script_name);
    match path.strip_prefix(prefix) {
        Some(rest) if rest.is_empty() || rest.starts_with(b"/") => (prefix, rest),
        _ => (script_name, path),
    }
}

/// The name in a `Host` header, without its port; `localhost` when there is none.
fn name_of_host(host: &[u8]) -> &[u8] {
    let name = match host.iter().rposition(|&byte| byte == b':') {
        // A colon before a closing bracket belongs to an IPv6 address.
        Some(colon) if !host[colon..].contains(&b']') => &host[..colon],
        _ => host,
    };
    if name.is_empty() { b"localhost" } else { name }
}

fn port_of_scheme(https: &[u8]) -> &'static [u8] {
    if scheme_of_switch(https) == "https" { b"443" } else { b"80" }
}

fn known_scheme(value: &[u8]) -> Option<&'static str> {
    ["http", "https"].into_iter().find(|scheme| value.eq_ignore_ascii_case(scheme.as_bytes()))
}

fn scheme_of_switch(value: &[u8]) -> &'static str {
    let on = ["on", "1", "https"].iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()));
    if on { "https" } else { "http" }
}

/// A time since the epoch, in microseconds: `t=` optional, then seconds with a fraction, or a whole number of seconds
/// (up to 11 digits), milliseconds (12 to 14), microseconds (15 to 17) or nanoseconds (18 and 19).
fn epoch_us(text: &[u8]) -> Option<u64> {
    let text = text.strip_prefix(b"t=").unwrap_or(text);
    if let Some(point) = text.iter().position(|&byte| byte == b'.') {
        let (seconds, fraction) = (&text[..point], &text[point + 1..]);
        if seconds.is_empty() || seconds.len() > 11 {
            return None;
        }
        return Some(decimal::parse(seconds)? * 1_000_000 + fraction_us(fraction)?);
    }
    let number = decimal::parse(text)?;
    match text.len() {
        1..=11 => Some(number * 1_000_000),
        12..=14 => Some(number * 1_000),
        15..=17 => Some(number),
        18..=19 => Some(number / 1_000),
        _ => None,
    }
}

/// The digits after the decimal point of a second, in microseconds; finer digits are cut.
fn fraction_us(text: &[u8]) -> Option<u64> {
    let (kept, cut) = text.split_at(text.len().min(6));
    if !cut.iter().all(u8::is_ascii_digit) {
        return None;
    }
    (kept.len()..6).try_fold(decimal::parse(kept)?, |number, _| number.checked_mul(10))
}
