//! The one table of options: names, kinds, defaults, status, one line of manual and what each sets.
//!
//! Everything that knows options is driven by it: the configuration language (which keys exist), the command line,
//! `--help`, `rhinod check` and `show`, `docs/OPTIONS.md`, the manual page, shell completions and `uwsgi-compat.ini`.
//! The rows are in one file per [`Group`]; this file has their type and the look-ups. Not for what options mean
//! together (`build`) and not for reading files (`directive`). Pure; runs in the master before anything else.
//!
//! To say that an option now works, change its row's `.not_yet(…)` to `.works()` and write what is made from the table
//! anew: `RHINOD_BLESS=1 INSTA_UPDATE=always cargo test --test program`.

mod kind;

mod emperor;
mod files;
mod helpers;
mod hooks;
mod identity;
mod language;
mod limits;
mod logging;
mod network;
mod ours;
mod processes;
mod python;
mod reload;
mod routers;
mod scaling;
mod sockets;
mod statistics;
mod system;
mod tasks;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use kind::{Kind, Parsed, Unfit};

use super::build::Draft;
pub use super::vocabulary::Argument;
use super::vocabulary::{Meaning, Vocabulary};

/// One option under all its names.
#[derive(Debug)]
pub struct Opt {
    /// The name that manuals and messages use.
    pub name: &'static str,
    /// Other spellings of the same option.
    pub aliases: &'static [&'static str],
    /// The letter of the short form (`-p`).
    pub short: Option<char>,
    /// Whether the command line takes a value. In files every option may have one.
    pub argument: Argument,
    /// What values look like.
    pub kind: Kind,
    /// What a second line with the same option means.
    pub repeat: Repeat,
    /// What holds when the option is not given, as it would be written in a file; empty for "nothing".
    pub default: &'static str,
    /// What becomes of it.
    pub status: Status,
    /// What it does, in one sentence without the final stop.
    pub manual: &'static str,
    /// Writes a valid value into the configuration under construction.
    pub set: Option<Setter>,
}

/// Writes one valid value into the configuration under construction.
pub type Setter = fn(&mut Draft<'_>, &Parsed<'_>);

/// What a repeated option means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// The last one given wins.
    Last,
    /// Each one adds to the list.
    List,
}

/// What becomes of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It does what its line of manual says.
    Works,
    /// It is accepted and need not do anything here, for this reason.
    Accepted(&'static str),
    /// It is read and checked, but this feature is not there yet; a note at start says so.
    NotYet(&'static str),
    /// It does nothing here and will not; this is what to do instead.
    Unsupported(&'static str),
    /// rhinod does not start with it, because going on without it would not be safe; this is what to do instead.
    Refused(&'static str),
}

/// What options are about; one file of rows each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Group {
    /// `sockets`.
    Sockets,
    /// `processes`.
    Processes,
    /// `scaling`.
    Scaling,
    /// `limits`.
    Limits,
    /// `reload`.
    Reload,
    /// `hooks`.
    Hooks,
    /// `identity`.
    Identity,
    /// `logging`.
    Logging,
    /// `python`.
    Python,
    /// `statistics`.
    Statistics,
    /// `files`.
    Files,
    /// `routers`.
    Routers,
    /// `tasks`.
    Tasks,
    /// `emperor`.
    Emperor,
    /// `network`.
    Network,
    /// `system`.
    System,
    /// `language`.
    Language,
    /// `helpers`.
    Helpers,
    /// `ours`.
    Ours,
}

/// The table: groups in the order of the manual.
pub const TABLE: &[(Group, &[Opt])] = &[
    (Group::Sockets, sockets::OPTIONS),
    (Group::Processes, processes::OPTIONS),
    (Group::Scaling, scaling::OPTIONS),
    (Group::Limits, limits::OPTIONS),
    (Group::Reload, reload::OPTIONS),
    (Group::Logging, logging::OPTIONS),
    (Group::Identity, identity::OPTIONS),
    (Group::Python, python::OPTIONS),
    (Group::Ours, ours::OPTIONS),
    (Group::Hooks, hooks::OPTIONS),
    (Group::Language, language::OPTIONS),
    (Group::Helpers, helpers::OPTIONS),
    (Group::Statistics, statistics::OPTIONS),
    (Group::Files, files::OPTIONS),
    (Group::Routers, routers::OPTIONS),
    (Group::Tasks, tasks::OPTIONS),
    (Group::Emperor, emperor::OPTIONS),
    (Group::Network, network::OPTIONS),
    (Group::System, system::OPTIONS),
];

static BY_NAME: LazyLock<HashMap<&'static str, &'static Opt>> =
    LazyLock::new(|| options().flat_map(|option| option.names().map(move |name| (name, option))).collect());

/// Every option, in the order of the manual.
pub fn options() -> impl Iterator<Item = &'static Opt> {
    TABLE.iter().flat_map(|(_, rows)| rows.iter())
}

/// The option of this name or alias. Hyphens and underscores are alike (`buffer_size`), case is not.
pub fn find(name: &str) -> Option<&'static Opt> {
    BY_NAME.get(name).or_else(|| BY_NAME.get(name.replace('_', "-").as_str())).copied()
}

