//! A request's variables with their meaning: the fields, and the views of the whole. Runs in the worker.

use super::arrival::Arrival;
use super::error::Error;
use super::fields::{content_length, content_length_of_all, method, name_of_host, valid_protocol, without_script_name};
use super::scheme::Secure;
use super::seen_keys::SeenKeys;
use super::variables::{ADDITIONS_MAX, Joined, Replaced, Variables};
use crate::pairs::{Block, Field, Marks, Pair, PathInfo};
use crate::response::Version;

/// A request without its body. Values are the bytes received, empty when the variable is absent.
#[derive(Debug, Clone)]
pub struct RequestHead<'a> {
    /// `REQUEST_METHOD`, a token, as sent (methods are case-sensitive); empty when absent, see
    /// [`RequestHead::method_or_get`].
    pub method: &'a str,
    /// `SERVER_PROTOCOL`, always of the form `HTTP/x.y`; `HTTP/1.0` when absent or of another form.
    pub protocol: &'a str,
    content_length: Option<u64>,
    block: Block<'a>,
    marks: Marks,
    path_info: PathInfo,
}

/// The values that are told as they came.
macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident = $field:ident;)*) => {
        impl<'a> RequestHead<'a> {
            $(
                $(#[$doc])*
                #[inline]
                pub fn $name(&self) -> &'a [u8] {
                    self.get(Field::$field)
                }
            )*
        }
    };
}

fields! {
    /// `REQUEST_URI`: path and query, still encoded.
    uri = Uri;
    /// `QUERY_STRING`, without the question mark.
    query = Query;
    /// `CONTENT_TYPE`.
    content_type = ContentType;
    /// `HTTP_HOST`, with its port if any.
    host = Host;
    /// `REMOTE_ADDR`.
    remote_addr = RemoteAddr;
    /// `REMOTE_PORT`.
    remote_port = RemotePort;
    /// `REMOTE_USER`. Nothing here authenticates it: whoever reaches the socket sets it.
    remote_user = RemoteUser;
    /// `HTTP_USER_AGENT`.
    user_agent = UserAgent;
    /// `HTTP_REFERER`.
    referer = Referer;
    /// `HTTP_COOKIE`; the last line when there are several, see [`RequestHead::joined`].
    cookie = Cookie;
    /// `HTTP_X_FORWARDED_FOR`; the last line when there are several.
    forwarded_for = ForwardedFor;
}

impl<'a> RequestHead<'a> {
    /// Gives the pairs their meaning.
    ///
    /// # Errors
    /// The first thing that makes them no request.
    #[inline(always)]
    pub fn read(block: Block<'a>, path_info: PathInfo) -> Result<Self, Error> {
        let marks = block.marks();
        let find = |field| block.find(&marks, field);
        let content_length = match marks.repeats_length {
            false => content_length(find(Field::ContentLength).unwrap_or_default())?,
            true => content_length_of_all(block)?,
        };
        let method = method(find(Field::Method).unwrap_or_default())?;
        let protocol = find(Field::Protocol).and_then(valid_protocol).unwrap_or("HTTP/1.0");
        Ok(RequestHead { method, protocol, content_length, block, marks, path_info })
    }

