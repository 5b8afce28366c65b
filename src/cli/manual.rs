//! `docs/OPTIONS.md` and the manual page, made from the option table. Pure; runs in the command and in the test that
//! keeps the files equal to the table.

use std::fmt::Write;

use super::Exit;
use super::about::About;
use super::help::{usages, written};
use crate::config::options::{self, Argument, ChangeBy, Kind, Opt, Repeat, Section, Status, TABLE};

/// The text of `docs/OPTIONS.md`.
pub fn options_page() -> String {
    let mut page = String::from(OPTIONS_HEAD);
    for status in
        [Status::Works, Status::Accepted(""), Status::NotYet(""), Status::Unsupported(""), Status::Refused("")]
    {
        let same = |option: &&Opt| option.status.word() == status.word();
        let count = options::options().filter(same).count();
        let _ = writeln!(page, "| {} | {count} | {} |", status.word(), meaning(status));
    }
    page.push_str("\n# Options that work\n");
    let header = "| option | value | default | changes by | what it does |\n|---|---|---|---|---|\n";
    push_sections(&mut page, |option| option.status == Status::Works, header, working_row);
    page.push_str("\n# Options that do nothing here\n");
    let header = "| option | value | status | what it does in uWSGI |\n|---|---|---|---|\n";
    push_sections(&mut page, |option| option.status != Status::Works, header, idle_row);
    page
}

/// A table for each group that has such options.
fn push_sections(page: &mut String, wanted: fn(&Opt) -> bool, header: &str, row: fn(&Opt) -> String) {
    for Section { group, rows, .. } in TABLE {
        let mut rows = rows.iter().filter(|option| wanted(option)).peekable();
        if rows.peek().is_some() {
            let _ = write!(page, "\n## {}\n\n{header}", capitalised(group.title()));
            rows.for_each(|option| page.push_str(&row(option)));
        }
    }
}

const OPTIONS_HEAD: &str = "\
# Options

Written by `make bless`; the table in `src/config/options/` is the source.

Every option may stand in a file (`name = value`), on the command line (`--name value`, `--name=value`) and in the
environment (`UWSGI_NAME=value` or `RHINOD_NAME=value`). Underscores count as hyphens. A list is given one line for each
of its members; of all other options the last line wins. There are no unit suffixes: sizes are bytes unless the value
says otherwise, times are seconds unless it says MS.

Those that work come first, then those that are known and do nothing, each by subject. `rhinod --help WORD` looks for a
word, `rhinod check FILE` says it of the lines of a file.

What brings a changed line into force stands under \"changes by\": a reload, or only a restart. \"Start\" is said of those
that are about starting, so that in an instance that runs there is nothing to change.

| status | options | meaning |
|---|---|---|
";