/// The option of this short form.
pub fn find_short(letter: char) -> Option<&'static Opt> {
    options().find(|option| option.short == Some(letter))
}

/// The table as the language sees it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Table;

impl Vocabulary for Table {
    fn lookup(&self, name: &str) -> Option<Meaning> {
        let option = find(name)?;
        let known = option.names().find(|known| *known == name).or_else(|| {
            let hyphened = name.replace('_', "-");
            option.names().find(|known| *known == hyphened)
        });
        Some(Meaning { name: known.unwrap_or(option.name), canonical: option.name, argument: option.argument })
    }

    fn short(&self, letter: char) -> Option<Meaning> {
        find_short(letter).map(|option| Meaning {
            name: option.name,
            canonical: option.name,
            argument: option.argument,
        })
    }

    fn names(&self) -> Box<dyn Iterator<Item = &'static str> + '_> {
        Box::new(options().flat_map(Opt::names))
    }

    fn provides(&self, plugin: &str) -> bool {
        let version = plugin.strip_prefix("python").map(|version| version.trim_start_matches('3'));
        version.is_some_and(|version| version.bytes().all(|byte| byte.is_ascii_digit())) && plugin != "python2"
            || plugin == "cheaper_busyness"
    }
}

impl Opt {
    /// The name and the aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// Reads a value. A number whose value may be left out on the command line takes the words of a switch as well
    /// (`http-keepalive = true`), and a bare key as on.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn parse<'a>(&self, value: Option<&'a str>) -> Result<Parsed<'a>, Unfit> {
        let numeric = matches!(self.kind, Kind::Int { .. } | Kind::Seconds | Kind::Bytes);
        match value {
            Some("" | "true" | "on" | "yes") if numeric && self.argument == Argument::Optional => self.kind.parse(None),
            Some("false" | "off" | "no") if numeric && self.argument == Argument::Optional => {
                self.kind.parse(Some("0"))
            }
            _ => self.kind.parse(value),
        }
    }

    /// Whether the value says that a switch is off, so that what it would do does not matter.
    pub fn is_switched_off(&self, parsed: &Parsed<'_>) -> bool {
        match self.kind {
            Kind::Flag | Kind::InvertedFlag | Kind::FlagOrText => !parsed.on(),
            _ => false,
        }
    }

    /// The group that lists it. Every option of the table has one.
    pub fn group(&self) -> Group {
        TABLE
            .iter()
            .find(|(_, rows)| rows.iter().any(|row| std::ptr::eq(row, self) || row.name == self.name))
            .map_or(Group::Ours, |(group, _)| *group)
    }
}

impl Group {
    /// The word for `--help` and the title of the manual's section.
    pub fn title(self) -> &'static str {
        match self {
            Group::Sockets => "sockets",
            Group::Processes => "processes and threads",
            Group::Scaling => "adaptive scaling",
            Group::Limits => "limits",
            Group::Reload => "reloading and stopping",
            Group::Hooks => "hooks",
            Group::Identity => "identity, directories, environment",
            Group::Logging => "logging",
            Group::Python => "Python",
            Group::Statistics => "statistics and alarms",
            Group::Files => "responses and static files",
            Group::Routers => "HTTP and other routers",
            Group::Tasks => "background work and shared memory",
            Group::Emperor => "emperor, zerg and clusters",
            Group::Network => "other protocols",
            Group::System => "isolation and the system",
            Group::Language => "configuration language",
            Group::Helpers => "commands",
            Group::Ours => "rhinod's own",
        }
    }
}

impl Status {
    /// One word for tables.
    pub fn word(self) -> &'static str {
        match self {
            Status::Works => "works",
            Status::Accepted(_) => "accepted",
            Status::NotYet(_) => "not yet",
            Status::Unsupported(_) => "not supported",
            Status::Refused(_) => "refused",
        }
    }

    /// The reason or the advice that goes with it; empty when it works.
    pub fn reason(self) -> &'static str {
        match self {
            Status::Works => "",
            Status::Accepted(text) | Status::NotYet(text) | Status::Unsupported(text) | Status::Refused(text) => text,
        }
    }
}

