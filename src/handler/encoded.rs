//! Text as URLs and forms carry it. Pure.

use crate::percent;

/// Decodes one part of `application/x-www-form-urlencoded`: `+` is a space. An invalid escape stays as it is; what is not
/// UTF-8 is replaced.
pub(super) fn decoded_form(encoded: &[u8]) -> String {
    let spaced: Vec<u8> = encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    String::from_utf8_lossy(&percent::decoded(&spaced)).into_owned()
}

/// The pairs of a query or a form.
pub(super) fn pairs(encoded: &[u8]) -> impl Iterator<Item = (String, String)> {
    let pairs = encoded.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| {
        let (key, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(place) => (&pair[..place], &pair[place + 1..]),
            None => (pair, &pair[pair.len()..]),
        };
        (decoded_form(key), decoded_form(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_once_and_bad_escapes_stay() {
        for (encoded, decoded) in [("a%20b+c", "a b c"), ("%zz%4", "%zz%4"), ("%2525", "%25"), ("%C3%A9", "é")] {
            assert_eq!(decoded_form(encoded.as_bytes()), decoded);
        }
    }

    #[test]
    fn pairs_come_in_order_with_and_without_values() {
        let found: Vec<_> = pairs(b"tag=a&&flag&tag=b%26&=x&e=1=2").collect();
        let wanted = [("tag", "a"), ("flag", ""), ("tag", "b&"), ("", "x"), ("e", "1=2")];
        assert_eq!(found, wanted.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
}
