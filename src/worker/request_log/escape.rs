//! Bytes from outside, on their way into a line of the log. Pure; worker only.

use std::fmt::Write as _;

/// Longest value in a line, in bytes; the rest is replaced by `...`.
const VALUE_BYTES_MAX: usize = 2_048;

/// How bytes are shown that could forge a line or break one in two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// Control bytes, `"`, `\` and what is no UTF-8 as `\xNN`.
    Bytes,
    /// As the inside of a JSON string; what is no UTF-8 as U+FFFD.
    Json,
}

/// Appends bytes from outside so that they can forge nothing.
pub(super) fn push_escaped(line: &mut String, bytes: &[u8], escape: Escape) {
    push_cut(line, bytes, escape, VALUE_BYTES_MAX);
}

fn push_cut(line: &mut String, bytes: &[u8], escape: Escape, bytes_max: usize) {
    let shown = &bytes[..bytes.len().min(bytes_max)];
    for chunk in shown.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || matches!(character, '"' | '\\') {
                push_character(line, character, escape);
            } else {
                line.push(character);
            }
        }
        match escape {
            Escape::Bytes => push_bytes(line, chunk.invalid()),
            Escape::Json if chunk.invalid().is_empty() => {}
            Escape::Json => line.push(char::REPLACEMENT_CHARACTER),
        }
    }
    if shown.len() < bytes.len() {
        line.push_str("...");
    }
}

fn push_character(line: &mut String, character: char, escape: Escape) {
    match escape {
        Escape::Bytes => push_bytes(line, character.encode_utf8(&mut [0; 4]).as_bytes()),
        Escape::Json if matches!(character, '"' | '\\') => line.extend(['\\', character]),
        Escape::Json => {
            let _ = write!(line, "\\u{:04x}", u32::from(character));
        }
    }
}

fn push_bytes(line: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(line, "\\x{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(bytes: &[u8], escape: Escape) -> String {
        let mut line = String::new();
        push_cut(&mut line, bytes, escape, 16);
        line
    }

    #[test]
    fn nothing_from_outside_can_forge_a_line() {
        let escaped = |bytes| escaped(bytes, Escape::Bytes);
        assert_eq!(escaped(b"/a\nb\x1b[31m"), "/a\\x0ab\\x1b[31m");
        assert_eq!(escaped(b"/\"\\"), "/\\x22\\x5c");
        assert_eq!(escaped("/é".as_bytes()), "/é");
        assert_eq!(escaped(b"/\xff"), "/\\xff");
        assert_eq!(escaped("\u{85}".as_bytes()), "\\xc2\\x85");
    }

    #[test]
    fn anything_is_the_inside_of_a_json_string() {
        for bytes in [b"/a\nb\x1b[31m".as_slice(), b"/\"\\", "/é\u{85}".as_bytes(), b"/\xff\xfe", b"\0\x7f"] {
            let json = format!("\"{}\"", escaped(bytes, Escape::Json));
            let read: String = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{json}: {error}"));
            assert_eq!(read, String::from_utf8_lossy(bytes));
            assert!(!json.contains(char::is_control), "{json:?}");
        }
    }

    #[test]
    fn a_long_value_is_cut_and_says_so() {
        assert_eq!(escaped(&[b'a'; 17], Escape::Bytes), format!("{}...", "a".repeat(16)));
    }
}