fn meaning(status: Status) -> &'static str {
    match status {
        Status::Works => "does what its line says",
        Status::Accepted(_) => "accepted without effect, because nothing needs to be done",
        Status::NotYet(_) => "read and checked; the feature is not there yet, and a note at start says so",
        Status::Unsupported(_) => "accepted without effect, and a note at start says what to do instead",
        Status::Refused(_) => "stops the start, because going on without it would not be safe",
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn working_row(option: &Opt) -> String {
    let default = if option.default.is_empty() { String::new() } else { format!("`{}`", option.default) };
    table_row([names(option), value(option), default, changes_by(option), option.manual.to_owned()])
}

fn idle_row(option: &Opt) -> String {
    let status = format!("{}: {}", option.status.word(), option.status.reason());
    table_row([names(option), value(option), status, option.manual.to_owned()])
}

fn table_row<const CELLS: usize>(cells: [String; CELLS]) -> String {
    format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

fn names(option: &Opt) -> String {
    let names: Vec<String> = option.names().map(|name| format!("`{name}`")).collect();
    let short = option.short.map_or_else(String::new, |letter| format!(", `-{letter}`"));
    format!("{}{short}", names.join(", "))
}

fn value(option: &Opt) -> String {
    let list = if option.repeat == Repeat::List { " (list)" } else { "" };
    match option.kind.placeholder() {
        placeholder if option.argument == Argument::None && placeholder.is_empty() => format!("switch{list}"),
        placeholder => format!("{placeholder}{list}"),
    }
}

/// What brings a changed line into force; empty for what does nothing and for commands.
fn changes_by(option: &Opt) -> String {
    let change = &option.change;
    match (option.status, option.kind) {
        (Status::Works, Kind::Action) => String::new(),
        (Status::Works, _) if change.note.is_empty() => change.word().to_owned(),
        (Status::Works, _) => format!("{} ({})", change.word(), change.note),
        _ => String::new(),
    }
}

/// The widest line of a document, in characters.
const WIDTH: usize = 120;

/// The options that a reload does not change, for `docs/RELOADING.md`, with what that holds for.
pub fn restart_list() -> String {
    let changed_by_restart = |option: &&Opt| matches!(option.change.by, ChangeBy::Restart(_));
    let named = options::options().filter(changed_by_restart).map(|option| match option.change.note {
        "" => format!("`{}`", option.name),
        note => format!("`{}` ({note})", option.name),
    });
    let named: Vec<String> = named.collect();
    let text = format!("Only a restart changes {}.", named.join(", "));
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    format!("\n{}\n\n", lines.join("\n"))
}

/// Every exit code, for `docs/COMMANDS.md`.
pub fn exit_codes() -> String {
    let mut table = String::from("\n| code | meaning |\n|---|---|\n");
    for exit in Exit::ALL {
        let _ = writeln!(table, "| {} | {} |", exit.code(), exit.meaning());
    }
    table.push('\n');
    table
}

/// The manual page in the macros of man(7).
pub fn manual_page() -> String {
    manual_page_of(&About::RHINOD)
}

/// The same for an application with rhinod in it.
pub(super) fn manual_page_of(about: &About) -> String {
    let name = roff(about.name);
    let mut page = format!(".TH {} 1 \"\" \"{}\"\n", name.to_uppercase(), roff(&about.title()));
    let purpose = match about.description {
        "" => "application server with adaptive worker scaling",
        description => description,
    };
    let _ = write!(page, ".SH NAME\n{name} \\- {}\n.SH SYNOPSIS\n", roff(purpose));
    for (call, meaning) in usages(about.name) {
        let _ = writeln!(page, ".TP\n.B {}\n{}", roff(&call), roff(meaning));
    }
    page.push_str(".SH DESCRIPTION\n");
    page.push_str(&roff(DESCRIPTION));
    for Section { group, rows, .. } in TABLE {
        let _ = writeln!(page, ".SH {}", roff(&group.title().to_uppercase()));
        for option in rows.iter().filter(|option| option.status == Status::Works) {
            page.push_str(&manual_entry(option));
        }
    }
    page.push_str(".SH EXIT STATUS\n");
    for exit in Exit::ALL {
        let _ = writeln!(page, ".TP\n.B {}\n{}", exit.code(), roff(exit.meaning()));
    }
    page.push_str(".SH SIGNALS\n");
    page.push_str(&roff(SIGNALS));
    page
}

const DESCRIPTION: &str = "\
rhinod runs a master and workers that serve a Rust or Python application behind a web server that speaks the uwsgi
protocol. It reads uWSGI's configuration files; `rhinod check` says what each line of one will do.
Below are the options that work. docs/OPTIONS.md lists all that are known.
";

const SIGNALS: &str = "\
SIGTERM and SIGINT stop once running requests are finished, for at most worker-reload-mercy; SIGQUIT, or a second SIGINT,
stops at once; SIGHUP reloads.
";

fn manual_entry(option: &Opt) -> String {
    let mut text = format!(".TP\n.B {}\n{}.", roff(&written(option)), roff(option.manual));
    if !option.default.is_empty() && option.default != "false" {
        let _ = write!(text, " Default: {}.", roff(option.default));
    }
    match (option.change.by, option.change.note) {
        (ChangeBy::Reload | ChangeBy::Start, "") => {}
        (ChangeBy::Restart(_), "") => text.push_str(" Changes only with a restart."),
        (ChangeBy::Restart(_), note) => {
            let _ = write!(text, " Changes only with a restart ({}).", roff(note));
        }
        (ChangeBy::Reload, note) => {
            let _ = write!(text, " Changes with a reload ({}).", roff(note));
        }
        (ChangeBy::Start, note) => {
            let _ = write!(text, " Changes with the next start ({}).", roff(note));
        }
    }
    if !option.aliases.is_empty() {
        let _ = write!(text, " Also: {}.", roff(&option.aliases.join(", ")));
    }
    text.push('\n');
    text
}

/// Escapes what roff would take for its own: backslashes, hyphens, and dots and quotes that begin a line.
fn roff(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-").replace('…', "...");
    let lines =
        escaped.split('\n').map(|line| if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.into() });
    lines.collect::<Vec<String>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roff_escapes_what_would_be_a_request() {
        assert_eq!(roff(".so /etc/passwd\n'x\\fB-y"), "\\&.so /etc/passwd\n\\&'x\\efB\\-y");
    }

    #[test]
    fn every_option_has_a_row_and_pipes_do_not_break_it() {
        let page = options_page();
        for Section { rows, .. } in TABLE {
            for option in *rows {
                assert!(page.contains(&format!("| `{}`", option.name)), "{}", option.name);
            }
        }
        let Some((works, idle)) = page.split_once("# Options that do nothing here") else { panic!("two parts") };
        for (part, bars) in [(works, 6), (idle, 5)] {
            for row in part.lines().filter(|line| line.starts_with("| `")) {
                assert_eq!(row.replace("\\|", "").matches('|').count(), bars, "{row}");
            }
        }
    }
}
