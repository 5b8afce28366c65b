//! Text as URLs and forms carry it. Pure.

/// Decodes one part of `application/x-www-form-urlencoded`: `+` is a space. An invalid escape stays as it is; what is not
/// UTF-8 is replaced.
pub(super) fn decoded_form(encoded: &[u8]) -> String {
    String::from_utf8_lossy(&decoded(encoded, b' ')).into_owned()
}

/// Decodes a path.
pub(crate) fn decoded_path(encoded: &[u8]) -> Vec<u8> {
    decoded(encoded, b'+')
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

fn decoded(encoded: &[u8], plus: u8) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| (*byte as char).to_digit(16));
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match (first, digit(tail.first()), digit(tail.get(1))) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            (b'+', ..) => bytes.push(plus),
            (byte, ..) => bytes.push(*byte),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_once_and_bad_escapes_stay() {
        for (encoded, decoded) in [("a%20b+c", "a b c"), ("%zz%4", "%zz%4"), ("%2525", "%25"), ("%C3%A9", "é")] {
            assert_eq!(decoded_form(encoded.as_bytes()), decoded);
        }
        assert_eq!(decoded_path(b"/a%20b+c"), b"/a b+c");
    }

    #[test]
    fn pairs_come_in_order_with_and_without_values() {
        let found: Vec<_> = pairs(b"tag=a&&flag&tag=b%26&=x&e=1=2").collect();
        let wanted = [("tag", "a"), ("flag", ""), ("tag", "b&"), ("", "x"), ("e", "1=2")];
        assert_eq!(found, wanted.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
}
