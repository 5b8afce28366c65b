//! Pid files: written for tools that look for the master, removed if they are still ours. Master only.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::config::ground::Access;
use crate::config::model;
use crate::failure::StartFailure;
use crate::hindrance::explain;
use crate::sys::files::{Place, open_regular, write_text};

/// The pid files that this master has written, by absolute path.
#[derive(Debug, Default)]
pub(super) struct PidFiles(Vec<PathBuf>);

/// What a reload finds of the pid files that it is to bring.
#[derive(Debug, Default)]
pub(super) struct Followed {
    pub(super) all: PidFiles,
    pub(super) written: PidFiles,
    pub(super) left: Vec<String>,
}

impl PidFiles {
    /// Writes one; a path is relative to the current directory.
    pub(super) fn write(&mut self, path: &Path) -> Result<(), StartFailure> {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        // Whatever the umask is: who may write to the file says whom others kill.
        write_text(&absolute, &format!("{}\n", std::process::id()), 0o644).map_err(|error| {
            let error = explain(&absolute, Access::Write, &error);
            StartFailure::file(format!("cannot write the pid file {}: {error}", path.display()))
        })?;
        if !self.0.contains(&absolute) {
            self.0.push(absolute);
        }
        Ok(())
    }

    /// Writes those that are meant to appear only once workers serve.
    pub(super) fn write_safe(&mut self, wanted: &model::PidFiles) -> Result<(), StartFailure> {
        for path in [&wanted.safe_pidfile2, &wanted.safe_pidfile].into_iter().flatten() {
            self.write(path)?;
        }
        Ok(())
    }

    /// Writes those of a configuration that are not there yet, each where its path leads now. All of them are returned,
    /// those that were written for it, and what cannot be had although it was there once.
    ///
    /// # Errors
    /// When one that is new cannot be written. Nothing is left of the others then.
    pub(super) fn follow(&self, wanted: &model::PidFiles, start: &Path) -> Result<Followed, StartFailure> {
        let mut followed = Followed::default();
        let model::PidFiles { pidfile, pidfile2, safe_pidfile, safe_pidfile2 } = wanted;
        let pidfile = pidfile.as_ref().map(|path| start.join(path));
        let named = [("pidfile", &pidfile), ("pidfile2", pidfile2)];
        let safe = [("safe-pidfile", safe_pidfile), ("safe-pidfile2", safe_pidfile2)];
        for (option, path) in named.into_iter().chain(safe).filter_map(|(option, path)| Some((option, path.as_ref()?)))
        {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            let (is_known, is_there) = (self.0.contains(&path), is_ours(&path));
            let written = if is_known && is_there { Ok(()) } else { followed.written.write(&path) };
            match written {
                Err(failure) if is_known => followed.left.push(failure.message),
                Err(failure) => {
                    followed.written.withdraw();
                    return Err(failure.about(option));
                }
                Ok(()) => {}
            }
            followed.all.0.push(path);
        }
        Ok(followed)
    }

    /// Goes on with others, and removes those that are not among them.
    pub(super) fn give_way_to(&mut self, others: PidFiles) {
        let old = std::mem::replace(self, others);
        PidFiles(old.0.into_iter().filter(|path| !self.0.contains(path)).collect()).withdraw();
    }

    /// Goes on with those that the image before has written.
    pub(super) fn adopt(paths: Vec<PathBuf>) -> Self {
        Self(paths)
    }

    /// Their paths.
    pub(super) fn paths(&self) -> &[PathBuf] {
        &self.0
    }

    /// Writes all of them again (fifo `P`).
    pub(super) fn rewrite(&mut self) -> Result<(), StartFailure> {
        for path in self.0.clone() {
            self.write(&path)?;
        }
        Ok(())
    }

    /// Removes those that still hold our pid, without a word: for a start that fails.
    pub(super) fn withdraw(&mut self) {
        for path in self.0.drain(..).filter(|path| is_ours(path)) {
            // Best effort: the failure itself is what the operator must read.
            let _ = remove(&path);
        }
    }

    /// Removes those that still hold our pid.
    pub(super) fn remove(&mut self) {
        for path in self.0.drain(..) {
            if is_ours(&path) {
                match remove(&path) {
                    Ok(()) => log::info!("VACUUM: pidfile removed."),
                    Err(error) => log::warn!("VACUUM: cannot remove {}: {error}", path.display()),
                }
            }
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    Place::of(path)?.remove_if(|_| true).map(|_| ())
}

fn is_ours(path: &Path) -> bool {
    // More than a number can be long.
    let text = open_regular(path).and_then(|file| io::read_to_string(file.take(64)));
    text.is_ok_and(|text| text.trim() == std::process::id().to_string())
}
