//! The machine that rhinod runs on, as a [`World`] for configurations. The only file of `config` that touches files,
//! commands and users. Runs in the master, before anything is started.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

use glob::{MatchOptions, glob_with};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::unistd::{AccessFlags, Group, Pid, User, access, getgid, gethostname, getuid};

use super::world::{Facts, Invocation, Kind, SOURCE_BYTES_MAX, Sight, World};

/// How long a source may be silent before its text has ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the whole text of one source may take, and so a command: commands that fetch something are among them.
const WITHIN: Duration = Duration::from_secs(20);

/// Most paths that one pattern gives.
const MATCHES_MAX: usize = 100_001;

/// The real machine.
#[derive(Debug, Clone)]
pub struct Host {
    facts: Facts,
    /// Whether commands stay in the group of this process.
    in_own_group: bool,
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
        Self { facts, in_own_group: false }
    }

    /// The same for a process at the head of a group that ends as a whole.
    pub fn in_own_group(&self) -> Self {
        Self { in_own_group: true, ..self.clone() }
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
        read_in_time(&open_without_waiting(path)?, PATIENCE, &Deadline::after(WITHIN)?)
    }

    /// Who types it takes the time that it takes.
    fn read_standard_input(&self) -> io::Result<Vec<u8>> {
        let input = io::stdin();
        if input.is_terminal() {
            return read_bounded(input);
        }
        // Without the buffer of the standard library, so that what is waited for is not there already.
        read_in_time(&File::from(input.as_fd().try_clone_to_owned()?), PATIENCE, &Deadline::after(WITHIN)?)
    }

    /// Through `/proc/self/fd`, so that no descriptor is taken from whoever owns it.
    fn read_descriptor(&self, descriptor: u32) -> io::Result<Vec<u8>> {
        read_in_time(
            &open_without_waiting(Path::new(&format!("/proc/self/fd/{descriptor}")))?,
            PATIENCE,
            &Deadline::after(WITHIN)?,
        )
    }

    fn run(&self, command: &str, directory: &Path) -> io::Result<Vec<u8>> {
        // Behind a terminal it may ask for something, which only the group in the foreground may.
        run_in_time(command, directory, WITHIN, !self.in_own_group && !io::stdin().is_terminal())
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

/// Reads a file, a device or a pipe that somebody writes, and gives up where nothing comes for so long, or not everything
/// within so long. A pipe ends where it had a writer and has none any more.
fn read_in_time(source: &impl AsFd, silence: Duration, deadline: &Deadline) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut piece = vec![0; 65_536];
    while bytes.len() <= SOURCE_BYTES_MAX {
        let mut wanted = [PollFd::new(source.as_fd(), PollFlags::POLLIN), deadline.wanted()];
        let heard = wait_for(&mut wanted, PollTimeout::try_from(silence).unwrap_or(PollTimeout::MAX))?;
        let events = |index: usize| wanted[index].revents().unwrap_or(PollFlags::empty());
        if heard == 0 {
            return Err(late(format!("nothing comes out of it within {} s", silence.as_secs())));
        } else if !events(1).is_empty() {
            return Err(late(format!("it is not at its end within {} s", deadline.within.as_secs())));
        } else if !events(0).contains(PollFlags::POLLIN) {
            break; // a pipe whose last writer has gone
        }
        match nix::unistd::read(source, &mut piece) {
            Ok(0) => break,
            Ok(read) => bytes.extend_from_slice(&piece[..read]),
            // Somebody else, who has the same pipe, was faster.
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bytes)
}

/// The output of a shell command, which is ended when it takes longer; where it leads a group of its own, with all that it
/// has begun.
fn run_in_time(command: &str, directory: &Path, within: Duration, leads: bool) -> io::Result<Vec<u8>> {
    let deadline = Deadline::after(within)?;
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command).current_dir(directory).stdout(Stdio::piped());
    if leads {
        shell.process_group(0);
    }
    let mut shell = shell.spawn()?;
    let output = shell.stdout.take().map_or(Ok(Vec::new()), |output| read_in_time(&output, within * 2, &deadline));
    let status = output.and_then(|output| Ok((output, end_of(&mut shell, &deadline)?)));
    let Ok((output, status)) = status else {
        let group = i32::try_from(shell.id()).map(Pid::from_raw);
        if let (true, Ok(group)) = (leads, group) {
            // It has not been reaped, so that the number is still its own.
            let _ = nix::sys::signal::killpg(group, Signal::SIGKILL);
        }
        shell.kill()?;
        shell.wait()?;
        return Err(status.err().unwrap_or_else(|| ErrorKind::TimedOut.into()));
    };
    if status.success() { Ok(output) } else { Err(io::Error::other(format!("the command ended with {status}"))) }
}

