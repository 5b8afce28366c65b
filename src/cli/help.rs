//! The texts of `rhinod --help` and `rhinod --help WORD`, made from the option table. Pure; runs in the command.

use std::fmt::Write;

use super::about::About;
use super::words::WORDS;
use crate::config::options::{Argument, Group, Opt, Repeat, Section, Status, TABLE};
use crate::config::report::page::flow;

/// How the program is called; the same lines stand in the manual page.
pub(super) fn usages(name: &str) -> Vec<(String, &'static str)> {
    let serving = [
        ("[OPTION…] FILE…", "serve what the files and options describe"),
        ("[OPTION…] MODULE:CALLABLE", "serve this Python application, on 127.0.0.1:8000 without a socket"),
        ("[OPTION…] FILE.py", "the same for a file"),
    ];
    let words = WORDS.iter().filter(|word| word.missing().is_none());
    let words = words.map(|word| (format!("{name} {} {}", word.name, word.usage), word.does));
    let words = words.map(|(call, does)| (call.trim_end().to_owned(), does));
    serving.map(|(call, does)| (format!("{name} {call}"), does)).into_iter().chain(words).collect()
}

/// The widest line that help prints, in characters.
const WIDTH: usize = 100;

/// Column at which explanations begin.
const INDENT: usize = 34;

/// The text of `--help`.
pub(super) fn overview(about: &About) -> String {
    let name = about.name;
    let mut text = about.introduction() + "\n";
    let usages = usages(name);
    let widest = usages.iter().map(|(call, _)| call.chars().count()).max().unwrap_or(0);
    for (call, meaning) in usages {
        let _ = writeln!(text, "  {call:widest$}  {meaning}");
    }
    text.push_str(
        "\nFILE is an ini, yaml or json file, FILE:SECTION one section of it, - standard input with --ini.\n",
    );
    let _ = writeln!(
        text,
        "INSTANCE is a pid file, a process id, an ini file or a master fifo. `{name} WORD --help` tells more."
    );
    text.push_str("Every option may stand in a file as `name = value` and in the environment as UWSGI_NAME=value.\n");
    let _ = write!(text, "\nOptions by subject ({name} --help WORD):\n\n");
    for Section { group, rows, .. } in TABLE {
        let working = rows.iter().filter(|row| row.status == Status::Works).count();
        if working > 0 {
            let _ = writeln!(text, "  {:34} {working:3} options", group.title());
        }
    }
    text
}

/// The options that have to do with a word: it stands in a name, in the manual's line or in the title of the group. What
/// works comes first, and of the rest only the names, unless nothing works or it is the very name that was asked for.
/// `all` finds everything and says everything. `None` when there is none.
pub(super) fn about(word: &str) -> Option<String> {
    let word = word.to_lowercase();
    let found: Vec<(Group, &Opt)> = TABLE
        .iter()
        .flat_map(|Section { group, rows, .. }| rows.iter().map(|row| (*group, row)))
        .filter(|(group, row)| concerns(row, *group, &word))
        .collect();
    let says_all = word == "all" || !found.iter().any(|(_, option)| option.status == Status::Works);
    let is_meant = |option: &Opt| option.names().any(|name| name == hyphened(&word));
    let (told, folded): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|(_, option)| says_all || option.status == Status::Works || is_meant(option));
    let mut text = String::new();
    for options in told.chunk_by(|(group, _), (next, _)| group == next) {
        let _ = writeln!(text, "{}{}\n", if text.is_empty() { "" } else { "\n" }, options[0].0.title());
        options.iter().for_each(|(_, option)| text.push_str(&entry(option)));
    }
    if !folded.is_empty() {
        text.push_str("\nWithout effect here (rhinod --help NAME says why):\n\n  ");
        let names: Vec<&str> = folded.iter().map(|(_, option)| option.name).collect();
        flow(&mut text, 2, 2, WIDTH, &names.join(", "));
        text.push('\n');
    }
    (!text.is_empty()).then_some(text)
}

/// A name as options are written.
fn hyphened(word: &str) -> String {
    word.trim_start_matches('-').replace('_', "-")
}

fn concerns(option: &Opt, group: Group, word: &str) -> bool {
    let name_part = hyphened(word);
    word == "all"
        || option.names().any(|name| name.contains(name_part.as_str()))
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
    flow(&mut text, INDENT, INDENT, WIDTH, &details);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overview_names_every_way_to_call() {
        insta::assert_snapshot!(overview(&About::RHINOD));
        let of_an_application = overview(&About::new("greeter", "1.2.0"));
        assert!(of_an_application.starts_with("greeter 1.2.0\n") && of_an_application.contains("\n  greeter check "));
    }

    #[test]
    fn a_word_finds_names_explanations_and_groups() {
        insta::assert_snapshot!(about("touch-").unwrap_or_default());
        assert!(about("--cheaper_algo").is_some_and(|text| text.contains("--cheaper-algo adaptive|spare")));
        assert!(about("scaling").is_some_and(|text| text.contains("--cheap ")));
        assert_eq!(about("xyzzy"), None);
    }

    #[test]
    fn what_works_comes_first_and_the_rest_is_only_named_unless_it_is_asked_for() {
        let options = || TABLE.iter().flat_map(|section| section.rows.iter());
        let idle = options().find(|option| matches!(option.status, Status::Unsupported(_))).expect("one of them");
        let asked = about(idle.name).expect("it is there");
        assert!(asked.contains(&entry(idle)), "{asked}");
        let (told, folded) = {
            let text = about("http").expect("many of them");
            let (told, folded) = text.split_once("\nWithout effect here").expect("some of them");
            (told.to_owned(), folded.to_owned())
        };
        assert!(!told.contains(" [not supported: ") && told.contains("--http-socket "), "{told}");
        assert!(folded.lines().all(|line| line.chars().count() <= WIDTH) && folded.contains(", "), "{folded}");
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
