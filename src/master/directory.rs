//! The directory that the master stands in, and everybody below it: found anew for each generation, so that a link that a
//! deployment has switched leads to the new release. Master only.
//!
//! Which directory that is, the configuration says (`config::model`). What is relative to it is resolved by standing there:
//! the master has one thread, so that nobody else notices when it goes to another place for a moment.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{AtFlags, OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::{AccessFlags, faccessat, fchdir};

use super::upgrade::start_directory;
use crate::config::model::Config;
use crate::failure::StartFailure;

/// A directory that is not the one where the master stands.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    open: OwnedFd,
}

/// Where a configuration is to be brought into force.
#[derive(Debug)]
pub(super) enum Destination {
    /// Where the master stands.
    Here,
    /// Elsewhere.
    There(Directory),
    /// Where the master stands, because the right place cannot be looked up any more; why.
    Unknown(String),
}

impl Destination {
    /// Looks up the directory of a configuration.
    ///
    /// # Errors
    /// When there is no such directory, or nobody may go there.
    pub(super) fn of(config: &Config, in_force: &Config) -> Result<Self, StartFailure> {
        let start = start_directory().map_err(|error| StartFailure::system("tell the start directory", &error))?;
        let path = config.directory(&start);
        match look(&path) {
            Ok((open, true)) => Ok(Self::There(Directory { path, open })),
            Ok((_, false)) => Ok(Self::Here),
            Err(error) => {
                // Who has dropped privileges may stand where he could not go, and nobody has asked for another place.
                let is_given = path == start;
                let is_hidden = error.kind() == io::ErrorKind::PermissionDenied && path == in_force.directory(&start);
                let why = format!("cannot change to {}: {error}", path.display());
                if is_given || is_hidden {
                    Ok(Self::Unknown(why))
                } else {
                    Err(StartFailure::configuration(why).about("chdir"))
                }
            }
        }
    }
}

/// Opens a directory. Whether it is another one than where this process stands.
fn look(path: &Path) -> io::Result<(OwnedFd, bool)> {
    let there = open_directory(path)?;
    faccessat(&there, ".", AccessFlags::X_OK, AtFlags::AT_EACCESS)?;
    let (found, own) = (identity(&there)?, identity(&open_directory(Path::new("."))?)?);
    Ok((there, found != own))
}

fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    Ok(open(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?)
}

fn identity(open: &OwnedFd) -> io::Result<(u64, u64)> {
    let found = File::from(open.try_clone()?).metadata()?;
    Ok((found.dev(), found.ino()))
}

impl Directory {
    /// Goes there for good.
    pub(super) fn enter(&self) -> io::Result<()> {
        let path = self.path.display();
        fchdir(self.open.as_fd()).map_err(|error| io::Error::other(format!("cannot change to {path}: {error}")))
    }

    /// Does something there, and comes back. `None`: where the master stands.
    ///
    /// # Errors
    /// When the way there is closed meanwhile; nothing was done then.
    pub(super) fn within<T>(place: Option<&Self>, act: impl FnOnce() -> T) -> io::Result<T> {
        let Some(there) = place else { return Ok(act()) };
        let here = open_directory(Path::new("."))?;
        there.enter()?;
        let done = act();
        if let Err(error) = fchdir(here.as_fd()) {
            log::error!("the master cannot go back to its directory and stays in {}: {error}", there.path.display());
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_another_one_when_it_has_been_replaced() {
        let base = tempfile::tempdir().unwrap();
        let [one, two, link] = ["one", "two", "link"].map(|name| base.path().join(name));
        std::fs::create_dir(&one).unwrap();
        std::fs::create_dir(&two).unwrap();
        std::os::unix::fs::symlink(&one, &link).unwrap();
        let seen = |path: &Path| identity(&open_directory(path).unwrap()).unwrap();
        assert_eq!(seen(&link), seen(&one));
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&two, &link).unwrap();
        assert_eq!(seen(&link), seen(&two));
        assert_eq!(look(&one.join("gone")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(!look(Path::new(".")).unwrap().1);
    }
}
