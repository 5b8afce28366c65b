//! Files that a privileged master writes where others may have been before it: opened step by step, so that no link that
//! another user has made leads it elsewhere. Master, and whoever opens a log.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use nix::unistd::Uid;

/// Most links of a path, as in the kernel.
const LINKS_MAX: usize = 40;

/// Opens a file for writing and makes it where it is missing, never cut short. For root: where a directory belongs to
/// another user, or others may write to it, only root's own links are followed, and at their end must be a regular file
/// that has no second name.
///
/// # Errors
/// What the system says, and what is not followed.
pub fn open_to_write(path: &Path, flags: OFlag, mode: u32) -> io::Result<File> {
    let flags = flags | OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_CLOEXEC;
    let mode = Mode::from_bits_truncate(mode);
    if !Uid::effective().is_root() {
        return Ok(open(path, flags, mode)?.into());
    }
    let here = open(".", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    walk(here, path, flags, mode)
}

fn walk(mut directory: OwnedFd, path: &Path, flags: OFlag, mode: Mode) -> io::Result<File> {
    let steps_flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut rest = path.to_owned();
    for _ in 0..LINKS_MAX * 8 {
        if rest.is_absolute() {
            directory = open("/", steps_flags, Mode::empty())?;
        }
        let (name, behind) = first_name(&rest).ok_or(Errno::EISDIR)?;
        let is_last = behind.as_os_str().is_empty();
        let is_foreign = is_foreign(&fstat(&directory)?);
        // What /proc shows as links are none that could be read and followed by hand.
        let follow =
            if fstatfs(&directory)?.filesystem_type() == PROC_SUPER_MAGIC { OFlag::empty() } else { OFlag::O_NOFOLLOW };
        // A fifo that somebody has put there keeps nobody waiting.
        let patience = if is_foreign { OFlag::O_NONBLOCK } else { OFlag::empty() };
        let how = if is_last { flags | patience } else { steps_flags };
        match openat(&directory, &name, how | follow, mode) {
            Ok(opened) if is_last => {
                if is_foreign {
                    judge(&fstat(&opened)?)?;
                }
                return Ok(opened.into());
            }
            Ok(opened) => (directory, rest) = (opened, behind),
            Err(Errno::ELOOP | Errno::ENOTDIR) => {
                rest = target(&directory, &name, is_foreign)?.join(behind);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(Errno::ELOOP.into())
}

/// The first name of a path, and what is behind it.
fn first_name(path: &Path) -> Option<(PathBuf, PathBuf)> {
    use std::path::Component;
    let mut parts = path.components().filter(|part| !matches!(part, Component::RootDir | Component::CurDir));
    let first = PathBuf::from(parts.next()?.as_os_str());
    Some((first, parts.collect()))
}

/// Where a link leads. Found by what was opened, so that nobody can put another one there in between.
fn target(directory: &impl AsFd, name: &Path, is_foreign: bool) -> io::Result<PathBuf> {
    let link = openat(directory, name, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())?;
    let found = fstat(&link)?;
    if kind(&found) != SFlag::S_IFLNK {
        return Err(Errno::ENOTDIR.into());
    }
    if is_foreign && found.st_uid != 0 {
        let (name, user) = (name.display(), found.st_uid);
        return Err(io::Error::other(format!(
            "{name} is a link that user {user} has made, which root does not follow"
        )));
    }
    Ok(readlinkat(&link, "")?.into())
}

/// Whether others than root can put something into a directory.
fn is_foreign(directory: &FileStat) -> bool {
    directory.st_uid != 0 || directory.st_mode & 0o022 != 0
}

fn judge(found: &FileStat) -> io::Result<()> {
    if kind(found) != SFlag::S_IFREG {
        return Err(io::Error::other("it is no regular file, and lies where others may write"));
    }
    if found.st_nlink > 1 {
        return Err(io::Error::other("it has a second name elsewhere, and lies where others may write"));
    }
    Ok(())
}

fn kind(found: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, chown, lchown, symlink};

    use super::*;

    const NOBODY: u32 = 65_534;

    fn opened(path: &Path) -> io::Result<File> {
        open_to_write(path, OFlag::O_APPEND, 0o644)
    }

    #[test]
    fn root_follows_its_own_links_and_nobody_elses() {
        if !Uid::effective().is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let (theirs, victim) = (directory.path().join("theirs"), directory.path().join("victim"));
        fs::create_dir(&theirs).unwrap();
        fs::write(&victim, "precious").unwrap();
        for name in ["link", "own-link", "way", "own-way"] {
            let to = if name.ends_with("way") { directory.path() } else { &victim };
            symlink(to, theirs.join(name)).unwrap();
        }
        fs::hard_link(&victim, theirs.join("second-name")).unwrap();
        for name in ["link", "way"] {
            lchown(theirs.join(name), Some(NOBODY), None).unwrap();
        }
        chown(&theirs, Some(NOBODY), None).unwrap();
        nix::unistd::mkfifo(&theirs.join("fifo"), Mode::S_IRWXU).unwrap();
        for refused in ["link", "way/victim", "way/new", "second-name", "fifo"] {
            assert!(opened(&theirs.join(refused)).is_err(), "{refused}");
        }
        assert!(!directory.path().join("new").exists());
        fs::remove_file(theirs.join("second-name")).unwrap();
        let victims = fs::metadata(&victim).unwrap().ino();
        for followed in ["own-link", "own-way/victim", "../victim", "./own-way/theirs/own-link"] {
            assert_eq!(opened(&theirs.join(followed)).unwrap().metadata().unwrap().ino(), victims, "{followed}");
        }
        assert!(opened(&theirs.join("fresh")).unwrap().metadata().unwrap().is_file());
        opened(Path::new("/dev/null")).unwrap();
        opened(Path::new("/proc/self/fd/2")).unwrap();
    }
}
