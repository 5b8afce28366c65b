//! Text that comes from the environment: data, whatever stands in it. No pass over the values finds a placeholder, the name of
//! a file or a command in it.
//!
//! Until all is read, the characters that the passes look for stand in it as others that no text has: five noncharacters of
//! Unicode (the Unicode standard, 23.7). Then they are put back. Pure.

use std::borrow::Cow;

/// The characters that mean something to the passes, and what stands for them in data.
const SEALS: [(char, char); 5] =
    [('$', '\u{fdd0}'), ('@', '\u{fdd1}'), ('%', '\u{fdd2}'), ('(', '\u{fdd3}'), (')', '\u{fdd4}')];

/// The text as the passes may see it.
pub(crate) fn seal(text: &str) -> String {
    let sealed = |character: char| match SEALS.iter().find(|(meaning, seal)| [*meaning, *seal].contains(&character)) {
        Some((meaning, seal)) if character == *meaning => *seal,
        Some(_) => char::REPLACEMENT_CHARACTER,
        None => character,
    };
    text.chars().map(sealed).collect()
}

/// The text as it is.
pub(crate) fn unseal(text: &str) -> Cow<'_, str> {
    let meaning_of = |character: char| SEALS.iter().find(|(_, seal)| *seal == character).map(|(meaning, _)| *meaning);
    // Their first byte of three; few other texts have it.
    if !text.as_bytes().contains(&0xef) || !text.chars().any(|character| meaning_of(character).is_some()) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|character| meaning_of(character).unwrap_or(character)).collect())
}

/// Puts back what a text has of them.
pub(crate) fn unseal_in_place(text: &mut String) {
    if let Cow::Owned(open) = unseal(text) {
        *text = open;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_means_nothing_until_it_is_what_it_was() {
        let text = "a%(b) @(exec://c) $(D) ä ï·";
        let sealed = seal(text);
        assert!(!sealed.contains(['%', '@', '$', '(', ')']), "{sealed}");
        assert_eq!(unseal(&sealed), text);
        assert!(matches!(unseal("plain ï·"), Cow::Borrowed(_)));
    }

    #[test]
    fn nobody_else_can_write_a_seal_into_data() {
        assert_eq!(unseal(&seal("\u{fdd2}\u{fdd3}x\u{fdd4}")), "\u{fffd}\u{fffd}x\u{fffd}");
    }
}
