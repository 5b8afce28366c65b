//! Documents of the repository that code makes, wholly or in part. An ordinary run compares them; only `make bless`
//! writes.

use std::path::Path;
use std::{env, fs};

/// `make bless` sets it, and with it `INSTA_UPDATE`, which does the same for insta's snapshots.
const VARIABLE: &str = "RHINOD_BLESS";

/// Whether this run is to write down what it finds, instead of comparing it.
pub fn is_blessing() -> bool {
    env::var_os(VARIABLE).is_some()
}

/// The whole file is this text.
///
/// # Panics
/// When it is another one, or cannot be written.
#[track_caller]
pub fn assert_file(path: &Path, text: &str) {
    let recorded = fs::read_to_string(path).unwrap_or_default();
    settle(path, &recorded, text, is_blessing());
}

/// What stands in the file between the line `begin` and the line `end` is this text.
///
/// # Panics
/// When it is another one, when either line is not there, or when the file cannot be written.
#[track_caller]
pub fn assert_part(path: &Path, begin: &str, end: &str, text: &str) {
    let recorded = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let wanted = with_part(&recorded, begin, end, text);
    let wanted = wanted.unwrap_or_else(|missing| panic!("{}: there is no line {missing:?}", path.display()));
    settle(path, &recorded, &wanted, is_blessing());
}

/// The rows of the Markdown table with this heading, the first one after the line `section`, are these lines.
///
/// # Panics
/// When they are others, when there is no such table, or when the file cannot be written.
#[track_caller]
pub fn assert_rows(path: &Path, section: &str, heading: &str, rows: &[String]) {
    let recorded = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let wanted = with_rows(&recorded, section, heading, rows);
    let wanted = wanted.unwrap_or_else(|missing| panic!("{}: there is no line {missing:?}", path.display()));
    settle(path, &recorded, &wanted, is_blessing());
}

/// The text with other rows in a table; the error is the line that is missing.
fn with_rows<'a>(text: &str, section: &'a str, heading: &'a str, rows: &[String]) -> Result<String, &'a str> {
    let (_, rest) = split_at_line(text, section).ok_or(section)?;
    let (_, table) = split_at_line(rest, heading).ok_or(heading)?;
    let rule = table.find('\n').map_or(table.len(), |end| end + 1);
    let old: usize = table[rule..].split_inclusive('\n').take_while(|line| line.starts_with('|')).map(str::len).sum();
    let start = text.len() - table.len() + rule;
    let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
    Ok(format!("{}{rows}{}", &text[..start], &text[start + old..]))
}

/// The text with another part between two lines; the error is the line that is missing.
fn with_part<'a>(text: &str, begin: &'a str, end: &'a str, part: &str) -> Result<String, &'a str> {
    let (before, rest) = split_at_line(text, begin).ok_or(begin)?;
    let (_, after) = split_at_line(rest, end).ok_or(end)?;
    Ok(format!("{before}{begin}\n{part}{end}\n{after}"))
}

/// What is before this line, and what is after it.
fn split_at_line<'t>(text: &'t str, line: &str) -> Option<(&'t str, &'t str)> {
    let mut start = 0;
    for whole in text.split_inclusive('\n') {
        let end = start + whole.len();
        if whole.trim_end_matches('\n') == line {
            return Some((&text[..start], &text[end..]));
        }
        start = end;
    }
    None
}

#[track_caller]
fn settle(path: &Path, recorded: &str, wanted: &str, blessing: bool) {
    if recorded == wanted {
        return;
    }
    let name = path.display();
    if blessing {
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, wanted));
        return written.unwrap_or_else(|error| panic!("cannot write {name}: {error}"));
    }
    panic!("{name} is not what the code makes; run `make bless`. {}", first_difference(recorded, wanted));
}

fn first_difference(recorded: &str, wanted: &str) -> String {
    let mut pairs = (1..).zip(recorded.lines().map(Some).chain(std::iter::repeat(None)));
    let mut wanted = wanted.lines();
    let differing = pairs.find_map(|(number, have)| match (have, wanted.next()) {
        (None, None) => Some("Only line ends differ".to_owned()),
        (have, want) if have == want => None,
        (have, want) => Some(format!("Line {number} is {have:?} instead of {want:?}")),
    });
    differing.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{first_difference, settle, with_part, with_rows};
    use std::fs;
    use std::path::PathBuf;

    /// A file of its own, gone with the value.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str, text: &str) -> Self {
            let path = std::env::temp_dir().join(format!("testkit-{}-{name}", std::process::id()));
            fs::write(&path, text).expect("room for it");
            Scratch(path)
        }

        fn text(&self) -> String {
            fs::read_to_string(&self.0).expect("it is there")
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    #[test]
    fn an_ordinary_run_fails_and_leaves_the_document_alone() {
        let document = Scratch::new("ordinary", "old\n");
        let compared = std::panic::catch_unwind(|| settle(&document.0, "old\n", "new\n", false));
        let said = *compared.expect_err("it differs").downcast::<String>().expect("a message");
        assert!(said.contains("make bless") && said.contains("Line 1"), "{said}");
        assert_eq!(document.text(), "old\n");
    }

    #[test]
    fn blessing_writes_it() {
        let document = Scratch::new("blessed", "old\n");
        settle(&document.0, "old\n", "new\n", true);
        assert_eq!(document.text(), "new\n");
    }

    #[test]
    fn what_is_between_two_lines_is_replaced_and_nothing_else() {
        let text = "a\n<begin>\nold\n<end>\nz\n";
        assert_eq!(with_part(text, "<begin>", "<end>", "new\n"), Ok("a\n<begin>\nnew\n<end>\nz\n".to_owned()));
        assert_eq!(with_part(text, "<begin>", "end", ""), Err("end"));
        assert_eq!(with_part("<end>\n<begin>\n", "<begin>", "<end>", ""), Err("<end>"));
    }

    #[test]
    fn the_rows_of_a_table_are_replaced_and_nothing_else() {
        let text = "| a |\n| --- |\n| 0 |\n\n## B\n\n| a |\n| --- |\n| 1 |\n| 2 |\n\nz\n";
        let rows = ["| 3 |".to_owned()];
        let other = "| a |\n| --- |\n| 0 |\n\n## B\n\n| a |\n| --- |\n| 3 |\n\nz\n";
        assert_eq!(with_rows(text, "## B", "| a |", &rows), Ok(other.to_owned()));
        assert_eq!(with_rows(text, "## B", "| b |", &rows), Err("| b |"));
    }

    #[test]
    fn the_first_difference_is_told() {
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), "Line 2 is Some(\"b\") instead of Some(\"c\")");
        assert_eq!(first_difference("a\n", "a\nb\n"), "Line 2 is None instead of Some(\"b\")");
        assert_eq!(first_difference("a", "a\n"), "Only line ends differ");
    }
}
