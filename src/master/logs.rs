//! Where the lines of a running instance go: files opened anew for logrotate, and moved by a reload. Master only.

use std::fs::File;

use super::Driver;
use super::decisions::DecisionFile;

impl Driver<'_> {
    /// Opens anew by their names the files that lines are added to: the log, into which everyone below writes as well,
    /// and the record of decisions.
    pub(super) fn reopen_logs(&mut self) {
        let recording = self.scaler.recording();
        if self.config.log_file().is_none() && recording.is_none() {
            log::warn!("there is no log to open anew: it is in no file that the configuration names");
        }
        if let Some(Err(error)) = recording.map(DecisionFile::reopen) {
            log::error!("{error}");
        }
        let Some(path) = self.config.log_file() else { return };
        let reopened = crate::logging::reopen(path, &self.config.logging, |file| self.children.log_to(file));
        if let Err(error) = reopened {
            log::error!("the log goes on where it was: cannot open {}: {error}", path.display());
        }
    }

    /// Moves the log to another file, for the master and everyone below.
    pub(super) fn log_into(&self, file: &File) {
        if let Err(error) = crate::sys::process::redirect_output(file) {
            log::error!("the master goes on logging where it did: {error}");
        }
        self.children.log_to(file);
    }
}
