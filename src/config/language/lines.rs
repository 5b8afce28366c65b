//! The lines of a file's text, with its magic variables replaced. One is made after the other, so that a file of millions of
//! lines takes no more memory than its own bytes. What the variables stand for is `magic`'s. Pure.

use std::fmt;
use std::sync::Arc;

use super::magic::Magic;

/// Most bytes of one line with its variables replaced. The longest line of 238 public files had 1 KiB.
pub(crate) const LINE_BYTES_MAX: usize = 1 << 20;

/// Most losses of one line that are told.
const LOSSES_MAX: usize = 100;

/// One line of text after replacement, with the number of the line it began on, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) text: Vec<u8>,
    /// What was lost on the way.
    pub(crate) losses: Vec<Loss>,
    /// Whether it is longer than a line may be; the text is then only its beginning.
    pub(crate) is_cut: bool,
}

impl Line {
    fn new(number: usize) -> Self {
        Line { number, text: Vec::new(), losses: Vec::new(), is_cut: false }
    }

    fn append(&mut self, bytes: &[u8]) {
        match self.text.len() + bytes.len() <= LINE_BYTES_MAX {
            true => self.text.extend_from_slice(bytes),
            false => self.is_cut = true,
        }
    }

    fn lose(&mut self, loss: Loss) {
        if self.losses.len() < LOSSES_MAX {
            self.losses.push(loss);
        }
    }
}

/// What a `%` made vanish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Loss {
    /// This letter stands for nothing, so it went together with its `%`.
    Letter(u8),
    /// The end of the text stood behind it.
    End,
    /// The end of the line stood behind it, and what looks like a line of its own follows. The number is that line's.
    Line(usize),
}

impl fmt::Display for Loss {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Loss::Letter(letter) => {
                let letter = char::from(*letter).escape_default();
                write!(
                    out,
                    "`%{letter}` stands for nothing and vanishes; write `%%{letter}` where it is meant as it stands"
                )
            }
            Loss::End => out.write_str("a `%` at the end vanishes; write `%%` where it is meant as it stands"),
            Loss::Line(number) => write!(
                out,
                "a `%` at the end of a line joins the next one to it, so line {number} is no line of its own; write `%%` \
                 where it is meant as it stands"
            ),
        }
    }
}

/// The lines of one text, with variables as they stood when it was begun. A `%` in front of a newline removes the newline.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    magic: Magic,
    text: Arc<[u8]>,
    /// Where the next line begins, in bytes.
    position: usize,
    /// The number that it has.
    number: usize,
}

impl Lines {
    pub(crate) fn new(magic: &Magic, text: Arc<[u8]>) -> Self {
        Self { magic: magic.clone(), text, position: 0, number: 1 }
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.text.get(self.position)?;
        self.position += 1;
        Some(byte)
    }

    /// What stands behind a `%`.
    fn replace(&mut self, line: &mut Line) {
        match self.byte() {
            None => line.lose(Loss::End),
            Some(b'\n') => {
                self.number += 1;
                if looks_like_an_entry(&self.text[self.position..]) {
                    line.lose(Loss::Line(self.number));
                }
            }
            Some(letter) => match self.magic.letter(letter) {
                // A directory that the path does not have.
                Some("") if letter.is_ascii_digit() => line.lose(Loss::Letter(letter)),
                Some(text) => line.append(text.as_bytes()),
                None => line.lose(Loss::Letter(letter)),
            },
        }
    }
}

impl Iterator for Lines {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let mut line = Line::new(self.number);
        while let Some(byte) = self.byte() {
            match byte {
                b'\n' => {
                    self.number += 1;
                    return Some(line);
                }
                b'%' => self.replace(&mut line),
                other => line.append(&[other]),
            }
        }
        (!line.text.is_empty() || !line.losses.is_empty()).then_some(line)
    }
}

/// Whether a text begins with `name =`, as no continued value is likely to.
fn looks_like_an_entry(text: &[u8]) -> bool {
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_start();
    let name_bytes = line.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')).count();
    let (name, rest) = line.split_at(name_bytes);
    name.first().is_some_and(u8::is_ascii_alphabetic) && rest.trim_ascii_start().starts_with(b"=")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Lines {
        Lines::new(&Magic::example(), text.as_bytes().into())
    }

    #[test]
    fn what_a_percent_sign_makes_vanish_is_told() {
        let losses = |text: &str| -> Vec<(usize, Loss)> {
            lines(text).flat_map(|line| line.losses.into_iter().map(move |loss| (line.number, loss))).collect()
        };
        assert_eq!(losses("a = 50%\nb = 1\nc = %q%v"), [(1, Loss::Line(2)), (3, Loss::Letter(b'q'))]);
        assert_eq!(losses("a = x %\n  --long=y\nb = 100%"), [(3, Loss::End)]);
        assert_eq!(losses("LIKE '%2'"), [(1, Loss::Letter(b'2'))]);
        assert_eq!(losses("a = %(b) 50%% %h"), []);
        assert_eq!(losses(&"%q".repeat(2 * LOSSES_MAX)).len(), LOSSES_MAX);
    }

    #[test]
    fn lines_keep_the_number_of_the_line_they_began_on() {
        let numbered: Vec<(usize, Vec<u8>)> = lines("a%\nb\n\nc%\n\nd").map(|line| (line.number, line.text)).collect();
        assert_eq!(numbered, [(1, b"ab".to_vec()), (3, vec![]), (4, b"c".to_vec()), (6, b"d".to_vec())]);
    }

    #[test]
    fn no_line_grows_without_end_whatever_its_variables_stand_for() {
        let mut lines = lines(&format!("{}\nb", "%v".repeat(LINE_BYTES_MAX / 4)));
        let long = lines.next().unwrap();
        assert!(long.is_cut && long.text.len() <= LINE_BYTES_MAX, "{}", long.text.len());
        assert_eq!(lines.next().map(|line| (line.number, line.text, line.is_cut)), Some((2, b"b".to_vec(), false)));
    }
}
