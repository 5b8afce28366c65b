//! Where the lines of a running instance go: files opened anew for logrotate, and moved by a reload; collectors that follow
//! one another. Master only.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use super::candidate::NewLog;
use super::collecting::Collecting;
use super::decisions::DecisionFile;
use super::driver::Driver;
use super::machine::{ExitStatus, ProcessId};
use crate::sys::process::redirect_output;

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
    pub(super) fn take_log(&mut self, log: &NewLog) {
        match log {
            NewLog::Reopened(file) => self.go_on_in(file),
            NewLog::Moved(file) => {
                if let Err(error) = redirect_output(file) {
                    log::error!("the master goes on logging where it did: {error}");
                }
                self.have_all_log_to(file);
            }
        }
    }

    /// Goes on in the file that has the log's name now.
    fn go_on_in(&mut self, file: &File) {
        let Some(path) = self.in_force.config.log_file().map(Path::to_owned) else { return };
        let moved = match &self.in_force.collecting {
            Some(collecting) => {
                crate::logging::leave(collecting.beneath());
                let moved = file.try_clone().and_then(|file| self.collect_anew(file));
                moved.inspect(|()| crate::logging::arrive(&path))
            }
            None => crate::logging::reopen(&path, file, || self.have_all_log_to(file)),
        };
        if let Err(error) = moved {
            log::error!("the log goes on where it was: {error}");
        }
    }

    /// Has everybody below write there.
    fn have_all_log_to(&mut self, file: &File) {
        self.children.log_to(file);
        self.attendants.log_to(file.as_fd());
    }

    /// Begins another collector in the place of one that has ended. False: a process that has ended is not it.
    pub(super) fn take_collector_end(&mut self, pid: ProcessId, status: ExitStatus) -> bool {
        if !self.in_force.collecting.as_mut().is_some_and(|collecting| collecting.takes_end_of(pid)) {
            return false;
        }
        log::error!("the collector of the log (pid {pid}) {status}; another one follows, and what waits is not lost");
        self.mind_collector();
        true
    }

    /// When another collector is due.
    pub(super) fn collector_due_us(&self) -> Option<u64> {
        self.in_force.collecting.as_ref().and_then(Collecting::due_us)
    }

    /// Begins the collector that is due.
    pub(super) fn mind_collector(&mut self) {
        let in_force = &mut self.in_force;
        let Some(collecting) = &mut in_force.collecting else { return };
        if let Err(error) = collecting.go_on(&in_force.config.logging) {
            log::error!("there is no collector of the log: {error}");
        }
    }

    /// Has everybody write to a new collector, with another file beneath it.
    ///
    /// # Errors
    /// What the system says; the one before then goes on.
    pub(super) fn collect_anew(&mut self, beneath: File) -> io::Result<()> {
        let new = Collecting::begin(&self.in_force.config.logging, beneath)?;
        redirect_output(new.pipe())?;
        self.have_all_log_to(new.pipe());
        self.in_force.collecting = Some(new);
        Ok(())
    }

    /// The instance ends: its last lines shall be where they belong.
    pub(super) fn finish_collecting(&mut self) {
        if let Some(collecting) = self.in_force.collecting.take() {
            collecting.finish();
        }
    }
}
