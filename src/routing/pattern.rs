//! Regular expressions of rules: written for PCRE, matched in linear time, so that no rule can hold a worker up. What PCRE
//! has beyond that, look-around and back-references above all, is refused by name. Pure.
//!
//! They are case-sensitive, unanchored, and match bytes. A pattern that begins with `^` and text is compared with that
//! text first: of a thousand rules that do not match, nearly all cost no more than that.

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind, Look};

use super::error::RuleError;

/// Most bytes that one compiled expression may take.
const COMPILED_BYTES_MAX: usize = 4 << 20;

/// Groups that arguments can name: `$0` to `$9`.
const GROUPS_MAX: usize = 10;

/// A compiled expression.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    regex: Regex,
    /// What every match begins with, at the start of the subject.
    start: Option<Vec<u8>>,
}

/// What the groups of a match hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Groups {
    subject: Vec<u8>,
    ranges: Vec<Option<Range<usize>>>,
}

impl Groups {
    /// One group; empty if there is none, or if it took no part.
    pub(super) fn get(&self, number: u8) -> &[u8] {
        let range = self.ranges.get(usize::from(number)).cloned().flatten();
        range.and_then(|range| self.subject.get(range)).unwrap_or_default()
    }
}

impl Pattern {
    /// Compiles what was written for PCRE.
    pub(super) fn compile(text: &str) -> Result<Pattern, RuleError> {
        let written = translate(text)?;
        let regex = RegexBuilder::new(&written)
            .unicode(false)
            .size_limit(COMPILED_BYTES_MAX)
            .build()
            .map_err(|error| complaint(text, &written, &error))?;
        Ok(Pattern { regex, start: start_of(&written) })
    }

    /// Whether it matches.
    pub(super) fn matches(&self, subject: &[u8]) -> bool {
        self.start.as_ref().is_none_or(|start| subject.starts_with(start)) && self.regex.is_match(subject)
    }

    /// The groups of the match, if there is one.
    pub(super) fn groups(&self, subject: &[u8]) -> Option<Groups> {
        let captures = self.regex.captures(subject)?;
        let ranges = captures.iter().take(GROUPS_MAX).map(|group| group.map(|group| group.range())).collect();
        Some(Groups { subject: subject.to_vec(), ranges })
    }
}

/// The text that follows a `^` at the start of a pattern.
fn start_of(written: &str) -> Option<Vec<u8>> {
    let hir = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(written).ok()?;
    let HirKind::Concat(parts) = hir.kind() else { return None };
    let (first, rest) = parts.split_first()?;
    if !matches!(first.kind(), HirKind::Look(Look::Start)) {
        return None;
    }
    match rest.first().map(Hir::kind) {
        Some(HirKind::Literal(literal)) => Some(literal.0.to_vec()),
        _ => None,
    }
}

/// The same expression in the words of the crate that matches it.
fn translate(text: &str) -> Result<String, RuleError> {
    let mut written = String::with_capacity(text.len());
    let mut rest = text.char_indices().peekable();
    let mut quantified = false;
    while let Some((at, character)) = rest.next() {
        let behind = &text[at + character.len_utf8()..];
        let was_quantified = std::mem::replace(&mut quantified, matches!(character, '*' | '+' | '?' | '}'));
        match character {
            '\\' => {
                let Some((_, escaped)) = rest.next() else {
                    return Err(RuleError::new("the regular expression ends with a backslash"));
                };
                push_escaped(&mut written, escaped, at)?;
            }
            '[' => {
                let length = push_class(&mut written, behind, at)?;
                while rest.next_if(|(next, _)| *next <= at + length).is_some() {}
            }
            '(' if behind.starts_with('*') => return Err(beyond("a verb `(*…)`", at)),
            '(' if behind.starts_with('?') => {
                check_group(behind, at)?;
                written.push('(');
                // The question mark of a group is none that repeats.
                if let Some((_, mark)) = rest.next() {
                    written.push(mark);
                }
            }
            '+' if was_quantified => return Err(beyond("a possessive quantifier", at)),
            _ => {
                // `??`, `*?`: the mark belongs to the quantifier before it.
                quantified &= !(character == '?' && was_quantified);
                written.push(character);
            }
        }
    }
    Ok(written)
}

/// What comes behind a backslash outside of a class.
fn push_escaped(written: &mut String, escaped: char, at: usize) -> Result<(), RuleError> {
    let construct = match escaped {
        '0'..='9' => "a back-reference or an octal code",
        'g' | 'k' => "a back-reference",
        'Q' | 'E' => "literal text `\\Q…\\E`",
        'K' | 'G' | 'R' | 'X' | 'C' | 'N' | 'h' | 'H' | 'V' | 'Z' | 'c' | 'o' | 'p' | 'P' => {
            return Err(beyond(&format!("`\\{escaped}`"), at));
        }
        _ => "",
    };
    if !construct.is_empty() {
        return Err(beyond(construct, at));
    }
    match escaped {
        'e' => written.push_str("\\x1B"),
        // Plain characters for PCRE, the edges of words for the crate.
        '<' | '>' => written.push(escaped),
        // A class for PCRE, one character for the crate.
        'v' => written.push_str("[\\x0A-\\x0D]"),
        _ if escaped.is_ascii() => written.extend(['\\', escaped]),
        _ => written.push(escaped),
    }
    Ok(())
}

