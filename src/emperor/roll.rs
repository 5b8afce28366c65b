//! The roll of vassals that live: what the next Emperor is left of them (`emperor-survive`). A line each: the process, when that
//! began in ticks after the boot, and the vassal's name. Pure; written and read in the Emperor.

use std::collections::BTreeMap;

/// A process, by its number and by when it began: a number may be another's later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Living {
    pub(super) pid: i32,
    pub(super) began: u64,
}

/// Most vassals of a roll that is read.
const LINES_MAX: usize = 100_000;

/// The text of a roll. A name with the end of a line in it is left out: it would be two.
pub(super) fn text<'n>(vassals: impl Iterator<Item = (&'n str, Living)>) -> String {
    let lines = vassals.filter(|(name, _)| !name.contains('\n'));
    lines.map(|(name, Living { pid, began })| format!("{pid} {began} {name}\n")).collect()
}

/// The same, read; lines that are none are left out.
pub(super) fn read(text: &str) -> BTreeMap<String, Living> {
    let one = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let (pid, began, name) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?);
        (pid > 1 && !name.is_empty()).then(|| (name.to_owned(), Living { pid, began }))
    };
    text.lines().take(LINES_MAX).filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roll_is_read_as_it_was_written_whatever_names_there_are() {
        let all = [("a.ini", Living { pid: 7, began: 8 }), ("/srv/with blank/b.ini", Living { pid: 9, began: 10 })];
        let written = text(all.into_iter().chain([("two\nlines", Living { pid: 3, began: 4 })]));
        assert_eq!(read(&written), all.map(|(name, living)| (name.to_owned(), living)).into());
    }

    #[test]
    fn what_is_no_line_of_a_roll_is_left_out() {
        for text in ["", "x", "1 2 init", "7 8", "7 8 ", "7 x a.ini", "-7 8 a.ini", "99999999999999 8 a.ini"] {
            assert_eq!(read(text), BTreeMap::new(), "{text}");
        }
    }
}
