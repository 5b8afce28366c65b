//! The one table of options: names, kinds, defaults, status, one line of manual, what each sets, and what they mean
//! together.
//!
//! Everything that knows options is driven by it: the configuration language (which keys exist), the command line,
//! `--help`, `rhinod check` and `show`, `docs/OPTIONS.md`, the manual page, shell completions and `uwsgi-compat.ini`.
//! This file has the table and its look-ups. Each [`Group`] has one file: its rows, their setters, and the judgement on
//! its options together. What they are written with is below them: `row`, `kind` and the reading of values, and the
//! [`Draft`] that setters write into. Not for running it (`build`) and not for reading files (`directive`). Pure; runs
//! in the master before anything else.
//!
//! To say that an option now works, change its row's `.not_yet(…)` to `.works()` and write what is made from the table
//! anew: `make bless`.

mod address;
mod alarms;
mod cache_keys;
mod canary;
mod change;
mod draft;
mod group;
mod header;
mod keys;
mod kind;
mod number;
mod parsed;
mod row;

mod areas;
mod companions;
mod crons;
mod daemons;
mod emperor;
mod files;
mod hearing;
mod helpers;
mod hooks;
mod http_router;
mod identity;
mod known_address;
mod language;
mod limits;
mod log_places;
mod logging;
mod metrics;
mod network;
mod offers;
mod ours;
mod processes;
mod python;
mod refork;
mod regex;
mod reload;
mod routers;
mod routing;
mod scaling;
mod schedule;
mod secure;
mod shared_sockets;
mod sharing;
mod signals;
mod socket_references;
mod sockets;
mod statistics;
mod subscriptions;
mod system;
mod tasks;
mod telemetry;
mod vassals;
mod zerg;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use change::{Change, ChangeBy, Differs};
pub use draft::Draft;
pub use group::Group;
pub use kind::Kind;
pub use parsed::{Parsed, Unfit};
pub use row::{Opt, Repeat, Setter, Status};

use super::model::Config;
pub use super::vocabulary::Argument;
use super::vocabulary::{Meaning, Vocabulary};

/// A group of options and all that is known of them.
#[derive(Debug)]
pub struct Section {
    /// What they are about.
    pub group: Group,
    /// Their rows, in the order of the manual.
    pub rows: &'static [Opt],
    /// What they mean together, once all are known.
    pub judge: Judge,
}

/// Judges what options mean together: conflicts, limits, and what one option gives another. Runs once all directives are
/// taken, so that their order does not matter.
pub type Judge = fn(&mut Draft<'_>);

impl Section {
    /// Options of which each stands for itself.
    const fn of(group: Group, rows: &'static [Opt]) -> Section {
        Section { group, rows, judge: |_| () }
    }

    /// Options that mean something together.
    const fn judged(group: Group, rows: &'static [Opt], judge: Judge) -> Section {
        Section { group, rows, judge }
    }
}

/// The table: groups in the order of the manual.
pub const TABLE: &[Section] = &[
    Section::judged(Group::Sockets, sockets::OPTIONS, sockets::judge),
    Section::judged(Group::Processes, processes::OPTIONS, processes::judge),
    Section::judged(Group::Scaling, scaling::OPTIONS, scaling::judge),
    Section::judged(Group::Limits, limits::OPTIONS, limits::judge),
    Section::judged(Group::Reload, reload::OPTIONS, reload::judge),
    Section::judged(Group::Logging, logging::OPTIONS, log_places::judge),
    Section::judged(Group::Identity, identity::OPTIONS, identity::judge),
    Section::judged(Group::Python, python::OPTIONS, python::judge),
    Section::judged(Group::Ours, ours::OPTIONS, ours::judge),
    Section::of(Group::Hooks, hooks::OPTIONS),
    Section::of(Group::Language, language::OPTIONS),
    Section::of(Group::Helpers, helpers::OPTIONS),
    Section::judged(Group::Statistics, statistics::OPTIONS, statistics::judge),
    Section::judged(Group::Files, files::OPTIONS, files::judge),
    Section::judged(Group::Routing, routing::OPTIONS, routing::judge),
    Section::judged(Group::Routers, routers::OPTIONS, routers::judge),
    Section::judged(Group::Daemons, daemons::OPTIONS, daemons::judge),
    Section::judged(Group::Tasks, tasks::OPTIONS, tasks::judge),
    Section::judged(Group::Sharing, sharing::OPTIONS, sharing::judge),
    Section::judged(Group::Emperor, emperor::OPTIONS, emperor::judge),
    Section::judged(Group::Network, network::OPTIONS, network::judge),
    Section::of(Group::System, system::OPTIONS),
];

static BY_NAME: LazyLock<HashMap<&'static str, &'static Opt>> =
    LazyLock::new(|| options().flat_map(|option| option.names().map(move |name| (name, option))).collect());

/// Every option, in the order of the manual.
pub fn options() -> impl Iterator<Item = &'static Opt> {
    TABLE.iter().flat_map(|section| section.rows)
}

/// An address to listen on as an option would have it; `None` for what is none, or needs a name looked up.
pub fn parse_listening(text: &str) -> Option<crate::config::model::Address> {
    Kind::Address.parse(Some(text)).ok()?.address
}

/// The option of this name or alias. Hyphens and underscores are alike (`buffer_size`), case is not.
pub fn find(name: &str) -> Option<&'static Opt> {
    BY_NAME.get(name).or_else(|| BY_NAME.get(name.replace('_', "-").as_str())).copied()
}

/// The option of this short form.
pub fn find_short(letter: char) -> Option<&'static Opt> {
    options().find(|option| option.short == Some(letter))
}

/// The options in which a configuration differs from the one in force, but which a reload to it leaves as they were.
pub fn needing_restart(in_force: &Config, new: &Config) -> impl Iterator<Item = &'static Opt> {
    options().filter(|option| option.change.needs_restart(in_force, new))
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

    fn would_act(&self, name: &str, value: Option<&str>) -> bool {
        find(name).is_some_and(|option| {
            let acts = matches!(option.status, Status::Works | Status::Refused(_));
            let starts_with_digit = value.is_some_and(|text| text.starts_with(|first: char| first.is_ascii_digit()));
            acts && option.parse(value).is_ok_and(|parsed| parsed.remark.is_none() || starts_with_digit)
        })
    }

    fn provides(&self, plugin: &str) -> bool {
        let version = plugin.strip_prefix("python").map(|version| version.trim_start_matches('3'));
        version.is_some_and(|version| version.bytes().all(|byte| byte.is_ascii_digit())) && plugin != "python2"
            || plugin == "cheaper_busyness"
    }
}

impl Opt {
    /// The group that lists it. Every option of the table has one.
    pub fn group(&self) -> Group {
        TABLE
            .iter()
            .find(|section| section.rows.iter().any(|row| std::ptr::eq(row, self) || row.name == self.name))
            .map_or(Group::Ours, |section| section.group)
    }
}
