//! Files without a name: room on a disk for what is too large for memory, gone with its last descriptor, whoever dies.
//! Used in the workers.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::clock::monotonic_us;

/// How many names are tried where a file cannot be made without one.
const ATTEMPTS_MAX: u64 = 16;

/// Makes one in a directory, for this user only.
pub fn unlinked_file(directory: &Path) -> io::Result<File> {
    // open(2): O_EXCL keeps it from ever getting a name.
    let flags = libc::O_TMPFILE | libc::O_EXCL;
    match OpenOptions::new().read(true).write(true).mode(0o600).custom_flags(flags).open(directory) {
        // What file systems say that have no such files, and kernels that do not know of them.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR | libc::ENOENT)) => {
            unlink_after(directory)
        }
        made => made,
    }
}

/// Makes one under a name that nobody has, and takes the name away.
fn unlink_after(directory: &Path) -> io::Result<File> {
    let mut last = ErrorKind::AlreadyExists.into();
    for attempt in 0..ATTEMPTS_MAX {
        let path = directory.join(format!("rhinod-{}-{}-{attempt}", std::process::id(), monotonic_us()));
        match OpenOptions::new().read(true).write(true).mode(0o600).create_new(true).open(&path) {
            Ok(file) => {
                std::fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{FileExt, MetadataExt};

    use super::*;

    #[test]
    fn it_holds_what_is_written_and_has_no_name() {
        let directory = tempfile::tempdir().expect("a directory");
        for make in [unlinked_file, unlink_after] {
            let mut file = make(directory.path()).expect("a file");
            file.write_all(b"abc").expect("room");
            let mut read = [0; 3];
            file.read_exact_at(&mut read, 0).expect("what was written");
            let about = file.metadata().expect("a file");
            assert_eq!((&read, about.nlink(), about.mode() & 0o777), (b"abc", 0, 0o600));
            assert_eq!(std::fs::read_dir(directory.path()).expect("a directory").count(), 0);
        }
        assert!(unlinked_file(&directory.path().join("none")).is_err());
    }
}
