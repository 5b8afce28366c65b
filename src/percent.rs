//! Percent-encoding (RFC 3986, section 2.1), where nothing is refused: an escape that is none stays as it is. (Paths of requests are
//! judged by `worker_protocol::http::target`.) Pure.

/// Undoes it.
pub(crate) fn decoded(encoded: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        match (first, digit(behind.first()), digit(behind.get(1))) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &behind[2..];
            }
            _ => bytes.push(*first),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_is_undone_once_and_what_is_none_stays() {
        for (encoded, plain) in [("/a%20b+c", "/a b+c"), ("%zz%4", "%zz%4"), ("%2525", "%25"), ("%+f%C3%A9", "%+fé")] {
            assert_eq!(decoded(encoded.as_bytes()), plain.as_bytes(), "{encoded}");
        }
    }
}
