//! The rules for single variables. Runs in the worker, once for every request.

use super::error::Error;
use crate::decimal;
use crate::pairs::Block;
use crate::token::is_token;

/// What `CONTENT_LENGTH` says over all its appearances: the last one counts, an empty one being none (nginx configurations
/// without a body end that way); two that differ are an error.
#[cold]
pub(super) fn content_length_of_all(block: Block<'_>) -> Result<Option<u64>, Error> {
    let (mut value, mut given) = (None, None);
    for (_, text) in block.pairs().filter(|(key, _)| *key == b"CONTENT_LENGTH") {
        value = content_length(text)?;
        match (given, value) {
            (Some(first), Some(second)) if first != second => {
                return Err(Error::ContentLengthConflict { first, second });
            }
            _ => given = value.or(given),
        }
    }
    Ok(value)
}

/// 1 to 19 digits, which always fit 64 bits; no sign, no blank (uWSGI's manual, "The uwsgi Protocol": uWSGI wraps and
/// stops early). `None` for no text.
#[inline(always)]
pub(super) fn content_length(text: &[u8]) -> Result<Option<u64>, Error> {
    match text.len() {
        0 => Ok(None),
        1..=19 => decimal::parse(text).map(Some).ok_or(Error::ContentLengthInvalid),
        _ => Err(Error::ContentLengthInvalid),
    }
}

#[inline(always)]
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
#[inline(always)]
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