/// A class, of which `[` has been read; returns how many bytes of `behind` belong to it.
fn push_class(written: &mut String, behind: &str, at: usize) -> Result<usize, RuleError> {
    written.push('[');
    let mut rest = behind.char_indices().peekable();
    if rest.next_if(|(_, first)| *first == '^').is_some() {
        written.push('^');
    }
    let mut is_first = true;
    while let Some((offset, character)) = rest.next() {
        match character {
            ']' if !is_first => {
                written.push(']');
                return Ok(offset + 1);
            }
            ']' => written.push_str("\\]"),
            '[' if behind[offset..].starts_with("[:") => {
                // The colon that opens the name does not end it.
                let name = behind[offset + 2..].split_once(":]").map(|(name, _)| name);
                match name.filter(|name| name.chars().all(|letter| letter.is_ascii_alphabetic() || letter == '^')) {
                    None => written.push_str("\\["),
                    Some(name) => {
                        let named = &behind[offset..offset + 4 + name.len()];
                        written.push_str(named);
                        while rest.next_if(|(next, _)| *next < offset + named.len()).is_some() {}
                    }
                }
            }
            // What joins classes for the crate means itself for PCRE.
            '[' | '&' | '~' => written.extend(['\\', character]),
            '\\' => match rest.next() {
                Some((_, 'b')) => written.push_str("\\x08"),
                Some((_, 'v')) => written.push_str("\\x0A-\\x0D"),
                Some((_, escaped)) => push_escaped(written, escaped, at + 1 + offset)?,
                None => break,
            },
            '-' if behind[offset + 1..].starts_with('-') => written.push_str("\\-"),
            _ => written.push(character),
        }
        is_first = false;
    }
    Err(RuleError::new(format!("the class that begins at character {} of the regular expression has no end", at + 1)))
}

/// Refuses what follows `(` if it is no group of the crate's.
fn check_group(behind: &str, at: usize) -> Result<(), RuleError> {
    for (start, construct) in [
        ("?=", "a look-ahead `(?=…)`"),
        ("?!", "a look-ahead `(?!…)`"),
        ("?<=", "a look-behind `(?<=…)`"),
        ("?<!", "a look-behind `(?<!…)`"),
        ("?>", "an atomic group `(?>…)`"),
        ("?|", "a branch reset `(?|…)`"),
        ("?#", "a comment `(?#…)`"),
        ("?(", "a condition `(?(…)…)`"),
        ("?R", "a recursion"),
        ("?&", "a recursion"),
        ("?P>", "a recursion"),
        ("?P=", "a back-reference `(?P=…)`"),
        ("?C", "a callout"),
        ("?'", "a group named by quotes"),
    ] {
        if behind.starts_with(start) {
            return Err(beyond(construct, at));
        }
    }
    match behind[1..].chars().next() {
        Some('0'..='9' | '+') => Err(beyond("a recursion", at)),
        _ => Ok(()),
    }
}

fn beyond(construct: &str, at: usize) -> RuleError {
    let problem = format!("{construct} at character {} of the regular expression is not understood", at + 1);
    RuleError::new(problem)
        .advise("rules match in linear time: write it as several rules, or with route-if-not and last:")
}

/// What the crate says, with the place in what was written.
fn complaint(text: &str, written: &str, error: &regex::Error) -> RuleError {
    match error {
        regex::Error::CompiledTooBig(bytes) => {
            RuleError::new(format!("the regular expression takes more than {bytes} bytes when it is compiled"))
        }
        _ => {
            let parsed = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(written);
            let (what, at) = match parsed {
                Err(regex_syntax::Error::Parse(error)) => (error.kind().to_string(), Some(error.span().start.offset)),
                Err(regex_syntax::Error::Translate(error)) => {
                    (error.kind().to_string(), Some(error.span().start.offset))
                }
                _ => (error.to_string().replace('\n', " "), None),
            };
            let place = at.map_or_else(String::new, |at| format!(" at character {}", place_in(text, written, at)));
            RuleError::new(format!("the regular expression does not compile{place}: {what}"))
        }
    }
}

/// The character of `text` that offset `at` of its translation comes from: both are the same up to the first difference.
fn place_in(text: &str, written: &str, at: usize) -> usize {
    let same = text.bytes().zip(written.bytes()).take_while(|(own, other)| own == other).count();
    at.min(same).min(text.len()) + 1
}
