//! What the user said: one `key = value` with the place it was written at.
//!
//! Nothing here knows what a key means; `options` does. Runs in the master, before anything else.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One entry of the configuration, from whichever source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directive {
    /// The key as it was written. A short command-line option is recorded under its long name.
    pub key: String,
    /// The value with everything expanded. `None` is a command-line flag without value; a bare key of a file has `""`.
    pub value: Option<String>,
    /// Where it was written.
    pub origin: Origin,
}

impl Directive {
    /// Builds a directive, for embedders and tests; [`collect`](super::collect()) makes them from text.
    pub fn new(key: &str, value: Option<&str>, origin: Origin) -> Self {
        Self { key: key.to_owned(), value: value.map(str::to_owned), origin }
    }
}

/// Where a directive was written. Its `Display` is what messages and `show` print: `app.ini:12`, `command line`,
/// `UWSGI_PROCESSES`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// A line of a file.
    File {
        /// The file's name as it was given.
        path: Arc<str>,
        /// The line, from 1; 0 speaks of the file as a whole.
        line: usize,
        /// The section (or the object of yaml and json) it stands in.
        section: Arc<str>,
    },
    /// An argument of the command line.
    CommandLine,
    /// An environment variable.
    Environment {
        /// Its whole name, such as `UWSGI_PROCESSES`.
        variable: String,
    },
    /// It came out of an option made by `declare-option`.
    Declared {
        /// The name of that option.
        option: String,
        /// Where that option was used.
        used: Box<Origin>,
    },
    /// Code of an embedding program.
    Program,
}

impl Origin {
    /// Whether a file, directly or through `declare-option`, is where it was written.
    pub fn is_file(&self) -> bool {
        match self {
            Self::File { .. } => true,
            Self::Declared { used, .. } => used.is_file(),
            Self::CommandLine | Self::Environment { .. } | Self::Program => false,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: 0, .. } => out.write_str(path),
            Self::File { path, line, .. } => write!(out, "{path}:{line}"),
            Self::CommandLine => out.write_str("command line"),
            Self::Environment { variable } => out.write_str(variable),
            Self::Declared { option, used } => write!(out, "{used} (declared option {option})"),
            Self::Program => out.write_str("program"),
        }
    }
}
