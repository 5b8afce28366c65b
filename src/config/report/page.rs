//! What reports are written for: colours or none, and how wide a line may be. Pure: who prints says what it is.

use super::paint::Paint;

/// Narrowest column that words are wrapped in; on a narrower page they run on.
const COLUMN_MIN: usize = 20;

/// A terminal, a file or a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Whether there are colours.
    pub paint: Paint,
    /// How many characters a line has room for; `None`: it may be as long as it is.
    pub columns: Option<usize>,
}

impl From<Paint> for Page {
    /// A page without an edge.
    fn from(paint: Paint) -> Page {
        Page { paint, columns: None }
    }
}

impl Page {
    /// Appends words to a line that has come to `column`. Where there is no room they go on in the next line, at `indent`.
    pub fn flow(self, text: &mut String, column: usize, indent: usize, words: &str) {
        match self.columns.filter(|columns| *columns >= indent + COLUMN_MIN) {
            Some(columns) => flow(text, column, indent, columns, words),
            None => text.push_str(words),
        }
    }
}

/// The same for a line of so many characters at most; a word that is longer than that stands alone.
pub fn flow(text: &mut String, mut column: usize, indent: usize, columns: usize, words: &str) {
    let mut is_first = true;
    for word in words.split(' ') {
        let length = word.chars().count();
        let needed = length + usize::from(!is_first);
        if column + needed > columns && column > indent {
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', indent));
            column = indent;
            is_first = true;
        }
        if !is_first {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
        is_first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flowed(columns: Option<usize>, words: &str) -> String {
        let mut text = "ab: ".to_owned();
        Page { paint: Paint::Bare, columns }.flow(&mut text, 4, 2, words);
        text
    }

    #[test]
    fn words_go_on_below_where_the_line_ends() {
        let words = "one two three four five six seven eight";
        assert_eq!(flowed(Some(23), words), "ab: one two three four\n  five six seven eight");
        assert_eq!(flowed(Some(22), "one two three four five"), "ab: one two three four\n  five");
        assert_eq!(flowed(None, words), format!("ab: {words}"));
    }

    #[test]
    fn a_long_word_stands_alone_and_a_narrow_page_is_left_alone() {
        let long = "x".repeat(30);
        assert_eq!(flowed(Some(24), &format!("a {long} b")), format!("ab: a\n  {long}\n  b"));
        assert_eq!(flowed(Some(10), "one two three"), "ab: one two three");
    }
}
