//! The machine that rhinod runs on, as a [`World`] for configurations. The only file of `config` that touches files,
//! commands and users. Runs in the master, before anything is started.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use glob::{MatchOptions, glob_with};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{AccessFlags, Group, User, access, getgid, gethostname, getuid};

use super::world::{Facts, Invocation, Kind, SOURCE_BYTES_MAX, Sight, World};

/// How long a source may be silent before its text has ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// Most paths that one pattern gives.
const MATCHES_MAX: usize = 100_001;

/// The real machine.
#[derive(Debug, Clone)]
pub struct Host {
    facts: Facts,
}

impl Host {
    /// Looks up what the machine and the user are called.
    pub fn new() -> Self {
        let (uid, gid) = (getuid(), getgid());
        let user = User::from_uid(uid).ok().flatten().map(|user| user.name);
        let group = Group::from_gid(gid).ok().flatten().map(|group| group.name);
        let facts = Facts {
            hostname: gethostname().unwrap_or_default().to_string_lossy().into_owned(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            uid: uid.as_raw(),
            user: user.unwrap_or_else(|| uid.to_string()),
            gid: gid.as_raw(),
            group: group.unwrap_or_else(|| gid.to_string()),
        };
        Self { facts }
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Invocation {
    /// How this process was called, in a directory that its first image was started in.
    pub fn of_this_process(arguments: Vec<OsString>, directory: PathBuf) -> Self {
        Self {
            program: env::current_exe().unwrap_or_default(),
            arguments,
            environment: env::vars_os().collect(),
            directory,
            started: SystemTime::now(),
            reload: false,
        }
    }
}

impl World for Host {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        read_in_time(&open_without_waiting(path)?, PATIENCE)
    }

    fn read_standard_input(&self) -> io::Result<Vec<u8>> {
        read_bounded(io::stdin())
    }

    /// Through `/proc/self/fd`, so that no descriptor is taken from whoever owns it.
    fn read_descriptor(&self, descriptor: u32) -> io::Result<Vec<u8>> {
        read_in_time(&open_without_waiting(Path::new(&format!("/proc/self/fd/{descriptor}")))?, PATIENCE)
    }

    fn run(&self, command: &str, directory: &Path) -> io::Result<Vec<u8>> {
        let mut shell = Command::new("/bin/sh");
        let mut shell = shell.arg("-c").arg(command).current_dir(directory).stdout(Stdio::piped()).spawn()?;
        let output = shell.stdout.take().map_or(Ok(Vec::new()), read_bounded);
        let status = shell.wait()?;
        if status.success() { output } else { Err(io::Error::other(format!("the command ended with {status}"))) }
    }

    fn look(&self, path: &Path) -> Option<Sight> {
        let metadata = path.metadata().ok()?;
        let kind = match metadata.file_type() {
            kind if kind.is_file() => Kind::File,
            kind if kind.is_dir() => Kind::Directory,
            _ => Kind::Other,
        };
        Some(Sight { kind, readable: access(path, AccessFlags::R_OK).is_ok(), inode: metadata.ino() })
    }

    fn is_link(&self, path: &Path) -> bool {
        path.is_symlink()
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        path.canonicalize()
    }

    /// As glob(3): `*` matches neither a slash nor a leading dot.
    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        let options =
            MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };
        match glob_with(pattern, options) {
            Ok(paths) => paths.flatten().take(MATCHES_MAX).collect(),
            Err(_) => Vec::new(),
        }
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }
}

/// A pipe without a writer would keep open(2) waiting.
fn open_without_waiting(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)
}

/// Reads a file, a device or a pipe that somebody writes, and gives up where nothing comes for so long. A pipe ends where
/// it had a writer and has none any more.
fn read_in_time(source: &File, patience: Duration) -> io::Result<Vec<u8>> {
    let is_pipe = source.metadata()?.file_type().is_fifo();
    let mut bytes = Vec::new();
    let mut piece = [0; 65_536];
    while bytes.len() <= SOURCE_BYTES_MAX {
        match (&mut &*source).read(&mut piece) {
            Ok(0) if !is_pipe || !bytes.is_empty() => break,
            Ok(read) if read > 0 => bytes.extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            _ => {
                let mut wanted = [PollFd::new(source.as_fd(), PollFlags::POLLIN)];
                let ready = poll(&mut wanted, PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX))?;
                if ready == 0 {
                    let problem = format!("nothing comes out of it within {} s", patience.as_secs());
                    return Err(io::Error::new(ErrorKind::TimedOut, problem));
                }
                let heard = wanted[0].revents().unwrap_or(PollFlags::empty());
                if !heard.contains(PollFlags::POLLIN) && heard.contains(PollFlags::POLLHUP) {
                    break;
                }
            }
        }
    }
    Ok(bytes)
}

fn read_bounded(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(SOURCE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_that_nobody_writes_is_given_up_and_one_that_somebody_writes_is_read_to_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let source = open_without_waiting(&fifo).unwrap();
        let error = read_in_time(&source, Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let writer = std::thread::spawn(move || std::fs::write(fifo, "x".repeat(100_000)));
        assert_eq!(read_in_time(&source, Duration::from_secs(60)).unwrap().len(), 100_000);
        writer.join().unwrap().unwrap();
    }
}
