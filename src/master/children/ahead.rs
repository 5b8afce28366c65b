//! What zygotes are executed from, opened ahead: as root, before the master becomes a user who may not go to where it lies
//! (a checkout in root's home). It is then executed by its descriptor. Master only.
//!
//! Only what still lies where it was opened: once something else may be in its place, which such a user cannot see, the
//! name alone counts, and a reload says which directory is closed to whom.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::upgrade::own_path;
use super::interpreter;
use crate::config::ground::Who;
use crate::config::model::{Application, Config};
use crate::hindrance::is_closed_to;

/// A file that was opened ahead.
pub(super) struct Kept {
    file: File,
    path: PathBuf,
}

impl Kept {
    /// Where a link leads elsewhere later, nobody would see it: links are left to their names.
    fn open(path: &Path) -> Option<Self> {
        let real = path.canonicalize().ok()?;
        if real != std::path::absolute(path).ok()? {
            return None;
        }
        let file = File::options().read(true).custom_flags(libc::O_PATH).open(&real).ok()?;
        Some(Self { file, path: real })
    }

    /// A name that leads to it without the directories that it lies in, for somebody who may not go there.
    pub(super) fn name_for(&self, who: Who<'_>) -> Option<PathBuf> {
        self.name_where(|path| is_closed_to(who, path))
    }

    /// The same, for who finds the way closed or not.
    fn name_where(&self, is_closed: impl FnOnce(&Path) -> bool) -> Option<PathBuf> {
        let name = PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()));
        let lies_there = name.read_link().is_ok_and(|path| path == self.path);
        (lies_there && is_closed(&self.path)).then_some(name)
    }
}

impl AsFd for Kept {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// What was opened ahead for one configuration.
#[derive(Default)]
pub(in crate::master) struct Ahead {
    pub(super) own: Option<Kept>,
    pub(super) rust_app: Option<Kept>,
    pub(super) extension: Option<Kept>,
}

impl Ahead {
    /// Opens what there is, with the rights of the moment.
    pub(in crate::master) fn open(config: &Config) -> Self {
        let own_path = own_path().ok();
        let mut ahead = Self::default();
        match &config.application {
            Application::Embedded => ahead.own = own_path.as_deref().and_then(Kept::open),
            Application::Rust(path) => ahead.rust_app = Kept::open(path),
            Application::Python(_) => {
                let extension = own_path.and_then(|own| interpreter::extension(&own).ok());
                ahead.extension = extension.as_deref().and_then(Kept::open);
            }
        }
        ahead
    }
}

/// A command for a program, by what was opened of it where its name is closed to who executes it.
pub(super) fn command(path: &Path, kept: Option<&Kept>, who: Who<'_>) -> Command {
    match kept.and_then(|kept| kept.name_for(who)) {
        Some(name) => {
            let mut command = Command::new(name);
            command.arg0(path);
            command
        }
        None => Command::new(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_elsewhere_by_now_or_behind_a_link_has_no_name() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        let (program, link) = (base.join("program"), base.join("link"));
        std::fs::write(&program, "").unwrap();
        std::os::unix::fs::symlink(&program, &link).unwrap();
        assert!(Kept::open(&link).is_none() && Kept::open(&base.join("nothing")).is_none());
        let kept = Kept::open(&program).unwrap();
        assert_eq!(kept.name_for(Who::Starter), None, "it can be reached by its own name");
        // Nobody is asked as whom others would be here: that is for a process with one thread.
        assert!(kept.name_where(|_| true).is_some_and(|name| name.starts_with("/proc/self/fd")));
        std::fs::rename(&program, base.join("old")).unwrap();
        std::fs::write(&program, "new").unwrap();
        assert_eq!(kept.name_where(|_| true), None);
    }
}
