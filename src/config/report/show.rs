//! `rhinod show`: the values that hold in the end, and where each of them came from.
//!
//! Every option that was given, and every option that works with the default that holds without it. Not for what a
//! line will do (`check`). Also the ini file that `--show-config` prints. Pure; runs in the command.

use std::fmt::Write;

use serde::Serialize;

use super::paint::{Colour, Paint};
use crate::config::directive::Directive;
use crate::config::error::OneLine;
use crate::config::language::Collected;
use crate::config::load::Reading;
use crate::config::options::{Group, Opt, Repeat, Status, TABLE};

/// Widest assignment that keeps the origins in one column, in characters.
const COLUMN_MAX: usize = 56;

/// The origin of a value that was not written.
const DEFAULT: &str = "default";

/// The values that hold, by subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Show {
    /// Options, in the order of the manual.
    pub values: Vec<Value>,
    /// Keys that are no options, in order.
    pub placeholders: Vec<Value>,
    /// What the operator should know.
    pub notes: Vec<String>,
    /// What stops the start.
    pub errors: Vec<String>,
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Value {
    /// The subject; the title of the manual's section.
    pub group: &'static str,
    /// The name of the option, or the key of a placeholder.
    pub name: String,
    /// The value as given; a bare flag is `true`.
    pub value: String,
    /// Where it was written; `default` for what was not.
    pub origin: String,
    /// Where values were written that this one took the place of, first to last.
    pub overrides: Vec<String>,
}

/// Finds the values that hold.
pub fn show(reading: &Reading) -> Show {
    let directives = &reading.collected.directives;
    let shown = TABLE.iter().filter(|section| !matches!(section.group, Group::Language | Group::Helpers));
    let values =
        shown.flat_map(|section| section.rows.iter().flat_map(|option| values_of(option, section.group, directives)));
    let values = values.collect();
    let is_placeholder = |directive: &&Directive| crate::config::options::find(&directive.key).is_none();
    let placeholders =
        directives.iter().filter(is_placeholder).map(|directive| value("placeholders", &directive.key, directive));
    Show {
        values,
        placeholders: placeholders.collect(),
        notes: reading.warnings.iter().chain(&reading.idle).map(ToString::to_string).collect(),
        errors: reading.errors.0.iter().map(ToString::to_string).collect(),
    }
}

fn values_of(option: &'static Opt, group: Group, directives: &[Directive]) -> Vec<Value> {
    let given: Vec<&Directive> = directives
        .iter()
        .filter(|directive| crate::config::options::find(&directive.key).is_some_and(|found| found.name == option.name))
        .collect();
    match (given.split_last(), option.repeat) {
        (None, _) if option.status == Status::Works && !option.default.is_empty() => vec![Value {
            group: group.title(),
            name: option.name.to_owned(),
            value: option.default.to_owned(),
            origin: DEFAULT.to_owned(),
            overrides: Vec::new(),
        }],
        (None, _) => Vec::new(),
        (Some(_), Repeat::List) => given.iter().map(|directive| value(group.title(), option.name, directive)).collect(),
        (Some((last, earlier)), Repeat::Last) => {
            let overrides = earlier.iter().map(|directive| directive.origin.to_string()).collect();
            vec![Value { overrides, ..value(group.title(), option.name, last) }]
        }
    }
}

fn value(group: &'static str, name: &str, directive: &Directive) -> Value {
    Value {
        group,
        name: name.to_owned(),
        value: directive.value.clone().unwrap_or_else(|| "true".to_owned()),
        origin: directive.origin.to_string(),
        overrides: Vec::new(),
    }
}

impl Show {
    /// Without the values that stand at their default.
    pub fn changed(mut self) -> Show {
        self.values.retain(|value| value.origin != DEFAULT);
        self
    }

    /// The report for a terminal or a file: `name = value`, then where it came from.
    pub fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        let all = || self.values.iter().chain(&self.placeholders);
        let width = all().map(|value| assignment(value).chars().count()).filter(|width| *width <= COLUMN_MAX).max();
        let width = width.unwrap_or(0);
        let mut group = "";
        for value in all() {
            if value.group != group {
                group = value.group;
                let _ =
                    writeln!(text, "{}{}", if text.is_empty() { "" } else { "\n" }, paint.bold(group, Colour::Plain));
            }
            let _ = write!(text, "  {:width$}  {}", assignment(value), value.origin);
            if !value.overrides.is_empty() {
                let _ = write!(text, " (instead of {})", value.overrides.join(", "));
            }
            text.push('\n');
        }
        for (heading, colour, lines) in [("error:", Colour::Red, &self.errors), ("note:", Colour::Yellow, &self.notes)]
        {
            if !lines.is_empty() {
                text.push('\n');
            }
            for line in lines {
                let _ = writeln!(text, "{} {line}", paint.bold(heading, colour));
            }
        }
        text
    }

    /// The report for programs; the shape is that of [`Show`].
    pub fn json(&self) -> String {
        // Strings and lists only: serialising them cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

fn assignment(value: &Value) -> String {
    format!("{} = {}", OneLine(&value.name), OneLine(&value.value))
}

/// The entries as an ini file, as uWSGI's `--show-config` prints them.
pub fn as_ini(collected: &Collected) -> String {
    let mut text = String::from("[uwsgi]\n");
    for directive in collected.listed() {
        let _ = writeln!(text, "{} = {}", directive.key, directive.value.as_deref().unwrap_or("true"));
    }
    text
}
