//! A gate that an application waits at until the test opens it: a fifo that nobody writes.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::wait_until;

/// Its name in the file system, for whoever is to wait.
#[derive(Debug)]
pub(crate) struct Gate(PathBuf);

impl Gate {
    /// Makes one of this name.
    pub(crate) fn at(path: PathBuf) -> Self {
        mkfifo(&path, Mode::S_IRWXU).expect("a fifo");
        Self(path)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Waits until somebody is at the gate: it has opened the fifo and reads until this end is dropped. A plain `open` would
    /// wait for ever for a reader that has died (fifo(7)).
    pub(crate) fn meet(&self) -> File {
        let mut met = None;
        let is_met = wait_until(|| {
            met = self.try_meet();
            met.is_some()
        });
        assert!(is_met, "nobody is at {}", self.0.display());
        met.expect("it was seen")
    }

    /// The same, if somebody is there now.
    pub(crate) fn try_meet(&self) -> Option<File> {
        OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(&self.0).ok()
    }

    /// Lets whoever comes next go on, with these bytes.
    pub(crate) fn open(&self, bytes: &[u8]) {
        self.meet().write_all(bytes).expect("a few bytes have room");
    }
}
