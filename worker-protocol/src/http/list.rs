//! Comma-separated lists in header values (RFC 9110 section 5.6.1). Pure.

/// The members of a comma-separated list, without blanks around them and without empty ones (RFC 9110 section 5.6.1).
pub(super) fn list(value: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim).filter(|member| !member.is_empty())
}

/// Without blanks and tabs at both ends; no other byte is white space here.
pub(super) fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}
