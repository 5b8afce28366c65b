//! From text, command line and environment to one ordered list of directives.
//!
//! Order and precedence are uWSGI's (uWSGI's manual, "How uWSGI parses config files"): environment, then options of the
//! command line, then positional files; a file is read at the place where it is named; the last of equal keys wins when
//! options are applied, which is not done here. This is the order of the whole run; what becomes of an entry is
//! `collector`'s business. Runs in the master, before anything is started; asks the outside only through [`World`].

use std::ffi::OsString;

use super::collected::Collected;
use super::collector::Collector;
use super::files::Role;
use super::{command_line, environment, source};
use crate::config::directive::Origin;
use crate::config::error::{ConfigError, ConfigErrors};
use crate::config::vocabulary::Vocabulary;
use crate::config::world::{Invocation, World};

/// Reads the environment, the command line and every file they name.
///
/// # Errors
/// All errors of the run, not just the first: see [`ConfigError`] for what each of them tells.
pub fn collect(
    invocation: &Invocation,
    vocabulary: &dyn Vocabulary,
    world: &dyn World,
) -> Result<Collected, ConfigErrors> {
    let (collected, errors) = collect_all(invocation, vocabulary, world);
    errors.into_result(collected)
}

/// The same for who wants to see everything even when something is wrong (`rhinod check`): what could be read, and
/// the errors.
pub fn collect_all(
    invocation: &Invocation,
    vocabulary: &dyn Vocabulary,
    world: &dyn World,
) -> (Collected, ConfigErrors) {
    let mut collector = Collector::new(invocation, vocabulary, world);
    collector.read_environment();
    collector.read_command_line(&invocation.arguments);
    collector.tell_of_open_blocks();
    collector.expand();
    collector.read_inherited();
    collector.finish()
}

impl Collector<'_> {
    fn read_environment(&mut self) {
        let mut errors = Vec::new();
        for variable in environment::options(&self.invocation.environment, &mut errors) {
            self.add(&variable.key, Some(&variable.value), &variable.origin);
        }
        errors.into_iter().for_each(|error| self.complain(error));
    }

    fn read_command_line(&mut self, arguments: &[OsString]) {
        let mut errors = Vec::new();
        let line = command_line::parse(arguments, self.vocabulary, &mut errors);
        errors.into_iter().for_each(|error| self.complain(error));
        for (key, value) in &line.options {
            self.add(key, value.as_deref(), &Origin::CommandLine);
        }
        for name in &line.positional {
            self.read_positional(name);
        }
    }

    /// A word without option is a configuration file. Words that begin with a bracket only pad the process title.
    fn read_positional(&mut self, name: &str) {
        if name.starts_with('[') {
            return;
        }
        match source::by_ending(name) {
            Some((format, file, section)) => {
                let opened = self.files.open(format, file, section, Role::Main);
                if let Err(problem) = opened.and_then(|opened| self.take_in(opened)) {
                    self.complain(ConfigError::at(&Origin::CommandLine, format!("{name}: {problem}")));
                }
            }
            None => match named_application(name) {
                Some(options) => {
                    self.named_application = true;
                    for (key, value) in options {
                        self.add(key, Some(value), &Origin::CommandLine);
                    }
                }
                None => {
                    let error = ConfigError::at(&Origin::CommandLine, format!("{name}: expected a configuration file"));
                    self.complain(error.suggest(instead_of_positional(name)));
                }
            },
        }
    }
}

/// The options of an application that is named as gunicorn's users do: `package.module:callable`, `app.py`,
/// `app.py:callable`.
fn named_application(name: &str) -> Option<Vec<(&'static str, &str)>> {
    let is_file = |name: &str| name.ends_with(".py") || name.ends_with(".wsgi");
    if is_file(name) {
        return Some(vec![("wsgi-file", name)]);
    }
    let (place, callable) = name.rsplit_once(':')?;
    match (is_file(place), is_name(callable)) {
        (true, true) => Some(vec![("wsgi-file", place), ("callable", callable)]),
        (false, true) if place.split('.').all(is_name) => Some(vec![("module", name)]),
        _ => None,
    }
}

/// Whether Python could call something so.
fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    let begins = letters.next().is_some_and(|first| first.is_alphabetic() || first == '_');
    begins && letters.all(|letter| letter.is_alphanumeric() || letter == '_')
}

fn instead_of_positional(name: &str) -> String {
    if name == "-" {
        "use --ini - for standard input".to_owned()
    } else if name.contains(':') {
        format!("use --module {name}")
    } else {
        "its name must end in .ini, .yaml, .yml, .json or .js; use --ini for others".to_owned()
    }
}
