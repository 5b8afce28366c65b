//! Files of tasks in directories into which others may write: opened in one directory whatever becomes of its path, through no
//! link, locked for as long as they are open, and changed and removed there. Whoever writes tasks, and spoolers.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, FcntlArg, OFlag, fcntl, openat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, futimens, mkdirat};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, unlinkat};

/// What is opened in the directory, and how: no link is followed, and nothing is waited for.
const INSIDE: OFlag = OFlag::O_NOFOLLOW.union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY).union(OFlag::O_CLOEXEC);

/// Only for the user who has made it.
const PRIVATE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// A directory of tasks.
#[derive(Debug)]
pub struct TaskDirectory(OwnedFd);

/// A task's file.
#[derive(Debug)]
pub struct TaskFile {
    file: File,
    found: FileStat,
}

impl TaskDirectory {
    /// Opens one. `through_links`: a link may stand in its place.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path, through_links: bool) -> io::Result<Self> {
        let last = if through_links { OFlag::empty() } else { OFlag::O_NOFOLLOW };
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | last;
        Ok(Self(openat(AT_FDCWD, path, flags, Mode::empty())?))
    }

    /// The file of this name; `None`: there is none, or no regular one.
    ///
    /// # Errors
    /// What the system says.
    pub fn find(&self, name: &OsStr) -> io::Result<Option<TaskFile>> {
        let opened = match openat(&self.0, name, OFlag::O_RDWR | INSIDE, Mode::empty()) {
            Ok(opened) => opened,
            Err(Errno::ENOENT | Errno::ELOOP | Errno::EISDIR | Errno::ENXIO) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let found = fstat(&opened)?;
        let is_regular = SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG;
        Ok(is_regular.then(|| TaskFile { file: File::from(opened), found }))
    }

    /// Whether there is anything of this name.
    ///
    /// # Errors
    /// What the system says.
    pub fn has(&self, name: &OsStr) -> io::Result<bool> {
        match fstatat(&self.0, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes a file that there is not yet, for this user only, and locks it: who dies before it has another name leaves one
    /// that nobody holds.
    ///
    /// # Errors
    /// What the system says.
    pub fn make(&self, name: &str) -> io::Result<TaskFile> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | INSIDE;
        let made = openat(&self.0, name, flags, PRIVATE)?;
        let found = fstat(&made)?;
        let file = TaskFile { file: File::from(made), found };
        // Where there are no locks, nobody takes it for one that was left.
        file.lock();
        Ok(file)
    }

    /// Gives a file another name.
    ///
    /// # Errors
    /// What the system says.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(renameat(&self.0, from, &self.0, to)?)
    }

    /// A directory in this one, which is made where it is missing.
    ///
    /// # Errors
    /// What the system says, and when there is something else in its place.
    pub fn inside(&self, name: &str) -> io::Result<Self> {
        match mkdirat(&self.0, name, Mode::from_bits_truncate(0o777)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(Self(openat(&self.0, name, flags, Mode::empty())?))
    }

    /// Moves a file into another directory.
    ///
    /// # Errors
    /// What the system says.
    pub fn move_to(&self, name: &OsStr, other: &Self) -> io::Result<()> {
        Ok(renameat(&self.0, name, &other.0, name)?)
    }

    /// Removes a file; one that is not there is as good.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        match unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What stands in a short file; nothing where there is none.
    pub fn read_note(&self, name: &OsStr) -> Vec<u8> {
        let mut text = Vec::new();
        if let Ok(opened) = openat(&self.0, name, OFlag::O_RDONLY | INSIDE, Mode::empty()) {
            // What cannot be read says nothing.
            let _ = File::from(opened).take(NOTE_BYTES_MAX).read_to_end(&mut text);
        }
        text
    }

    /// Writes a short file in the place of what was there.
    ///
    /// # Errors
    /// What the system says.
    pub fn write_note(&self, name: &OsStr, text: &str) -> io::Result<()> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC | INSIDE;
        File::from(openat(&self.0, name, flags, PRIVATE)?).write_all(text.as_bytes())
    }
}

/// Longer than any note.
const NOTE_BYTES_MAX: u64 = 4_096;

