//! The ini grammar: one line in, one item out.
//!
//! serde_ini's `Parser` cuts key and value; what it does otherwise than uWSGI (section headers, bare keys, comments
//! that are not text, blanks that are no blanks to uWSGI) is settled before it sees the line. The grammar is
//! uWSGI's manual, "How uWSGI parses config files". Nothing here knows of files or options. Pure.

use std::convert::Infallible;

use serde_ini::Parser;
use serde_ini::parse::{Error, Item as Parsed, SyntaxError};

/// What one line holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    /// Nothing, or a comment.
    Nothing,
    /// A section begins. Bytes that are not text are replaced.
    Section(String),
    /// A key and its value; a bare key has an empty one.
    Entry {
        /// Everything before the first `=`.
        key: String,
        /// Everything behind it.
        value: String,
    },
}

/// A line that is neither a comment nor valid UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotText;

/// Reads one line, without its newline. The text ends at a NUL byte.
pub(crate) fn read_line(line: &[u8]) -> Result<Item, NotText> {
    let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
    let line = trim(line);
    match line.first() {
        None | Some(b';' | b'#') => Ok(Item::Nothing),
        Some(b'[') => Ok(Item::Section(section_name(line))),
        Some(_) => std::str::from_utf8(line).map(entry).map_err(|_| NotText),
    }
}

/// uWSGI takes the text behind the bracket without its last character, whatever that is.
fn section_name(line: &[u8]) -> String {
    let inner = line.get(1..line.len().saturating_sub(1)).unwrap_or_default();
    String::from_utf8_lossy(inner).into_owned()
}

fn entry(line: &str) -> Item {
    if has_foreign_blanks(line) {
        return split_by_hand(line);
    }
    match Parser::new(std::iter::once(Ok::<&str, Infallible>(line))).next() {
        Some(Ok(Parsed::Value { key, value })) => Item::Entry { key, value },
        Some(Err(Error::Syntax(SyntaxError::MissingEquals))) => {
            Item::Entry { key: line.to_owned(), value: String::new() }
        }
        Some(Ok(Parsed::Empty | Parsed::Comment { .. } | Parsed::Section { .. }) | Err(_)) | None => Item::Nothing,
    }
}

/// The `Parser` trims every blank of Unicode; to uWSGI only space, tab and CR are blanks.
fn has_foreign_blanks(line: &str) -> bool {
    line.chars().any(|character| character.is_whitespace() && !is_blank(character))
}

fn split_by_hand(line: &str) -> Item {
    let (key, value) = line.split_once('=').unwrap_or((line, ""));
    Item::Entry { key: key.trim_matches(is_blank).to_owned(), value: value.trim_matches(is_blank).to_owned() }
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r')
}

fn trim(line: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t' | b'\r');
    let start = line.iter().position(is_text).unwrap_or(line.len());
    let end = line.iter().rposition(is_text).map_or(start, |last| last + 1);
    &line[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry_of(line: &[u8]) -> (String, String) {
        match read_line(line) {
            Ok(Item::Entry { key, value }) => (key, value),
            other => panic!("{other:?}"),
        }
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn keys_and_values_are_cut_at_the_first_equals_sign() {
        assert_eq!(entry_of(b"  a  ==  b c  "), pair("a", "=  b c"));
        assert_eq!(entry_of(b"a=b=c\r"), pair("a", "b=c"));
        assert_eq!(entry_of(b"flag"), pair("flag", ""));
        assert_eq!(entry_of(b"a: b"), pair("a: b", ""));
        assert_eq!(entry_of(b"= v"), pair("", "v"));
        assert_eq!(entry_of(b"a = 1 ; c"), pair("a", "1 ; c"));
        assert_eq!(entry_of(b"a = \"x y\""), pair("a", "\"x y\""));
    }

    #[test]
    fn only_space_tab_and_cr_are_blanks() {
        assert_eq!(entry_of("a = \u{a0}x\u{b}".as_bytes()), pair("a", "\u{a0}x\u{b}"));
        assert_eq!(entry_of("\u{c}a =\tx\t".as_bytes()), pair("\u{c}a", "x"));
        assert_eq!(entry_of("bare\u{2003}key".as_bytes()), pair("bare\u{2003}key", ""));
    }

    #[test]
    fn sections_lose_their_last_character_whatever_it_is() {
        for (line, name) in
            [("[uwsgi]", "uwsgi"), ("[uwsgi", "uwsg"), ("[ a ] ", " a "), ("[a] ; n", "a] ; "), ("[", "")]
        {
            assert_eq!(read_line(line.as_bytes()), Ok(Item::Section(name.to_owned())), "{line}");
        }
    }

    #[test]
    fn comments_may_hold_any_bytes_and_entries_may_not() {
        assert_eq!(read_line(b"  # \xff"), Ok(Item::Nothing));
        assert_eq!(read_line(b"; a = 1"), Ok(Item::Nothing));
        assert_eq!(read_line(b"a = \xff"), Err(NotText));
        assert_eq!(read_line(b" \t\r"), Ok(Item::Nothing));
    }

    #[test]
    fn a_nul_ends_the_line() {
        assert_eq!(entry_of(b"a = b\0c"), pair("a", "b"));
    }
}
