//! What came from outside, on its way into the log or to an operator: nothing of it forges a line, breaks one in two, moves
//! a terminal's cursor, or is longer than a line may be. Pure; zygote, and every process below it.

use std::fmt::Write as _;

/// Longest value in a line, and longest line of a text of several, in bytes; the rest is replaced by `...`.
const VALUE_BYTES_MAX: usize = 2_048;

/// Longest text of several lines, in bytes, before anything is escaped.
const TEXT_BYTES_MAX: usize = 64 * 1_024;

/// How bytes are shown that could forge a line or break one in two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// Control bytes, `"`, `\` and what is no UTF-8 as `\xNN`.
    Bytes,
    /// Control bytes and what is no UTF-8 as `\xNN`, but for tabs: text that is meant to be read.
    Text,
    /// As the inside of a JSON string; what is no UTF-8 as U+FFFD.
    Json,
}

/// Appends bytes from outside so that they can forge nothing.
pub fn push_escaped(line: &mut String, bytes: &[u8], escape: Escape) {
    push_cut(line, bytes, escape, VALUE_BYTES_MAX);
}

/// Appends a whole text as the inside of a JSON string.
pub fn push_json(line: &mut String, text: &[u8]) {
    push_cut(line, text, Escape::Json, usize::MAX);
}

/// A value from outside for a message: a method, a URI.
pub fn value(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len().min(VALUE_BYTES_MAX));
    push_escaped(&mut shown, bytes, Escape::Bytes);
    shown
}

/// A text on one line, whatever it holds: what is no letter is a blank.
pub fn on_one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// A message of several lines for the log, such as a traceback: those behind the first one are indented, so that none
/// begins where lines of the log do.
pub fn lines(message: &str) -> String {
    let mut text = String::with_capacity(message.len() + message.len() / 8);
    for (number, line) in message.split('\n').enumerate() {
        if number > 0 {
            text.push_str("\n  ");
        }
        if text.len() > TEXT_BYTES_MAX {
            text.push_str("...");
            break;
        }
        push_escaped(&mut text, line.as_bytes(), Escape::Text);
    }
    text
}

/// A text of several lines of which some may have been through [`lines`] already: another process says so of it, or it is
/// about to be a line of the log, whoever wrote it. What has is left as it is.
pub fn said(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for (number, line) in message.trim_end_matches('\n').split('\n').enumerate() {
        if text.len() > TEXT_BYTES_MAX {
            text.push_str("\n  ...");
            break;
        }
        if number > 0 {
            text.push_str(if line.starts_with("  ") { "\n" } else { "\n  " });
        }
        // Room for what escaping may have added to a line that had been cut.
        push_cut(&mut text, line.as_bytes(), Escape::Text, 5 * VALUE_BYTES_MAX);
    }
    text
}

/// A text inside of a picture or a page (SVG, XML, HTML), also as the value of an attribute.
pub fn markup(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            // XML has no way to write most of them.
            letter if letter.is_control() => shown.push(char::REPLACEMENT_CHARACTER),
            letter => shown.push(letter),
        }
    }
    shown
}

fn push_cut(line: &mut String, bytes: &[u8], escape: Escape, bytes_max: usize) {
    let shown = &bytes[..bytes.len().min(bytes_max)];
    // Nearly everything is such, and nothing of it has to be looked at letter by letter.
    let is_plain_ascii = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if shown.len() == bytes.len()
        && shown.iter().all(is_plain_ascii)
        && let Ok(text) = std::str::from_utf8(shown)
    {
        return line.push_str(text);
    }
    for chunk in shown.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_plain(character, escape) {
                line.push(character);
            } else {
                push_character(line, character, escape);
            }
        }
        match escape {
            Escape::Bytes | Escape::Text => push_bytes(line, chunk.invalid()),
            Escape::Json if chunk.invalid().is_empty() => {}
            Escape::Json => line.push(char::REPLACEMENT_CHARACTER),
        }
    }
    if shown.len() < bytes.len() {
        line.push_str("...");
    }
}

fn is_plain(character: char, escape: Escape) -> bool {
    match escape {
        Escape::Text => !character.is_control() || character == '\t',
        Escape::Bytes | Escape::Json => !character.is_control() && !matches!(character, '"' | '\\'),
    }
}

fn push_character(line: &mut String, character: char, escape: Escape) {
    match escape {
        Escape::Bytes | Escape::Text => push_bytes(line, character.encode_utf8(&mut [0; 4]).as_bytes()),
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
    fn of_a_text_no_line_but_the_first_begins_where_lines_of_the_log_do() {
        let message = "said:\n[pid: 1|app: 0]\r\x1b[2J \"quoted\"\tand\\\n\nend";
        assert_eq!(lines(message), "said:\n  [pid: 1|app: 0]\\x0d\\x1b[2J \"quoted\"\tand\\\n  \n  end");
    }

    #[test]
    fn what_another_process_has_escaped_stays_and_what_it_has_not_is_escaped() {
        for message in ["said:\n[pid: 1]\r\x1b[2J\tx\n\nend".to_owned(), "\x1b".repeat(9_000), "é".repeat(9_000)] {
            assert_eq!(said(&lines(&message)), lines(&message));
        }
        assert_eq!(said("said:\n[pid: 1]\r\n  in\n"), "said:\n  [pid: 1]\\x0d\n  in");
    }

    #[test]
    fn lines_and_their_number_are_bounded() {
        let long = lines(&format!("{}\nend", "a".repeat(60_000)));
        assert_eq!(long, format!("{}...\n  end", "a".repeat(VALUE_BYTES_MAX)));
        let many = lines(&"a\n".repeat(1_000_000));
        assert!(many.len() < 2 * TEXT_BYTES_MAX && many.ends_with("\n  ..."), "{} bytes", many.len());
    }

    #[test]
    fn a_long_value_is_cut_and_says_so() {
        assert_eq!(escaped(&[b'a'; 17], Escape::Bytes), format!("{}...", "a".repeat(16)));
    }

    #[test]
    fn markup_is_text_and_nothing_else() {
        assert_eq!(markup("<a href=\"x\"> & \u{1b}"), "&lt;a href=&quot;x&quot;&gt; &amp; \u{fffd}");
    }
}