/// A new row; its status must follow.
const fn row(name: &'static str, kind: Kind, argument: Argument, default: &'static str) -> Opt {
    Opt {
        name,
        aliases: &[],
        short: None,
        argument,
        kind,
        repeat: Repeat::Last,
        default,
        status: Status::Unsupported(""),
        manual: "",
        set: None,
    }
}

/// A switch without a value on the command line.
const fn flag(name: &'static str) -> Opt {
    row(name, Kind::Flag, Argument::None, "false")
}

/// An option with a value of this kind.
const fn value(name: &'static str, kind: Kind) -> Opt {
    row(name, kind, Argument::Required, "")
}

/// A whole number from `min` to `max`.
const fn int(name: &'static str, min: i64, max: i64) -> Opt {
    value(name, Kind::Int { min, max })
}

/// A whole number of anything that fits 32 bits.
const fn count(name: &'static str) -> Opt {
    int(name, 0, i32::MAX as i64).default("0")
}

/// A time in seconds.
const fn seconds(name: &'static str) -> Opt {
    value(name, Kind::Seconds)
}

/// A time in milliseconds.
const fn millis(name: &'static str) -> Opt {
    value(name, Kind::Milliseconds)
}

/// A size in bytes.
const fn bytes(name: &'static str) -> Opt {
    value(name, Kind::Bytes)
}

/// A size in kilobytes.
const fn kilobytes(name: &'static str) -> Opt {
    value(name, Kind::Kilobytes)
}

/// A size in megabytes.
const fn megabytes(name: &'static str) -> Opt {
    value(name, Kind::Megabytes)
}

/// A path.
const fn path(name: &'static str) -> Opt {
    value(name, Kind::Path)
}

/// An address to listen on.
const fn address(name: &'static str) -> Opt {
    value(name, Kind::Address)
}

/// `KEY=VALUE`.
const fn pair(name: &'static str) -> Opt {
    value(name, Kind::Pair)
}

/// Any text.
const fn text(name: &'static str) -> Opt {
    value(name, Kind::Text)
}

/// Text that may be given several times.
const fn list(name: &'static str) -> Opt {
    value(name, Kind::Text).list()
}

/// Something that the command line does at once and then ends.
const fn action(name: &'static str) -> Opt {
    row(name, Kind::Action, Argument::None, "")
}

impl Opt {
    const fn aka(mut self, aliases: &'static [&'static str]) -> Opt {
        self.aliases = aliases;
        self
    }

    const fn short(mut self, letter: char) -> Opt {
        self.short = Some(letter);
        self
    }

    const fn list(mut self) -> Opt {
        self.repeat = Repeat::List;
        self
    }

    const fn default(mut self, default: &'static str) -> Opt {
        self.default = default;
        self
    }

    const fn bare(mut self) -> Opt {
        self.argument = Argument::None;
        self
    }

    const fn optional(mut self) -> Opt {
        self.argument = Argument::Optional;
        self
    }

    const fn required(mut self) -> Opt {
        self.argument = Argument::Required;
        self
    }

    const fn says(mut self, manual: &'static str) -> Opt {
        self.manual = manual;
        self
    }

    const fn sets(mut self, set: Setter) -> Opt {
        self.set = Some(set);
        self
    }

    const fn works(mut self) -> Opt {
        self.status = Status::Works;
        self
    }

    const fn accepted(mut self, reason: &'static str) -> Opt {
        self.status = Status::Accepted(reason);
        self
    }

    const fn not_yet(mut self, feature: &'static str) -> Opt {
        self.status = Status::NotYet(feature);
        self
    }

    const fn unsupported(mut self, instead: &'static str) -> Opt {
        self.status = Status::Unsupported(instead);
        self
    }

    const fn refused(mut self, instead: &'static str) -> Opt {
        self.status = Status::Refused(instead);
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// The spellings of uWSGI 2.0.30 and its embedded plugins (reference/options.tsv).
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
        for (group, rows) in TABLE {
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
        let rows = TABLE.iter().filter(|(group, _)| *group == Group::Language).flat_map(|(_, rows)| rows.iter());
        for name in rows.filter(|option| option.status == Status::Works).flat_map(Opt::names) {
            assert!(crate::config::keyword::Keyword::of(name).is_some(), "{name}");
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
}
