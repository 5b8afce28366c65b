//! Tasks of spoolers as files: written so that each is there whole or not at all, and read. What is in them, and what becomes of
//! them, is decided in `crate::spool`. Whoever writes tasks, and (`look`) spoolers.

mod look;

use std::ffi::OsStr;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

pub use self::look::{Begun, Spooler};

use crate::spool::{Task, Wanted, names_of_new};
use crate::sys::clock::epoch_us;
use crate::sys::task_files::TaskDirectory;

/// How many tasks this process, and those that it comes from, have written.
static WRITTEN: AtomicU32 = AtomicU32::new(0);

/// Writes a task into a directory, or one of its priorities. `durable`: when this returns it is on the disk.
///
/// # Errors
/// What the system says.
pub fn write(directory: &Path, wanted: &Wanted<'_>, durable: bool) -> io::Result<PathBuf> {
    let mut tasks = TaskDirectory::open(directory, true)?;
    let mut directory = directory.to_owned();
    if let Some(priority) = wanted.priority {
        tasks = tasks.inside(priority)?;
        directory.push(priority);
    }
    let host = nix::unistd::gethostname()?;
    let random = RandomState::new().build_hasher().finish() as u32 >> 1;
    let nth = WRITTEN.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    let [as_written, found] = names_of_new(&host.to_string_lossy(), std::process::id(), nth, random, epoch_us());
    let mut file = tasks.make(&as_written)?;
    let written = file.write([&wanted.block, wanted.body]).and_then(|()| match wanted.at_s {
        Some(at_s) => file.date(at_s.saturating_mul(1_000_000)),
        None => Ok(()),
    });
    if let Err(error) = written.and_then(|()| tasks.rename(&as_written, &found)) {
        // What went wrong is what counts.
        let _ = tasks.remove(OsStr::new(&as_written));
        return Err(error);
    }
    if durable {
        // With the name that it has come to: one journal of a file system has both.
        file.sync()?;
    }
    Ok(directory.join(found))
}

/// The task of a file; `None` where there is none, or it is being run.
pub fn read(path: &Path) -> Option<Task> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = TaskDirectory::open(directory, true).ok()?.find(path.file_name()?).ok()??;
    if !file.lock() {
        return None;
    }
    Task::of(file.read().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::spool::is_task;

    #[test]
    fn what_is_written_is_read_again_and_nothing_else_is_left() {
        let there = tempfile::tempdir().expect("a directory");
        let mut wanted = Wanted::of(&[[b"a", b"1"], [b"body", b"text"]]).expect("it fits");
        for (at_s, durable) in [(None, true), (Some(1_600_000_000), false)] {
            wanted.at_s = at_s;
            let path = write(there.path(), &wanted, durable).expect("written");
            let task = read(&path).expect("a task");
            assert!(task.variables().eq([[&b"a"[..], b"1"]]));
            assert_eq!(task.body(), b"text");
            let found = std::fs::metadata(&path).expect("a file");
            assert_eq!(found.mode() & 0o7777, 0o600);
            assert!(at_s.is_none() || found.mtime() == 1_600_000_000);
        }
        let names: Vec<_> = std::fs::read_dir(there.path()).expect("a directory").flatten().collect();
        assert!(names.len() == 2 && names.iter().all(|entry| is_task(entry.file_name().as_bytes())));
        assert!(read(&there.path().join("none")).is_none());
        assert!(write(&there.path().join("none"), &wanted, false).is_err());
        wanted.priority = Some("7");
        for _ in 0..2 {
            assert!(write(there.path(), &wanted, false).expect("written").starts_with(there.path().join("7")));
        }
    }
}
