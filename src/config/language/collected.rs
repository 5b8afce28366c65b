//! What reading a configuration comes to. Pure.

use std::collections::HashSet;
use std::path::PathBuf;

use crate::config::directive::{Directive, Origin};
use crate::config::error::ConfigError;

/// What a configuration says, with everything resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// Every entry in the order in which options are applied. Those of the language itself (`ini`, `if-env`, `set`, …)
    /// are among them, as in uWSGI's `--show-config`; what `declare-option` made comes first and is not listed there.
    pub directives: Vec<Directive>,
    /// What the operator should know although the start goes on.
    pub warnings: Vec<ConfigError>,
    /// Every file that was read, absolute, once, in order.
    pub files: Vec<PathBuf>,
    /// Names that some value refers to as `%(name)`.
    pub placeholders_used: HashSet<String>,
    /// The magic variables at the end, for `uwsgi.magic_table`.
    pub magic: Vec<(char, String)>,
    /// The last `strict`, if there is any.
    pub strict: Option<bool>,
    /// The last `fallback-config`, if there is any.
    pub fallback: Option<String>,
    /// Whether a file, or another source, could not be read at all.
    pub missed_source: bool,
    /// Whether an argument without option named an application (`rhinod wsgi:app`).
    pub named_application: bool,
}

impl Collected {
    /// The directives that uWSGI's `--show-config` prints: all but those that `declare-option` made.
    pub fn listed(&self) -> impl Iterator<Item = &Directive> {
        self.directives.iter().filter(|directive| !matches!(directive.origin, Origin::Declared { .. }))
    }
}
