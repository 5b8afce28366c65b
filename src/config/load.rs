//! From how the program was called to what it will do: the language, then the table, in one go.
//!
//! Used at the start, at each reload, and by `rhinod check` and `show`. Asks the outside only through [`World`] and
//! [`Surroundings`]. Runs in the master before anything is started.

use std::collections::HashSet;

use super::build::build_all;
use super::directive::{Directive, Origin};
use super::error::{ConfigError, ConfigErrors};
use super::language::{Collected, collect_all};
use super::model::Config;
use super::options::Table;
use super::surroundings::Surroundings;
use super::world::{Invocation, World};

/// Where an application is served that was named by an argument without option, when nothing says where: as gunicorn does.
const ADDRESS: &str = "127.0.0.1:8000";

/// A configuration that can be started.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What the program will do; its notes hold every warning.
    pub config: Config,
    /// What the user said, resolved.
    pub collected: Collected,
}

/// A configuration that cannot.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejected {
    /// Everything that is wrong.
    pub errors: ConfigErrors,
    /// `fallback-config`, when one was named before things went wrong.
    pub fallback: Option<String>,
    /// Whether a file, or another source, could not be read at all.
    pub missed_source: bool,
}

/// A configuration with everything there is to say about it, whether it can be started or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// What the user said, as far as it could be read.
    pub collected: Collected,
    /// What the program would do, with defaults in the place of what is wrong.
    pub config: Config,
    /// Lines that do nothing.
    pub idle: Vec<ConfigError>,
    /// What else the operator should know.
    pub warnings: Vec<ConfigError>,
    /// What stops the start.
    pub errors: ConfigErrors,
    /// What lets it start, but serve nothing; only foresight finds it.
    pub unserved: Vec<ConfigError>,
}

/// Reads the environment, the command line and the files they name, and builds the configuration.
///
/// # Errors
/// All errors of the run, those of the language first.
pub fn load(invocation: &Invocation, world: &dyn World, surroundings: &Surroundings) -> Result<Loaded, Rejected> {
    let reading = read(invocation, world, surroundings);
    if reading.errors.0.is_empty() {
        return Ok(Loaded { config: reading.config, collected: reading.collected });
    }
    let Collected { fallback, missed_source, warnings, .. } = reading.collected;
    // A section that is not there may well be why something is missing, so it is told first.
    let reasons = warnings.into_iter().filter(is_of_whole_file);
    let errors = ConfigErrors(reasons.chain(reading.errors.0).collect());
    Err(Rejected { errors, fallback, missed_source })
}

/// The same, with all that could be read when something is wrong.
pub fn read(invocation: &Invocation, world: &dyn World, surroundings: &Surroundings) -> Reading {
    let (mut collected, mut errors) = collect_all(invocation, &Table, world);
    let (mut built, mut values) = build_all(&collected.directives, surroundings);
    if collected.named_application
        && built.config.sockets.is_empty()
        && surroundings.inherited_sockets.unwrap_or(0) == 0
    {
        collected.directives.push(Directive::new("http-socket", Some(ADDRESS), Origin::CommandLine));
        (built, values) = build_all(&collected.directives, surroundings);
    }
    add_new(&mut errors, values);
    let (unknown, told): (Vec<_>, Vec<_>) = collected.warnings.iter().cloned().partition(is_of_unknown_key);
    let warnings: Vec<ConfigError> = told.into_iter().chain(built.warnings).collect();
    let idle: Vec<ConfigError> = unknown.into_iter().chain(built.idle).collect();
    let mut config = built.config;
    config.magic.clone_from(&collected.magic);
    config.notes = warnings.iter().chain(&idle).map(ToString::to_string).collect();
    Reading { collected, config, idle, warnings, errors, unserved: Vec::new() }
}

/// Adds errors of values to errors of the language. A line that was wrong before is not blamed twice; and what is
/// missing as a whole may well have stood in what could not be read.
fn add_new(errors: &mut ConfigErrors, values: ConfigErrors) {
    let blamed: HashSet<String> = errors.0.iter().map(|error| error.origin.to_string()).collect();
    let all_was_read = errors.0.is_empty();
    errors.0.extend(values.0.into_iter().filter(|error| match (&error.key, &error.origin) {
        (None, _) => all_was_read,
        (Some(_), Origin::CommandLine) => true,
        (Some(_), origin) => !blamed.contains(&origin.to_string()),
    }));
}

/// Whether a warning speaks of a file and not of one of its lines.
fn is_of_whole_file(warning: &ConfigError) -> bool {
    warning.key.is_none() && matches!(warning.origin, Origin::File { line: 0, .. })
}

/// Whether a warning of the language speaks of a key that is no option: the line does nothing.
fn is_of_unknown_key(warning: &ConfigError) -> bool {
    warning.key.as_deref().is_some_and(|key| super::options::find(key).is_none())
}
