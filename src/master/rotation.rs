//! Moving the log away and going on in a new file of its name: `log-maxsize`, `touch-logrotate`, fifo `L` (uWSGI's manual,
//! "Logging"). Master only.
//!
//! Differs from uWSGI where that is at fault: nothing that is there is overwritten, the new file is appended to, and what goes
//! wrong leaves the log where it was.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::stat::fstat;

use super::driver::Driver;
use crate::sys::clock::{epoch_us, monotonic_us};

/// Most names that are tried before it is given up.
const NAMES_MAX: u32 = 1_000;

impl Driver<'_> {
    /// Looks at how large the log is, if that is due, and moves it away if it is too large.
    pub(super) fn watch_log_size(&mut self) {
        let logging = &self.in_force.config.logging;
        let (Some(most), true) = (logging.size_max, self.in_force.config.log_file().is_some()) else {
            return self.log_size.rest();
        };
        let now_us = monotonic_us();
        if self.log_size.due_us().is_some_and(|look_us| look_us > now_us) {
            return;
        }
        let bytes = self.size_of_log();
        self.log_size.looked(now_us, bytes);
        if bytes > most {
            self.rotate_log();
        }
    }

    /// Moves the log away, and has everybody go on in a new file of its name.
    pub(super) fn rotate_log(&mut self) {
        let config = &self.in_force.config;
        let Some(path) = config.log_file() else {
            return log::warn!("there is no log to move away: it is in no file that the configuration names");
        };
        let wanted = config.logging.backup.clone().unwrap_or_else(|| with_ending(path, epoch_us() / 1_000_000));
        match move_away(path, &wanted) {
            Ok(backup) => {
                log::info!("logsize: {}, triggering rotation to {}...", self.size_of_log(), backup.display());
                self.reopen_logs();
            }
            Err(error) => log::error!("the log stays where it is: cannot move {} away: {error}", path.display()),
        }
    }

    fn size_of_log(&self) -> u64 {
        let found = match &self.in_force.collecting {
            Some(collecting) => fstat(collecting.beneath()),
            None => fstat(io::stderr().as_fd()),
        };
        found.map_or(0, |found| found.st_size.try_into().unwrap_or(0))
    }
}

/// Renames a file to a name that nothing has; with a number if need be. Returns the name.
fn move_away(path: &Path, wanted: &Path) -> io::Result<PathBuf> {
    let numbered = (1..NAMES_MAX).map(|number| with_ending(wanted, number.into()));
    for name in std::iter::once(wanted.to_owned()).chain(numbered) {
        match renameat2(AT_FDCWD, path, AT_FDCWD, &name, RenameFlags::RENAME_NOREPLACE) {
            Ok(()) => return Ok(name),
            Err(Errno::EEXIST) => {}
            // Some file systems do not look and rename in one step (rename(2)).
            Err(Errno::EINVAL) if name.symlink_metadata().is_err() => {
                return std::fs::rename(path, &name).map(|()| name);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::Error::other(format!("{} and the names after it are taken", wanted.display())))
}

fn with_ending(path: &Path, number: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_there_is_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let (log, backup) = (directory.path().join("log"), directory.path().join("old"));
        for (round, expected) in [(1, "old"), (2, "old.1"), (3, "old.2")] {
            std::fs::write(&log, format!("{round}")).unwrap();
            assert_eq!(move_away(&log, &backup).unwrap(), directory.path().join(expected));
            assert_eq!(std::fs::read_to_string(directory.path().join(expected)).unwrap(), format!("{round}"));
        }
        assert!(move_away(&log, &backup).is_err(), "there is none to move");
    }
}