    /// The bytes received; `None` when the variable is absent.
    #[inline]
    fn find(&self, field: Field) -> Option<&'a [u8]> {
        self.block.find(&self.marks, field)
    }

    /// The same, empty when it is absent.
    #[inline]
    fn get(&self, field: Field) -> &'a [u8] {
        self.find(field).unwrap_or_default()
    }

    /// The path of `REQUEST_URI`, still encoded, without the query: that may hold a token.
    pub fn uri_path(&self) -> &'a [u8] {
        self.uri().split(|byte| *byte == b'?').next().unwrap_or_default()
    }

    /// `CONTENT_LENGTH` in bytes; `None` when absent or empty: no body.
    #[inline]
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// `PATH_INFO`: decoded by the web server, below [`RequestHead::script_name`].
    #[inline]
    pub fn path(&self) -> &'a [u8] {
        self.script_name_and_path().1
    }

    /// `SCRIPT_NAME`: where the application is mounted.
    #[inline]
    pub fn script_name(&self) -> &'a [u8] {
        self.script_name_and_path().0
    }

    #[inline]
    fn script_name_and_path(&self) -> (&'a [u8], &'a [u8]) {
        let (script_name, path) = (self.get(Field::ScriptName), self.get(Field::Path));
        match self.path_info {
            PathInfo::AsSent => (script_name, path),
            PathInfo::WithoutScriptName => without_script_name(script_name, path),
        }
    }

    /// `SERVER_NAME`; made from the host or `localhost` when absent (RFC 3875 4.1.14 requires it).
    pub fn server_name(&self) -> &'a [u8] {
        self.find(Field::ServerName).unwrap_or_else(|| name_of_host(self.host()))
    }

    /// `SERVER_PORT`; made from the scheme when absent.
    pub fn server_port(&self) -> &'a [u8] {
        self.find(Field::ServerPort).unwrap_or_else(|| self.secure().port())
    }

    fn secure(&self) -> Secure<'a> {
        Secure {
            told: self.get(Field::Scheme),
            https: self.get(Field::Https),
            https_or_forwarded_ssl: self.get(Field::HttpsOrForwardedSsl),
            forwarded_proto: self.get(Field::ForwardedProto),
        }
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
        self.secure().scheme(trust_forwarded)
    }

    /// Whether an `X-Forwarded-Proto` that is not trusted would make `https` of it.
    pub fn is_https_by_hearsay(&self) -> bool {
        self.find(Field::ForwardedProto).is_some() && self.secure().is_https_by_hearsay()
    }

    /// When the web server received the request, in microseconds since the epoch, if it says so.
    ///
    /// `REQUEST_MSEC` (nginx `uwsgi_param REQUEST_MSEC $msec;`, seconds with a fraction) comes first. `X-Request-Start`
    /// (`t=` optional; seconds with or without a fraction, milliseconds, or microseconds, told apart by magnitude)
    /// counts only with `trust_forwarded`, as a client can send it.
    #[inline(always)]
    pub fn arrival_us(&self, trust_forwarded: bool) -> Option<u64> {
        let arrival =
            Arrival { request_msec: self.get(Field::RequestMsec), x_request_start: self.get(Field::RequestStart) };
        arrival.epoch_us(trust_forwarded)
    }

    /// Whether a key is repeated, so that [`RequestHead::joined`] differs from [`RequestHead::variables`].
    ///
    /// Packets built for it may make this `true` without a repeated key; `false` is always exact. Each call goes
    /// through the variables: an application that takes them one by one need not pay for the answer.
    pub fn has_duplicates(&self) -> bool {
        let mut seen = SeenKeys::default();
        for (index, (key, _)) in self.block().pairs().enumerate() {
            seen.note(key, || self.block().pairs().take(index));
        }
        seen.any_repeated()
    }

    /// The variables as received, those included that the application does not see.
    #[inline]
    pub fn block(&self) -> Block<'a> {
        self.block
    }

    /// What the application sees, in wire order; repeated keys come repeated. Required variables that the web server
    /// left out (`SERVER_PROTOCOL`, `SERVER_NAME`, `SERVER_PORT`; PEP 3333) follow at the end.
    pub fn variables(&self) -> Variables<'a> {
        let replaced = Replaced {
            path: (self.path_info == PathInfo::WithoutScriptName).then(|| (self.path(), self.script_name())),
            protocol: self.protocol.as_bytes(),
        };
        Variables::new(self.block().pairs(), replaced, self.additions())
    }

    /// What the application sees, each key once: repeated `HTTP_*` keys are joined with `", "` (`HTTP_COOKIE` with
    /// `"; "`), of other repeated keys the last value stays. Keys come in the order of their first appearance.
    ///
    /// Allocates only when [`RequestHead::has_duplicates`]; takes linear time however the keys are chosen.
    pub fn joined(&self) -> Joined<'a> {
        Joined::new(self.variables(), self.has_duplicates())
    }

    fn additions(&self) -> [Option<Pair<'a>>; ADDITIONS_MAX] {
        let absent = |field| self.find(field).is_none();
        [
            absent(Field::Protocol).then(|| (b"SERVER_PROTOCOL".as_slice(), self.protocol.as_bytes())),
            absent(Field::ServerName).then(|| (b"SERVER_NAME".as_slice(), self.server_name())),
            absent(Field::ServerPort).then(|| (b"SERVER_PORT".as_slice(), self.server_port())),
        ]
    }
}