impl TaskFile {
    /// Locks it, as uWSGI does, until it is closed. False: somebody else has locked it, or it has lost its name meanwhile.
    pub fn lock(&self) -> bool {
        let whole = libc::flock {
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        // A lock of the open file, which uWSGI's locks of a process exclude (fcntl(2)).
        let is_locked = fcntl(&self.file, FcntlArg::F_OFD_SETLK(&whole)).is_ok();
        is_locked && fstat(&self.file).is_ok_and(|now| now.st_nlink > 0)
    }

    /// When it was changed, or is to be run, in microseconds since the epoch.
    pub fn changed_us(&self) -> u64 {
        micros(self.found.st_mtime, self.found.st_mtime_nsec)
    }

    /// When anything of it was changed, whatever it is dated, in microseconds since the epoch.
    pub fn touched_us(&self) -> u64 {
        micros(self.found.st_ctime, self.found.st_ctime_nsec)
    }

    /// Whether its sticky bit is set, which means nothing for files (chmod(2)).
    pub fn is_marked(&self) -> bool {
        Mode::from_bits_truncate(self.found.st_mode).contains(Mode::S_ISVTX)
    }

    /// Sets that bit or takes it away. Of another user's file that cannot be done.
    pub fn mark(&self, is_marked: bool) {
        let mut mode = Mode::from_bits_truncate(self.found.st_mode);
        mode.set(Mode::S_ISVTX, is_marked);
        // Another user's: nobody counts what it takes with it.
        let _ = fchmod(self.file.as_fd(), mode);
    }

    /// Says when it is to be run, in microseconds since the epoch.
    ///
    /// # Errors
    /// What the system says.
    pub fn date(&self, due_us: u64) -> io::Result<()> {
        let due = TimeSpec::new((due_us / 1_000_000) as i64, (due_us % 1_000_000 * 1_000) as i64);
        Ok(futimens(&self.file, &due, &due)?)
    }

    /// All of it.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&mut self) -> io::Result<Vec<u8>> {
        let size = u64::try_from(self.found.st_size).unwrap_or(0);
        let mut data = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        (&mut self.file).take(size).read_to_end(&mut data)?;
        Ok(data)
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&mut self, parts: [&[u8]; 2]) -> io::Result<()> {
        parts.into_iter().try_for_each(|part| self.file.write_all(part))
    }

    /// Brings it to the disk, with the name that it has now.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

fn micros(seconds: i64, nanoseconds: i64) -> u64 {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    seconds.saturating_mul(1_000_000).saturating_add(nanoseconds as u64 / 1_000)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn directory() -> (tempfile::TempDir, TaskDirectory) {
        let there = tempfile::tempdir().expect("a directory");
        let opened = TaskDirectory::open(there.path(), true).expect("a directory");
        (there, opened)
    }

    #[test]
    fn one_has_a_task_and_nobody_else_until_it_is_closed() {
        let (there, tasks) = directory();
        let path = there.path().join("task");
        std::fs::write(&path, "text").expect("a file");
        let find = || tasks.find(OsStr::new("task")).expect("to be opened").expect("a file");
        let mut first = find();
        assert!(first.lock() && !find().lock());
        assert_eq!(first.read().expect("text"), b"text");
        first.mark(true);
        assert!(find().is_marked());
        assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o7777, 0o1644);
        first.mark(false);
        first.date(1_600_000_000_000_000).expect("a date");
        assert_eq!((find().changed_us(), find().is_marked()), (1_600_000_000_000_000, false));
        let second = find();
        tasks.remove(OsStr::new("task")).expect("removed");
        tasks.remove(OsStr::new("task")).expect("as good as removed");
        drop(first);
        assert!(!second.lock(), "it has no name any more");
    }

    #[test]
    fn what_is_no_file_or_a_link_is_not_opened() {
        let (there, tasks) = directory();
        std::fs::write(there.path().join("file"), "text").expect("a file");
        symlink(there.path().join("file"), there.path().join("link")).expect("a link");
        nix::unistd::mkfifo(&there.path().join("fifo"), PRIVATE).expect("a fifo");
        std::fs::create_dir(there.path().join("directory")).expect("a directory");
        for name in ["link", "fifo", "directory", "none"] {
            assert!(tasks.find(OsStr::new(name)).expect("no error").is_none(), "{name}");
        }
        assert_eq!(tasks.read_note(OsStr::new("link")), b"");
        assert!(tasks.write_note(OsStr::new("link"), "x").is_err());
        assert!(TaskDirectory::open(&there.path().join("link"), true).is_err());
    }

    #[test]
    fn a_file_that_is_set_aside_stays_what_it_is() {
        let (there, tasks) = directory();
        tasks.make(".new").expect("a file").write([b"te", b"xt"]).expect("written");
        assert!(tasks.make(".new").is_err());
        tasks.rename(".new", "task").expect("renamed");
        for _ in 0..2 {
            tasks.write_note(OsStr::new("note"), "1").expect("written");
        }
        assert_eq!(tasks.read_note(OsStr::new("note")), b"1");
        for _ in 0..2 {
            tasks.inside("aside").expect("a directory");
        }
        tasks.move_to(OsStr::new("task"), &tasks.inside("aside").expect("a directory")).expect("moved");
        let moved = there.path().join("aside/task");
        assert_eq!(std::fs::read(&moved).expect("a file"), b"text");
        assert_eq!(std::fs::metadata(&moved).expect("a file").mode() & 0o7777, 0o600);
    }
}
