//! A row of the option table, and the words that rows are written with.
//!
//! Not the rows themselves, which are in one file per group, and not what is done with them. Pure.

use super::change::{Change, ChangeBy, Differs};
use super::draft::Draft;
use super::kind::Kind;
use super::parsed::{Parsed, Unfit};
use crate::config::vocabulary::Argument;

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
    /// What brings it into force when its line has changed since the start.
    pub change: Change,
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
        change: Change::RELOAD,
        set: None,
    }
}

/// A switch without a value on the command line.
pub(super) const fn flag(name: &'static str) -> Opt {
    row(name, Kind::Flag, Argument::None, "false")
}

/// An option with a value of this kind.
pub(super) const fn value(name: &'static str, kind: Kind) -> Opt {
    row(name, kind, Argument::Required, "")
}

/// A whole number from `min` to `max`.
pub(super) const fn int(name: &'static str, min: i64, max: i64) -> Opt {
    value(name, Kind::Int { min, max })
}

/// A whole number of anything that fits 32 bits.
pub(super) const fn count(name: &'static str) -> Opt {
    int(name, 0, i32::MAX as i64).default("0")
}

/// A time in seconds.
pub(super) const fn seconds(name: &'static str) -> Opt {
    value(name, Kind::Seconds)
}

/// A time in milliseconds.
pub(super) const fn millis(name: &'static str) -> Opt {
    value(name, Kind::Milliseconds)
}

/// A size in bytes.
pub(super) const fn bytes(name: &'static str) -> Opt {
    value(name, Kind::Bytes)
}

/// A size in kilobytes.
pub(super) const fn kilobytes(name: &'static str) -> Opt {
    value(name, Kind::Kilobytes)
}

/// A size in megabytes.
pub(super) const fn megabytes(name: &'static str) -> Opt {
    value(name, Kind::Megabytes)
}

/// A path.
pub(super) const fn path(name: &'static str) -> Opt {
    value(name, Kind::Path)
}

/// An address to listen on.
pub(super) const fn address(name: &'static str) -> Opt {
    value(name, Kind::Address)
}

/// `KEY=VALUE`.
pub(super) const fn pair(name: &'static str) -> Opt {
    value(name, Kind::Pair)
}

/// Any text.
pub(super) const fn text(name: &'static str) -> Opt {
    value(name, Kind::Text)
}

/// Text that may be given several times.
pub(super) const fn list(name: &'static str) -> Opt {
    value(name, Kind::Text).list()
}

/// Something that the command line does at once and then ends.
pub(super) const fn action(name: &'static str) -> Opt {
    row(name, Kind::Action, Argument::None, "")
}

impl Opt {
    pub(super) const fn aka(mut self, aliases: &'static [&'static str]) -> Opt {
        self.aliases = aliases;
        self
    }

    pub(super) const fn short(mut self, letter: char) -> Opt {
        self.short = Some(letter);
        self
    }

    pub(super) const fn list(mut self) -> Opt {
        self.repeat = Repeat::List;
        self
    }

    pub(super) const fn default(mut self, default: &'static str) -> Opt {
        self.default = default;
        self
    }

    pub(super) const fn bare(mut self) -> Opt {
        self.argument = Argument::None;
        self
    }

    pub(super) const fn optional(mut self) -> Opt {
        self.argument = Argument::Optional;
        self
    }

    pub(super) const fn required(mut self) -> Opt {
        self.argument = Argument::Required;
        self
    }

    pub(super) const fn says(mut self, manual: &'static str) -> Opt {
        self.manual = manual;
        self
    }

    pub(super) const fn sets(mut self, set: Setter) -> Opt {
        self.set = Some(set);
        self
    }

    /// Only a restart changes it; `differs` compares.
    pub(super) const fn restart(mut self, differs: Differs) -> Opt {
        self.change.by = ChangeBy::Restart(differs);
        self
    }

    /// It is about starting.
    pub(super) const fn at_start(mut self) -> Opt {
        self.change.by = ChangeBy::Start;
        self
    }

    /// For what that holds which was said about changes.
    pub(super) const fn but(mut self, note: &'static str) -> Opt {
        self.change.note = note;
        self
    }

    pub(super) const fn works(mut self) -> Opt {
        self.status = Status::Works;
        self
    }

    pub(super) const fn accepted(mut self, reason: &'static str) -> Opt {
        self.status = Status::Accepted(reason);
        self
    }

    pub(super) const fn not_yet(mut self, feature: &'static str) -> Opt {
        self.status = Status::NotYet(feature);
        self
    }

    pub(super) const fn unsupported(mut self, instead: &'static str) -> Opt {
        self.status = Status::Unsupported(instead);
        self
    }

    pub(super) const fn refused(mut self, instead: &'static str) -> Opt {
        self.status = Status::Refused(instead);
        self
    }
}