/// How a command ended that has closed its output, which is a matter of moments.
fn end_of(shell: &mut Child, deadline: &Deadline) -> io::Result<ExitStatus> {
    let mut pause_ms = 0_u8;
    loop {
        if let Some(status) = shell.try_wait()? {
            return Ok(status);
        }
        if wait_for(&mut [deadline.wanted()], PollTimeout::from(pause_ms))? > 0 {
            return Err(late(format!("the command does not end within {} s", deadline.within.as_secs())));
        }
        pause_ms = (pause_ms * 2 + 1).min(50);
    }
}

/// How many of these descriptors something is told of; begun again when a signal comes, which says nothing about them.
fn wait_for(wanted: &mut [PollFd<'_>], patience: PollTimeout) -> io::Result<i32> {
    loop {
        match poll(wanted, patience) {
            Err(Errno::EINTR) => {}
            heard => return Ok(heard?),
        }
    }
}

/// When something has to be over, as a descriptor that can be waited for beside others.
struct Deadline {
    timer: TimerFd,
    within: Duration,
}

impl Deadline {
    fn after(within: Duration) -> io::Result<Self> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC)?;
        timer.set(Expiration::OneShot(within.into()), TimerSetTimeFlags::empty())?;
        Ok(Self { timer, within })
    }

    fn wanted(&self) -> PollFd<'_> {
        PollFd::new(self.timer.as_fd(), PollFlags::POLLIN)
    }
}

fn late(problem: String) -> io::Error {
    io::Error::new(ErrorKind::TimedOut, problem)
}

fn read_bounded(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(SOURCE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn long() -> Deadline {
        Deadline::after(LONG).unwrap()
    }

    #[test]
    fn a_pipe_that_nobody_writes_is_given_up_and_one_that_somebody_writes_is_read_to_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let source = open_without_waiting(&fifo).unwrap();
        let error = read_in_time(&source, Duration::from_millis(20), &long()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let writer = std::thread::spawn(move || std::fs::write(fifo, "x".repeat(100_000)));
        assert_eq!(read_in_time(&source, LONG, &long()).unwrap().len(), 100_000);
        writer.join().unwrap().unwrap();
    }

    #[test]
    fn a_pipe_that_never_ends_is_given_up_although_something_comes() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut writer, b"[uwsgi]").unwrap();
        let error = read_in_time(&reader, LONG, &Deadline::after(Duration::from_millis(20)).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "it is not at its end within 0 s");
    }

    #[test]
    fn a_command_gives_its_output_or_its_failure() {
        let run = |command: &str| run_in_time(command, Path::new("/"), LONG, true);
        assert_eq!(run("pwd").unwrap(), b"/\n");
        assert_eq!(run("exit 3").unwrap_err().to_string(), "the command ended with exit status: 3");
    }

    #[test]
    fn a_command_that_hangs_is_ended_with_all_that_it_began() {
        let directory = tempfile::tempdir().unwrap();
        for command in ["sleep 1000 & echo $! >begun; wait", "echo $$ >begun; exec >&- 2>&-; sleep 1000"] {
            // On a busy machine it takes longer until it has begun.
            let pid = [200, 2_000, 20_000].into_iter().find_map(|patience_ms| {
                let late = Duration::from_millis(patience_ms);
                let error = run_in_time(command, directory.path(), late, true).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::TimedOut, "{command}: {error}");
                let pid = std::fs::read_to_string(directory.path().join("begun")).ok()?.trim().to_owned();
                (!pid.is_empty()).then_some(pid)
            });
            let pid = pid.unwrap();
            std::fs::remove_file(directory.path().join("begun")).unwrap();
            let status = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // Killed; its new parent may not have reaped it yet.
            let goes = (0..6_000).any(|_| {
                std::thread::sleep(Duration::from_millis(10));
                status().rsplit_once(") ").is_none_or(|(_, state)| state.starts_with('Z'))
            });
            assert!(goes, "{command}: {}", status());
        }
    }
}
