//! Parts that arguments of several actions have in common. Pure.

use worker_protocol::response::standard_reason;

use crate::routing::error::RuleError;

/// `KEY=VALUE,…`; an error for a key that is not among `known`.
pub(in crate::routing) fn pairs<'t>(
    text: &'t str,
    known: &'static [&'static str],
) -> Result<Vec<(&'t str, &'t str)>, RuleError> {
    let mut pairs = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').ok_or_else(|| {
            RuleError::new(format!("expected KEY=VALUE, not `{part}`")).advise(format!("keys are {}", known.join(", ")))
        })?;
        if !known.contains(&key) {
            return Err(RuleError::unknown("key", key, known.iter().copied()));
        }
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// The value of a key.
pub(in crate::routing) fn value<'t>(pairs: &[(&str, &'t str)], key: &str) -> Option<&'t str> {
    pairs.iter().find(|(own, _)| *own == key).map(|(_, value)| *value)
}

/// `CODE` or `CODE TEXT`, as status lines have them.
pub(super) fn status(text: &str) -> Result<(u16, Option<String>), RuleError> {
    let (code, reason) = text.split_once(' ').unwrap_or((text, ""));
    let expected =
        || RuleError::new("expected a status of three digits, from 200 on").advise("for example 403 Forbidden");
    let status = code.parse().ok().filter(|status| (200..1000).contains(status)).ok_or_else(expected)?;
    let reason = reason.trim();
    let is_text = !reason.is_empty() && reason.chars().all(|character| !character.is_control());
    Ok((status, is_text.then(|| reason.to_owned())))
}

/// A status whose phrase is registered.
pub(super) fn known_status(text: &str) -> Result<u16, RuleError> {
    let (status, _) = status(text.trim())?;
    match standard_reason(status) {
        "" | "Unknown" => Err(RuleError::new(format!("{status} has no phrase that could be the answer's body"))),
        _ => Ok(status),
    }
}

/// Whether this may be the name of a header (RFC 9110 section 5.6.2).
pub(super) fn is_header_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// Headers that say where an answer ends.
pub(super) fn is_framing(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"content-length") || name.eq_ignore_ascii_case(b"transfer-encoding")
}
