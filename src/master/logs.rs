//! Where the lines of a running instance go: files opened anew for logrotate, and moved by a reload. Master only.

use std::fs::File;

use super::candidate::NewLog;
use super::decisions::DecisionFile;
use super::driver::Driver;

impl Driver<'_> {
    /// Opens anew by their names the files that lines are added to: the log, into which everyone below writes as well,
    /// and the record of decisions.
    pub(super) fn reopen_logs(&mut self) {
        let config = &self.in_force.config;
        let recording = self.in_force.decisions.as_mut();
        if config.log_file().is_none() && recording.is_none() {
            log::warn!("there is no log to open anew: it is in no file that the configuration names");
        }
        if let Some(Err(error)) = recording.map(DecisionFile::reopen) {
            log::error!("{error}");
        }
        let Some(path) = config.log_file() else { return };
        match crate::logging::open_at_once(path, &config.logging) {
            Ok(file) => self.go_on_in(&file),
            Err(error) => log::error!("the log goes on where it was: cannot open {}: {error}", path.display()),
        }
    }

    /// Moves the log, for the master and everyone below, to the file that a reload has opened for it.
    pub(super) fn take_log(&self, log: &NewLog) {
        match log {
            NewLog::Reopened(file) => self.go_on_in(file),
            NewLog::Moved(file) => {
                if let Err(error) = crate::sys::process::redirect_output(file) {
                    log::error!("the master goes on logging where it did: {error}");
                }
                self.children.log_to(file);
            }
        }
    }

    /// Goes on in the file that has the log's name now.
    fn go_on_in(&self, file: &File) {
        let Some(path) = self.in_force.config.log_file() else { return };
        if let Err(error) = crate::logging::reopen(path, file, || self.children.log_to(file)) {
            log::error!("the log goes on where it was: {error}");
        }
    }
}
