//! The pass over the pairs of a request that finds the variables with a meaning, and the rules for single ones. Runs in
//! the worker, once for every request.

use super::arrival::Arrival;
use super::error::Error;
use super::scheme::Secure;
use crate::decimal;
use crate::pairs::Pairs;
use crate::token::is_token;

/// The fields while the pass goes on: bytes as received, the last one of each key.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub(super) method: &'a [u8],
    pub(super) uri: &'a [u8],
    pub(super) path: &'a [u8],
    pub(super) script_name: &'a [u8],
    pub(super) query: &'a [u8],
    pub(super) protocol: Option<&'a [u8]>,
    pub(super) content_type: &'a [u8],
    pub(super) content_length: ContentLength,
    pub(super) host: &'a [u8],
    pub(super) server_name: Option<&'a [u8]>,
    pub(super) server_port: Option<&'a [u8]>,
    pub(super) remote_addr: &'a [u8],
    pub(super) remote_port: &'a [u8],
    pub(super) remote_user: &'a [u8],
    pub(super) user_agent: &'a [u8],
    pub(super) referer: &'a [u8],
    pub(super) cookie: &'a [u8],
    pub(super) forwarded_for: &'a [u8],
    pub(super) secure: Secure<'a>,
    pub(super) arrival: Arrival<'a>,
}

impl<'a> Fields<'a> {
    /// Goes through all pairs. The first error ends it.
    #[inline]
    pub(super) fn of(pairs: Pairs<'a>) -> Result<Self, Error> {
        let mut fields = Fields::default();
        for (key, value) in pairs {
            fields.note(key, value)?;
        }
        Ok(fields)
    }

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
            b"UWSGI_SCHEME" => self.secure.told = value,
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
}

/// `CONTENT_LENGTH` over all its appearances.
#[derive(Default)]
pub(super) struct ContentLength {
    /// What holds: the last appearance, an empty one being none (nginx configurations without a body end that way).
    pub(super) value: Option<u64>,
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

pub(super) fn method(bytes: &[u8]) -> Result<&str, Error> {
    // Most are one of these.
    match bytes {
        b"GET" => return Ok("GET"),
        b"POST" => return Ok("POST"),
        // Web servers send the variables that their configuration lists: this one need not be among them.
        b"" => return Ok(""),
        _ => {}
    }
    if !is_token(bytes) {
        return Err(Error::MethodInvalid);
    }
    std::str::from_utf8(bytes).map_err(|_| Error::MethodInvalid)
}

/// `HTTP/x.y` with one digit each (RFC 9112 section 2.3).
pub(super) fn valid_protocol(bytes: &[u8]) -> Option<&str> {
    match bytes {
        b"HTTP/1.1" => Some("HTTP/1.1"),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

/// Script name and path for `modifier1` 30. A prefix counts only at a segment boundary, and `SCRIPT_NAME`'s own
/// trailing slash is not part of it; uWSGI cut without looking (uWSGI's manual, "The uwsgi Protocol").
pub(super) fn without_script_name<'a>(script_name: &'a [u8], path: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    let prefix = script_name.strip_suffix(b"/").unwrap_or(script_name);
    match path.strip_prefix(prefix) {
        Some(rest) if rest.is_empty() || rest.starts_with(b"/") => (prefix, rest),
        _ => (script_name, path),
    }
}

/// The name in a `Host` header, without its port; `localhost` when there is none.
pub(super) fn name_of_host(host: &[u8]) -> &[u8] {
    let name = match host.iter().rposition(|&byte| byte == b':') {
        // A colon before a closing bracket belongs to an IPv6 address.
        Some(colon) if !host[colon..].contains(&b']') => &host[..colon],
        _ => host,
    };
    if name.is_empty() { b"localhost" } else { name }
}
