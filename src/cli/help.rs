//! The texts of `rhinod --help` and `rhinod --help WORD`, made from the option table. Pure; runs in the command.

use std::fmt::Write;

use super::words::WORDS;
use crate::config::options::{Argument, Group, Opt, Repeat, Section, Status, TABLE};

/// How the program is called; the same lines stand in the manual page.
pub(super) fn usages() -> Vec<(String, &'static str)> {
    let serving = [
        ("rhinod [OPTION…] FILE…", "serve what the files and options describe"),
        ("rhinod [OPTION…] MODULE:CALLABLE", "serve this Python application, on 127.0.0.1:8000 without a socket"),
        ("rhinod [OPTION…] FILE.py", "the same for a file"),
    ];
    let words = WORDS.iter().map(|word| (format!("rhinod {} {}", word.name, word.usage), word.does));
    let words = words.map(|(call, does)| (call.trim_end().to_owned(), does));
    serving.map(|(call, does)| (call.to_owned(), does)).into_iter().chain(words).collect()
}

/// The widest line that help prints, in characters.
const WIDTH: usize = 100;

/// Column at which explanations begin.
const INDENT: usize = 34;

/// The text of `--help`.
pub(super) fn overview() -> String {
    let mut text =
        String::from("rhinod serves applications behind nginx's uwsgi_pass and reads uWSGI's configuration.\n\n");
    let usages = usages();
    let widest = usages.iter().map(|(call, _)| call.chars().count()).max().unwrap_or(0);
    for (call, meaning) in usages {
        let _ = writeln!(text, "  {call:widest$}  {meaning}");
    }
    text.push_str(
        "\nFILE is an ini, yaml or json file, FILE:SECTION one section of it, - standard input with --ini.\n",
    );
    text.push_str(
        "INSTANCE is a pid file, a process id, an ini file or a master fifo. `rhinod WORD --help` tells more.\n",
    );
    text.push_str("Every option may stand in a file as `name = value` and in the environment as UWSGI_NAME=value.\n");
    text.push_str("\nOptions by subject (rhinod --help WORD):\n\n");
    for Section { group, rows, .. } in TABLE {
        let working = rows.iter().filter(|row| row.status == Status::Works).count();
        if working > 0 {
            let _ = writeln!(text, "  {:34} {working:3} options", group.title());
        }
    }
    text
}

/// The options that have to do with a word: it stands in a name, in the manual's line or in the title of the group.
/// `all` finds everything. `None` when there is none.
pub(super) fn about(word: &str) -> Option<String> {
    let word = word.to_lowercase();
    let mut text = String::new();
    for Section { group, rows, .. } in TABLE {
        let found: Vec<&Opt> = rows.iter().filter(|row| concerns(row, *group, &word)).collect();
        if !found.is_empty() {
            let _ = writeln!(text, "{}{}\n", if text.is_empty() { "" } else { "\n" }, group.title());
            found.iter().for_each(|option| text.push_str(&entry(option)));
        }
    }
    (!text.is_empty()).then_some(text)
}

fn concerns(option: &Opt, group: Group, word: &str) -> bool {
    let hyphened = word.trim_start_matches('-').replace('_', "-");
    word == "all"
        || option.names().any(|name| name.contains(hyphened.as_str()))
        || option.manual.to_lowercase().contains(word)
        || group.title().to_lowercase().contains(word)
}

/// One option: how it is written, what it does, its default and what else is to know.
fn entry(option: &Opt) -> String {
    let written = written(option);
    let mut details = String::from(option.manual);
    if !option.default.is_empty() && option.default != "false" {
        let _ = write!(details, " (default {})", option.default);
    }
    if option.repeat == Repeat::List {
        details.push_str("; may be repeated");
    }
    if !option.aliases.is_empty() {
        let _ = write!(details, "; also {}", option.aliases.join(", "));
    }
    if option.status != Status::Works {
        let _ = write!(details, " [{}: {}]", option.status.word(), option.status.reason());
    }
    let mut text = format!("  {written}");
    let mut column = 2 + written.chars().count();
    if column >= INDENT {
        text.push('\n');
        column = 0;
    }
    text.extend(std::iter::repeat_n(' ', INDENT - column));
    text.push_str(&wrap(&details));
    text.push('\n');
    text
}

/// `-p, --processes N`.
pub(super) fn written(option: &Opt) -> String {
    let mut text = option.short.map_or_else(String::new, |letter| format!("-{letter}, "));
    let _ = write!(text, "--{}", option.name);
    match (option.argument, option.kind.placeholder()) {
        (Argument::None, _) => {}
        (_, value) if value.is_empty() => {}
        (Argument::Required, value) => {
            let _ = write!(text, " {value}");
        }
        (Argument::Optional, value) => {
            let _ = write!(text, "[={value}]");
        }
    }
    text
}

fn wrap(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let length = lines.last().map_or(0, |line| line.chars().count());
        match lines.last_mut() {
            Some(line) if length == 0 => line.push_str(word),
            Some(line) if length + 1 + word.chars().count() <= WIDTH - INDENT => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join(&format!("\n{}", " ".repeat(INDENT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overview_names_every_way_to_call() {
        insta::assert_snapshot!(overview());
    }

    #[test]
    fn a_word_finds_names_explanations_and_groups() {
        insta::assert_snapshot!(about("touch-").unwrap_or_default());
        assert!(about("--cheaper_algo").is_some_and(|text| text.contains("--cheaper-algo adaptive|spare")));
        assert!(about("scaling").is_some_and(|text| text.contains("--cheap ")));
        assert_eq!(about("xyzzy"), None);
    }

    #[test]
    fn no_line_is_wider_than_the_screen() {
        let everything = about("all").unwrap_or_default();
        let widest =
            everything.lines().filter(|line| line.starts_with("        ")).map(|line| line.chars().count()).max();
        assert!(widest.is_some_and(|widest| widest <= WIDTH), "{widest:?}");
        assert!(TABLE.iter().all(|section| everything.contains(section.group.title())));
    }
}
