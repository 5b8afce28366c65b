//! What foresight finds out, each with the line of the configuration that it is about. Pure; runs in `rhinod check`.

use std::path::{Path, PathBuf};

use super::way::{Obstacle, Ways};
use crate::config::directive::{Directive, Origin};
use crate::config::error::ConfigError;
use crate::config::ground::Who;
use crate::config::load::Reading;
use crate::config::model::Config;
use crate::config::options;
use crate::config::subject::Subject;

/// What there is to look at, and what has been found.
pub(super) struct Findings<'a> {
    pub(super) ways: Ways<'a>,
    pub(super) config: &'a Config,
    directives: &'a [Directive],
    /// The directory that rhinod is started in.
    pub(super) start: &'a Path,
    /// The directory that the instance changes to.
    pub(super) chdir: PathBuf,
    /// Whom the instance becomes; `None` where nobody can look as that user.
    pub(super) server: Option<Who<'a>>,
    /// Who binds sockets and changes directory: with `chown-socket` that is done before the user is taken on.
    pub(super) binder: Option<Who<'a>>,
    pub(super) errors: Vec<ConfigError>,
    /// What keeps the application from being loaded, where the instance starts all the same.
    pub(super) unserved: Vec<ConfigError>,
    pub(super) warnings: Vec<ConfigError>,
}

impl<'a> Findings<'a> {
    pub(super) fn begin(reading: &'a Reading, ways: Ways<'a>, start: &'a Path) -> Self {
        let identity = &reading.config.identity;
        Findings {
            ways,
            config: &reading.config,
            directives: &reading.collected.directives,
            start,
            chdir: identity.chdir.as_ref().map_or_else(|| start.to_owned(), |chdir| start.join(chdir)),
            server: None,
            binder: None,
            errors: Vec::new(),
            unserved: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The last line of an option whose value satisfies something.
    pub(super) fn line(&self, option: &str, fits: impl Fn(&str) -> bool) -> Option<&'a Directive> {
        let gives = |directive: &&Directive| options::find(&directive.key).is_some_and(|found| found.name == option);
        let fits = |directive: &&Directive| fits(directive.value.as_deref().unwrap_or_default());
        self.directives.iter().filter(gives).rfind(fits)
    }

    /// The last line that gives something.
    pub(super) fn give(&self, subject: &Subject) -> Option<&'a Directive> {
        subject.line(self.directives)
    }

    /// Notes what stops the start, at the last line of an option.
    pub(super) fn blame(&mut self, option: &str, problem: impl Into<String>, remedy: impl Into<String>) {
        self.blame_line(self.line(option, |_| true), problem, remedy);
    }

    /// The same at a line.
    pub(super) fn blame_line(
        &mut self,
        line: Option<&Directive>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.errors.push(complaint(line, problem).suggest(remedy));
    }

    /// Notes what keeps the application from being loaded: with `need-app` that stops the start.
    pub(super) fn blame_application(
        &mut self,
        line: Option<&Directive>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let complaints = if self.config.need_app { &mut self.errors } else { &mut self.unserved };
        complaints.push(complaint(line, problem).suggest(remedy));
    }

    /// Notes what does not stop the start, at a line.
    pub(super) fn mention(&mut self, line: Option<&Directive>, problem: impl Into<String>, remedy: impl Into<String>) {
        self.warnings.push(complaint(line, problem).suggest(remedy));
    }

    /// Notes what stands in the way to something that an option names.
    pub(super) fn blame_obstacle(&mut self, line: Option<&Directive>, obstacle: &Obstacle) {
        self.blame_line(line, obstacle.to_string(), obstacle.remedy());
    }
}

fn complaint(line: Option<&Directive>, problem: impl Into<String>) -> ConfigError {
    match line {
        Some(line) => ConfigError::about(line, problem),
        None => ConfigError::at(&Origin::CommandLine, problem),
    }
}
