//! `cheaper-log`: the file that each decision on the number of workers goes to, for `rhinod simulate --replay`.
//!
//! Not for what a line says (`scaling::decision_log`). Master only.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::passed::Passed;
use crate::config::ground::Access;
use crate::failure::StartFailure;
use crate::hindrance::explain;
use crate::scaling::decision_log::{Record, json_line};
use crate::sys::files::{Place, leads_to};

/// The open file.
#[derive(Debug)]
pub(super) struct DecisionFile {
    /// Absolute, since the working directory changes.
    path: PathBuf,
    file: File,
    /// Whether it was not there before.
    made: bool,
    /// Whether the last write failed: told once, not at each decision.
    failing: bool,
}

/// The file on its way to the next image of the master.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DecisionFileHandover {
    path: PathBuf,
    descriptor: Passed,
}

impl DecisionFile {
    /// Opens the file for appending, creating it if need be. A path is relative to the current directory.
    pub(super) fn open(path: &Path) -> Result<Self, StartFailure> {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let made = !absolute.exists();
        match crate::logging::append_at_once(&absolute) {
            Ok(file) => Ok(Self { path: absolute, file, made, failing: false }),
            Err(error) => {
                let error = explain(&absolute, Access::Write, &error);
                let message = format!("cannot open the log of decisions {}: {error}", path.display());
                Err(StartFailure::file(message).about("cheaper-log"))
            }
        }
    }

    /// Whether its name still leads to it.
    pub(super) fn is_at_its_name(&self) -> bool {
        leads_to(&self.path, &self.file)
    }

    /// Opens it anew by its name, for logrotate. On a failure the file stays the one it was.
    pub(super) fn reopen(&mut self) -> Result<(), StartFailure> {
        *self = Self::open(&self.path)?;
        Ok(())
    }

    /// Removes it if it was made for this: for a start or a reload that fails.
    pub(super) fn withdraw(self) {
        if self.made {
            // Best effort: the failure itself is what the operator must read.
            let _ = Place::of(&self.path).and_then(|place| place.remove_if(|_| true));
        }
    }

    /// Appends a line with one write.
    pub(super) fn write(&mut self, record: &Record) {
        let written = json_line(record).map_err(io::Error::from).and_then(|mut line| {
            line.push('\n');
            self.file.write_all(line.as_bytes())
        });
        if let Err(error) = &written
            && !self.failing
        {
            log::error!("cannot write to the log of decisions {}: {error}", self.path.display());
        }
        self.failing = written.is_err();
    }

    /// Lets it pass to the next image.
    pub(super) fn hand_over(&self) -> io::Result<DecisionFileHandover> {
        Ok(DecisionFileHandover { path: self.path.clone(), descriptor: Passed::on(&self.file)? })
    }

    /// Takes it over from the image before.
    pub(super) fn adopt(handover: DecisionFileHandover) -> io::Result<Self> {
        let file = File::from(handover.descriptor.take()?);
        Ok(Self { path: handover.path, file, made: false, failing: false })
    }
}
