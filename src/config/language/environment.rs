//! Environment variables as options: `UWSGI_HTTP_TIMEOUT=30` is `http-timeout = 30`, and so is `RHINOD_HTTP_TIMEOUT`.
//!
//! The rule and the exceptions are uWSGI's manual, "Configuring uWSGI". Not for `$(NAME)` (`expand`) nor `if-env`
//! (`logic`). Pure.

use std::ffi::OsString;

use crate::config::directive::Origin;
use crate::config::error::ConfigError;

/// What the names of variables that are options begin with.
const PREFIXES: [&str; 2] = ["UWSGI_", "RHINOD_"];

/// Variables of that beginning by which processes of uWSGI and rhinod talk to each other; they are no options.
const NOT_OPTIONS: [&str; 9] = [
    "UWSGI_RELOADS",
    "UWSGI_VASSALS_DIR",
    "UWSGI_EMPEROR_FD",
    "UWSGI_EMPEROR_FD_CONFIG",
    "UWSGI_EMPEROR_PROXY",
    "UWSGI_BROODLORD_NUM",
    "UWSGI_JAIL_PID",
    "UWSGI_ORIGINAL_PROC_NAME",
    "RHINOD_LOG",
];

/// rhinod's own processes talk to each other in variables of this beginning.
const PRIVATE_PREFIX: &str = "RHINOD_INTERNAL_";

/// What an Emperor has in variables of this beginning is for its vassals, who get it without the middle word.
const VASSALS_PREFIX: &str = "UWSGI_VASSAL_";

/// An option out of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) origin: Origin,
}

/// The options among the environment variables, in the order of the environment.
pub(crate) fn options(environment: &[(OsString, OsString)], errors: &mut Vec<ConfigError>) -> Vec<Variable> {
    let mut options = Vec::new();
    for (name, value) in environment {
        let Some(name) = name.to_str() else { continue };
        let Some(key) = key_of(name) else { continue };
        let origin = Origin::Environment { variable: name.to_owned() };
        match value.to_str() {
            Some(value) => options.push(Variable { key, value: value.to_owned(), origin }),
            None => errors.push(ConfigError::at(&origin, "expected text in UTF-8")),
        }
    }
    options
}

fn key_of(name: &str) -> Option<String> {
    if NOT_OPTIONS.contains(&name) || name.starts_with(PRIVATE_PREFIX) || name.starts_with(VASSALS_PREFIX) {
        return None;
    }
    let rest = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix))?;
    (!rest.is_empty()).then(|| rest.to_lowercase().replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_fall_and_underscores_turn() {
        assert_eq!(key_of("UWSGI_HTTP_TIMEOUT").as_deref(), Some("http-timeout"));
        assert_eq!(key_of("RHINOD_PROCESSES").as_deref(), Some("processes"));
        assert_eq!(key_of("UWSGI_FOO_BAR").as_deref(), Some("foo-bar"));
    }

    #[test]
    fn private_and_foreign_names_are_no_options() {
        for name in
            ["UWSGI_RELOADS", "UWSGI_EMPEROR_FD", "UWSGI_", "HOME", "UWSGI_VASSAL_IDLE", "RHINOD_INTERNAL_CONTROL"]
        {
            assert_eq!(key_of(name), None, "{name}");
        }
    }
}
