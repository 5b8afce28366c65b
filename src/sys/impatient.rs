//! Standard error, written without waiting for whoever reads it: the log of a process that must never stand still. Master,
//! and what it forks.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::FromRawFd;
use std::os::unix::fs::OpenOptionsExt;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{MsgFlags, send};
use nix::sys::stat::{FileStat, SFlag, fstat};

use super::wait::{Interest, wait_ready};

/// The way to standard error.
#[derive(Debug, Default)]
pub struct Impatient {
    /// A pipe, opened once more for ourselves: whether writing to it waits is no business of those who share the other.
    pipe: Option<((u64, u64), File)>,
    /// How many lines nobody has taken.
    lost: u64,
}

impl Impatient {
    /// Opens what standard error is now, while that is still allowed.
    #[must_use]
    pub fn new() -> Self {
        let mut own = Self::default();
        if let Ok(found) = fstat(io::stderr()) {
            own.open(&found);
        }
        own
    }

    /// Writes a line, if it is taken at once. Else it is counted, and told of by the next one that is taken.
    pub fn write_line(&mut self, line: &[u8]) {
        if self.lost > 0 {
            let told = format!("[warn] {} lines of the log are missing here: nobody read them in time\n", self.lost);
            if self.write(told.as_bytes()).is_err() {
                self.lost = self.lost.saturating_add(1);
                return;
            }
            self.lost = 0;
        }
        match self.write(line) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.lost = self.lost.saturating_add(1),
            // Where it cannot be written at all, nobody can be told.
            Ok(()) | Err(_) => {}
        }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let found = fstat(io::stderr())?;
        let kind = SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT;
        self.open(&found);
        match (&self.pipe, kind) {
            (Some((_, pipe)), _) => whole(line, |line| (&mut &*pipe).write(line)),
            (None, SFlag::S_IFSOCK) => {
                let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
                whole(line, |line| Ok(send(libc::STDERR_FILENO, line, flags)?))
            }
            (None, SFlag::S_IFIFO | SFlag::S_IFCHR) if !wait_ready(&io::stderr(), Interest::Writable, 0)? => {
                Err(ErrorKind::WouldBlock.into())
            }
            (None, _) => io::stderr().write_all(line),
        }
    }

    /// Opens the pipe that standard error is, if it is one and not open already.
    fn open(&mut self, found: &FileStat) {
        let identity = (found.st_dev, found.st_ino);
        if SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT != SFlag::S_IFIFO {
            self.pipe = None;
        } else if self.pipe.as_ref().is_none_or(|(known, _)| *known != identity) {
            let flags = (OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).bits();
            let opened = File::options().write(true).custom_flags(flags).open("/proc/self/fd/2");
            self.pipe = opened.ok().map(|pipe| (identity, out_of_the_way(pipe)));
        }
    }
}

/// The same file under a high number: the low ones are for what was handed in, which the configuration may name (`fd://3`)
/// and must not mistake ours for.
fn out_of_the_way(file: File) -> File {
    const ABOVE: i32 = 100;
    match fcntl(&file, FcntlArg::F_DUPFD_CLOEXEC(ABOVE)) {
        // SAFETY: the descriptor is new, and nobody else's.
        Ok(number) => unsafe { File::from_raw_fd(number) },
        // A limit below that; then it stays where it is.
        Err(_) => file,
    }
}

/// Writes a line as far as it is taken. A part of it is better than none, and ends like a line.
fn whole(line: &[u8], mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
    let written = write(line)?;
    if written < line.len() {
        // Best effort: there was no room a moment ago.
        let _ = write(b"\n");
    }
    Ok(())
}
