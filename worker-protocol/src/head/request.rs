//! A request's variables with their meaning: the fields, and the views of the whole. Runs in the worker.

use super::arrival::Arrival;
use super::error::Error;
use super::fields::{Fields, method, name_of_host, valid_protocol, without_script_name};
use super::scheme::Secure;
use super::seen_keys::SeenKeys;
use super::variables::{ADDITIONS_MAX, Joined, Replaced, Variables};
use crate::pairs::{Block, Pair, PathInfo};
use crate::response::Version;

/// A request without its body. Text fields are the bytes received, empty when the variable is absent.
#[derive(Debug, Clone)]
pub struct RequestHead<'a> {
    /// `REQUEST_METHOD`, a token, as sent (methods are case-sensitive); empty when absent, see
    /// [`RequestHead::method_or_get`].
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
    block: Block<'a>,
    path_info: PathInfo,
    secure: Secure<'a>,
    arrival: Arrival<'a>,
    synthesised: Synthesised,
}

/// Which required variables the web server left out, so that they are added for the application.
#[derive(Debug, Clone, Copy, Default)]
struct Synthesised {
    server_name: bool,
    server_port: bool,
    protocol: bool,
}

impl<'a> RequestHead<'a> {
    /// Gives the pairs their meaning, in one pass.
    ///
    /// # Errors
    /// The first thing that makes them no request.
    #[inline]
    pub fn read(block: Block<'a>, path_info: PathInfo) -> Result<Self, Error> {
        let fields = Fields::of(block.pairs())?;
        let method = method(fields.method)?;
        let protocol = fields.protocol.and_then(valid_protocol);
        let (script_name, path) = match path_info {
            PathInfo::AsSent => (fields.script_name, fields.path),
            PathInfo::WithoutScriptName => without_script_name(fields.script_name, fields.path),
        };
        let synthesised = Synthesised {
            server_name: fields.server_name.is_none(),
            server_port: fields.server_port.is_none(),
            protocol: fields.protocol.is_none(),
        };
        Ok(RequestHead {
            method,
            uri: fields.uri,
            path,
            script_name,
            query: fields.query,
            protocol: protocol.unwrap_or("HTTP/1.0"),
            content_type: fields.content_type,
            content_length: fields.content_length.value,
            host: fields.host,
            server_name: fields.server_name.unwrap_or_else(|| name_of_host(fields.host)),
            server_port: fields.server_port.unwrap_or_else(|| fields.secure.port()),
            remote_addr: fields.remote_addr,
            remote_port: fields.remote_port,
            remote_user: fields.remote_user,
            user_agent: fields.user_agent,
            referer: fields.referer,
            cookie: fields.cookie,
            forwarded_for: fields.forwarded_for,
            block,
            path_info,
            secure: fields.secure,
            arrival: fields.arrival,
            synthesised,
        })
    }

    /// The method that the request is taken to have: GET where the web server names none, as one does that sends the
    /// variables of its configuration only.
    pub fn method_or_get(&self) -> &'a str {
        if self.method.is_empty() { "GET" } else { self.method }
    }

    /// The protocol version for the answer's status line.
    pub fn response_version(&self) -> Version {
        if self.protocol == "HTTP/1.0" { Version::Http10 } else { Version::Http11 }
    }

    /// `http` or `https` (uWSGI's manual, "uWSGI protocol magic variables").
    ///
    /// With `trust_forwarded`, `X-Forwarded-Proto` decides if it says `http` or `https`, then `UWSGI_SCHEME`, then the
    /// later one of `HTTPS` and `X-Forwarded-SSL`. Without it only `UWSGI_SCHEME` and then `HTTPS` count, which the web
    /// server sets and a client cannot. `HTTPS` means `https` when it is `on`, `1` or `https` in any case; uWSGI took
    /// any word that begins with `on`.
    pub fn scheme(&self, trust_forwarded: bool) -> &'static str {
        self.secure.scheme(trust_forwarded)
    }

    /// Whether an `X-Forwarded-Proto` that is not trusted would make `https` of it.
    pub fn is_https_by_hearsay(&self) -> bool {
        self.secure.is_https_by_hearsay()
    }

    /// When the web server received the request, in microseconds since the epoch, if it says so.
    ///
    /// `REQUEST_MSEC` (nginx `uwsgi_param REQUEST_MSEC $msec;`, seconds with a fraction) comes first. `X-Request-Start`
    /// (`t=` optional; seconds with or without a fraction, milliseconds, or microseconds, told apart by magnitude)
    /// counts only with `trust_forwarded`, as a client can send it.
    pub fn arrival_us(&self, trust_forwarded: bool) -> Option<u64> {
        self.arrival.epoch_us(trust_forwarded)
    }

    /// Whether a key is repeated, so that [`RequestHead::joined`] differs from [`RequestHead::variables`].
    ///
    /// Packets built for it may make this `true` without a repeated key; `false` is always exact. Each call goes
    /// through the variables: an application that takes them one by one need not pay for the answer.
    pub fn has_duplicates(&self) -> bool {
        let mut seen = SeenKeys::default();
        for (index, (key, _)) in self.block.pairs().enumerate() {
            seen.note(key, || self.block.pairs().take(index));
        }
        seen.any_repeated()
    }

    /// The variables as received, those included that the application does not see.
    pub fn block(&self) -> Block<'a> {
        self.block
    }

    /// What the application sees, in wire order; repeated keys come repeated. Required variables that the web server
    /// left out (`SERVER_PROTOCOL`, `SERVER_NAME`, `SERVER_PORT`; PEP 3333) follow at the end.
    pub fn variables(&self) -> Variables<'a> {
        let replaced = Replaced {
            path: (self.path_info == PathInfo::WithoutScriptName).then_some((self.path, self.script_name)),
            protocol: self.protocol.as_bytes(),
        };
        Variables::new(self.block.pairs(), replaced, self.additions())
    }

    /// What the application sees, each key once: repeated `HTTP_*` keys are joined with `", "` (`HTTP_COOKIE` with
    /// `"; "`), of other repeated keys the last value stays. Keys come in the order of their first appearance.
    ///
    /// Allocates only when [`RequestHead::has_duplicates`]; takes linear time however the keys are chosen.
    pub fn joined(&self) -> Joined<'a> {
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
