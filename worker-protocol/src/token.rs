//! RFC 9110 section 5.6.2: the bytes that methods and header names are made of. No I/O; used where requests are read
//! and where response heads are written.

/// Whether `bytes` is a token: not empty, and only letters, digits and ``!#$%&'*+-.^_`|~``.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token_byte(byte))
}

pub(crate) fn is_token_byte(byte: u8) -> bool {
    TOKEN_BYTES[usize::from(byte)]
}

/// Whether a token, or the value of a header, is this word, in any case. `word`: in small letters, and of letters and hyphens
/// only.
///
/// As many bytes as there are in the word are compared at once, in the place of one by one: each header of each request is
/// asked for what it is.
#[inline(always)]
pub(crate) fn is_word<const BYTES: usize>(text: &[u8], word: &[u8; BYTES]) -> bool {
    let Ok(bytes) = <&[u8; BYTES]>::try_from(text) else { return false };
    // Of a letter the bit makes the small one, a hyphen has it, and no other byte becomes either but CR, which is in neither.
    bytes.iter().zip(word).fold(0, |differs, (byte, small)| differs | ((byte | 0x20) ^ small)) == 0
}

/// By byte: each name of a header is looked at, in every request and answer.
const TOKEN_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = is_listed(byte as u8);
        byte += 1;
    }
    table
};

const fn is_listed(byte: u8) -> bool {
    matches!(byte,
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.'
        | b'^' | b'_' | b'`' | b'|' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_what_the_rfc_says() {
        let allowed = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        for byte in 0..=255u8 {
            assert_eq!(is_token(&[byte]), allowed.contains(&byte), "byte {byte:#04x}");
        }
        assert!(!is_token(b""));
    }

    #[test]
    fn a_word_is_itself_in_any_case_and_nothing_else() {
        for token in ["x-one", "X-ONE", "x-One"] {
            assert!(is_word(token.as_bytes(), b"x-one"));
        }
        for token in ["", "x-on", "x-ones", "y-one", "xxone"] {
            assert!(!is_word(token.as_bytes(), b"x-one"));
        }
        for byte in (0..=255_u8).filter(|&byte| is_token_byte(byte)) {
            assert_eq!(is_word(&[byte], b"a"), byte.eq_ignore_ascii_case(&b'a'), "{byte:#04x}");
            assert_eq!(is_word(&[byte], b"z"), byte.eq_ignore_ascii_case(&b'z'), "{byte:#04x}");
            assert_eq!(is_word(&[byte], b"-"), byte == b'-', "{byte:#04x}");
        }
    }
}
