//! Shared memory that is a file, so that it outlives the instance. Master only; others get its descriptor.
//!
//! The file has its whole size and all its room from the beginning: a page that finds no room on the disk would end
//! whoever writes to it (SIGBUS, mmap(2)). Who has it open has a lock on it (flock(2)), with all processes that the
//! descriptor went to.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use nix::fcntl::{OFlag, posix_fallocate};

use super::files;
use super::shared_memory::SharedWords;

/// A file of memory, opened.
#[derive(Debug)]
pub struct KeptMemory {
    /// Its words.
    pub words: SharedWords,
    /// Whether there was none, so that all words are zero.
    pub is_new: bool,
}

/// Why a file cannot be memory.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Another instance has it, or processes of one before that have not left yet.
    #[error("another instance uses it")]
    InUse,
    /// It is no file, or one of another size.
    #[error("it is something else: {found} bytes, not {expected}")]
    Other {
        /// Its size.
        found: u64,
        /// What it should be.
        expected: u64,
    },
    /// What the system says.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// Opens a file as so many words of memory, and makes it where there is none. `replace`: also in the place of a file of
/// another size.
///
/// # Errors
/// Why it cannot be.
pub fn open(path: &Path, words: usize, replace: bool) -> Result<KeptMemory, Unusable> {
    let expected = (words * size_of::<u64>()) as u64;
    // To be mapped for writing, it must be open for reading as well.
    let file = files::open_to_write(path, OFlag::O_RDWR, 0o600)?;
    lock(&file)?;
    let found = file.metadata()?;
    let is_new = found.len() == 0 || (replace && found.len() != expected);
    if !found.is_file() || (!is_new && found.len() != expected) {
        return Err(Unusable::Other { found: found.len(), expected });
    }
    if is_new {
        file.set_len(0)?;
        posix_fallocate(&file, 0, expected as i64).map_err(io::Error::from)?;
    }
    Ok(KeptMemory { words: SharedWords::map(file.into())?, is_new })
}

/// Has everything that was written to it reach the disk; waits for that.
///
/// # Errors
/// What the system says.
pub fn bring_to_disk(file: &impl AsFd) -> io::Result<()> {
    nix::unistd::fdatasync(file).map_err(io::Error::from)
}

fn lock(file: &File) -> Result<(), Unusable> {
    // SAFETY: a plain system call on a descriptor that we own.
    match nix::errno::Errno::result(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }) {
        Ok(_) => Ok(()),
        Err(nix::errno::Errno::EWOULDBLOCK) => Err(Unusable::InUse),
        Err(error) => Err(Unusable::System(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn a_file_is_memory_that_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kept");
        let memory = open(&path, 16, false).unwrap();
        assert!(memory.is_new);
        memory.words.words()[3].store(7, Ordering::Relaxed);
        assert!(matches!(open(&path, 16, false), Err(Unusable::InUse)));
        bring_to_disk(&memory.words).unwrap();
        drop(memory);
        let again = open(&path, 16, false).unwrap();
        assert!(!again.is_new);
        assert_eq!(again.words.words()[3].load(Ordering::Relaxed), 7);
        drop(again);
        assert!(matches!(open(&path, 17, false), Err(Unusable::Other { found: 128, expected: 136 })));
        let replaced = open(&path, 17, true).unwrap();
        assert!(replaced.is_new && replaced.words.words().iter().all(|word| word.load(Ordering::Relaxed) == 0));
    }
}
