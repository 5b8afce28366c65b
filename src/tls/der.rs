//! Elements of DER, the encoding of certificates and keys (ITU-T X.690). Pure.

/// The tag of a list of elements.
pub(super) const SEQUENCE: u8 = 0x30;

/// The content of an element with this tag, and what follows it.
pub(super) fn element(bytes: &[u8], expected: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = any(bytes)?;
    (tag == expected).then_some((content, rest))
}

/// Tag and content of the first element, and what follows it.
pub(super) fn any(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match first {
        0..0x80 => (usize::from(first), rest),
        _ => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let fits = length.len() <= 4;
            (fits.then(|| length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))?, rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}
