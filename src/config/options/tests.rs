//! Tests of the table as a whole: no name twice, every row complete, defaults of their own kind.

use std::collections::HashSet;

use super::*;

/// The spellings of uWSGI 2.0.30 and its embedded plugins.
const UWSGI_NAMES: &str = include_str!("../../../tests/data/uwsgi-options.txt");

#[test]
fn every_option_of_uwsgi_is_in_the_table() {
    let missing: Vec<&str> = UWSGI_NAMES.lines().filter(|name| find(name).is_none()).collect();
    assert_eq!(missing, Vec::<&str>::new());
    assert!(UWSGI_NAMES.lines().count() > 1000);
}

#[test]
fn no_name_and_no_letter_stands_for_two_options() {
    let mut names = HashSet::new();
    let mut letters = HashSet::new();
    for option in options() {
        for name in option.names() {
            assert!(names.insert(name), "{name} twice");
            assert_eq!(find(name).map(|found| found.name), Some(option.name));
        }
        if let Some(letter) = option.short {
            assert!(letters.insert(letter), "-{letter} twice");
            assert_eq!(find_short(letter).map(|found| found.name), Some(option.name));
        }
    }
}

#[test]
fn underscores_are_hyphens_and_the_other_way_round() {
    for (written, listed) in [("wsgi_file", "wsgi-file"), ("buffer_size", "buffer-size")] {
        assert_eq!(Table.lookup(written).map(|meaning| meaning.name), Some(listed));
    }
    assert_eq!(Table.lookup("pivot_root").map(|meaning| meaning.name), Some("pivot_root"));
    assert_eq!(Table.lookup("venv").map(|meaning| meaning.canonical), Some("virtualenv"));
    assert_eq!(Table.lookup("Processes"), None);
}

#[test]
fn plugins_that_are_built_in() {
    for plugin in ["python", "python3", "python311", "cheaper_busyness"] {
        assert!(Table.provides(plugin), "{plugin}");
    }
    for plugin in ["python2", "php", "http", "pythonic", ""] {
        assert!(!Table.provides(plugin), "{plugin}");
    }
}

#[test]
fn defaults_fit_their_own_kind() {
    for option in options().filter(|option| !option.default.is_empty()) {
        let parsed = option.kind.parse(Some(option.default));
        assert!(parsed.is_ok_and(|parsed| parsed.remark.is_none()), "{} = {}", option.name, option.default);
    }
}

#[test]
fn every_row_says_what_it_does_and_why_not() {
    for option in options() {
        assert!(!option.manual.is_empty() && !option.manual.ends_with('.'), "{}", option.name);
        assert_eq!(option.status.reason().is_empty(), option.status == Status::Works, "{}", option.name);
    }
}

#[test]
fn what_works_does_something() {
    for Section { group, rows, .. } in TABLE {
        // The language and the commands are obeyed before anything is set.
        let elsewhere = matches!(group, Group::Language | Group::Helpers);
        for option in rows.iter().filter(|option| option.status == Status::Works) {
            // Python's locks take their number from what was given, `Config::given`.
            assert!(elsewhere || option.name == "locks" || option.set.is_some(), "{} sets nothing", option.name);
        }
    }
}

#[test]
fn options_of_the_language_that_work_are_known_to_it() {
    // The language's own table knows what is not an option as well: `end`.
    let rows = TABLE.iter().filter(|section| section.group == Group::Language).flat_map(|section| section.rows);
    for name in rows.filter(|option| option.status == Status::Works).flat_map(Opt::names) {
        assert!(crate::config::language::Keyword::of(name).is_some(), "{name}");
    }
}

#[test]
fn switches_take_no_value_on_the_command_line_and_texts_do() {
    for option in options() {
        if option.argument == Argument::None && option.kind == Kind::Text {
            assert_eq!(option.name, "ssl-option", "uWSGI's only text without a value on the command line");
        }
    }
}
