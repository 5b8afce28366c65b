//! What is wrong with a configuration: one line for the operator each, and all of them at once.
//!
//! Shared by everything in `config`. A warning has the same shape; only the list it stands in differs.
//! Pure; runs in the master before anything is started.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::fmt;

use super::directive::{Directive, Origin};

/// Longest part of a value that a message repeats, in characters.
const VALUE_CHARACTERS_MAX: usize = 100;

/// Most errors and most warnings of one run.
const COMPLAINTS_MAX: usize = 1_000;

/// One complaint about the configuration: where, which key and value, what is wrong or was expected, what to do.
///
/// `Display` gives one line: `app.ini:3: process = 4: not an option …; did you mean 'processes'?`
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConfigError {
    /// Where it was written.
    pub origin: Origin,
    /// The key, when the complaint is about one.
    pub key: Option<String>,
    /// The value, when the complaint is about one.
    pub value: Option<String>,
    /// What is wrong, or what was expected instead.
    pub problem: String,
    /// What the operator may do about it.
    pub suggestion: Option<String>,
}

impl ConfigError {
    /// A complaint about a place rather than one key.
    pub fn at(origin: &Origin, problem: impl Into<String>) -> Self {
        Self { origin: origin.clone(), key: None, value: None, problem: problem.into(), suggestion: None }
    }

    /// A complaint about a key and its value.
    pub fn about(directive: &Directive, problem: impl Into<String>) -> Self {
        Self::of(&directive.key, directive.value.as_deref(), &directive.origin, problem)
    }

    /// The same from the parts of a directive.
    pub fn of(key: &str, value: Option<&str>, origin: &Origin, problem: impl Into<String>) -> Self {
        Self {
            origin: origin.clone(),
            key: Some(key.to_owned()),
            value: value.map(str::to_owned),
            problem: problem.into(),
            suggestion: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: ", self.origin)?;
        if let Some(key) = &self.key {
            write!(out, "{}", OneLine(key))?;
            match self.value.as_deref() {
                None | Some("") => out.write_str(": ")?,
                Some(value) => write!(out, " = {}: ", OneLine(value))?,
            }
        }
        write!(out, "{}", self.problem)?;
        match &self.suggestion {
            Some(suggestion) => write!(out, "; {suggestion}"),
            None => Ok(()),
        }
    }
}

impl Error for ConfigError {}

/// Every error of one run, in the order found; never empty when returned as an `Err`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl ConfigErrors {
    /// `Ok` when nothing was complained about.
    pub fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for ConfigErrors {
    /// One line for each error, without a newline after the last.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                out.write_str("\n")?;
            }
            write!(out, "{error}")?;
        }
        Ok(())
    }
}

impl Error for ConfigErrors {}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

/// The errors or the warnings of a run while it goes on: each said once, and not without end.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    list: Vec<ConfigError>,
    seen: HashSet<ConfigError>,
}

impl Complaints {
    /// Notes a complaint. A loop may come by with the same one many times.
    pub(crate) fn note(&mut self, complaint: ConfigError) {
        if self.list.len() < COMPLAINTS_MAX && self.seen.insert(complaint.clone()) {
            self.list.push(complaint);
        }
    }

    /// The directives that something was said about: where they stand, and their keys.
    pub(crate) fn places(&self) -> HashSet<(&Origin, &str)> {
        self.list.iter().filter_map(|one| Some((&one.origin, one.key.as_deref()?))).collect()
    }

    /// Environment first, then command line, then each file in the order of its first complaint, by lines.
    pub(crate) fn sorted(mut self) -> Vec<ConfigError> {
        let mut files: HashMap<String, usize> = HashMap::new();
        let mut places = HashMap::new();
        for complaint in &self.list {
            let place = place(&complaint.origin, &mut files);
            places.insert(complaint.origin.clone(), place);
        }
        self.list.sort_by_key(|complaint| places.get(&complaint.origin).copied());
        self.list
    }
}

/// Rank of the source, rank of the file, line.
fn place(origin: &Origin, files: &mut HashMap<String, usize>) -> (usize, usize, usize) {
    match origin {
        Origin::Environment { .. } => (0, 0, 0),
        Origin::CommandLine | Origin::Program => (1, 0, 0),
        Origin::Declared { used, .. } => place(used, files),
        Origin::File { path, line, .. } => {
            let next = files.len();
            (2, *files.entry(path.to_string()).or_insert(next), *line)
        }
    }
}

/// Text of the user made fit for one line: control characters escaped, cut when long.
pub struct OneLine<'a>(pub &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, character) in self.0.chars().enumerate() {
            if index == VALUE_CHARACTERS_MAX {
                return out.write_str("…");
            }
            if character.is_control() {
                write!(out, "{}", character.escape_default())?;
            } else {
                write!(out, "{character}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_one_line_whatever_the_value_holds() {
        let directive = Directive::new("env", Some(&"x\n".repeat(200)), Origin::CommandLine);
        let line = ConfigError::about(&directive, "expected NAME=VALUE").suggest("add a '='").to_string();
        assert!(!line.contains('\n'));
        assert!(line.starts_with("command line: env = x\\nx\\n"), "{line}");
        assert!(line.ends_with("…: expected NAME=VALUE; add a '='"), "{line}");
    }

    #[test]
    fn complaints_are_listed_one_to_a_line() {
        let file = Origin::File { path: "a.ini".into(), line: 3, section: "uwsgi".into() };
        let mut errors = ConfigErrors::from(ConfigError::at(&file, "one"));
        errors.0.push(ConfigError::of("k", Some(""), &Origin::Environment { variable: "UWSGI_K".into() }, "two"));
        assert_eq!(errors.to_string(), "a.ini:3: one\nUWSGI_K: k: two");
        assert!(errors.into_result(()).is_err());
    }
}
