//! How the master makes a process that becomes another program: fork, what the child does, execute, and how its parent
//! hears what came of it. And how it sends signals to the group of such a process. Master and its forked child.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet};
use nix::unistd::{ForkResult, pipe2};
use worker_protocol::ids::ProcessId;

use super::process::{block_signals, die_with_parent, exec, unblock_signals};

/// Forks; the child runs `life`, ends with the code that it returns, and never comes back from this call. In the child all
/// signals are blocked, because the handlers are still those of the parent and would tell that: see [`execute`].
///
/// `own_namespace`: it sees no processes but its own descendants.
///
/// # Errors
/// What `fork(2)` and `clone(2)` say.
pub fn fork_aside(own_namespace: bool, life: impl FnOnce() -> i32) -> io::Result<ProcessId> {
    let blocked = block_signals();
    let forked = if own_namespace { fork_into_namespace() } else { fork() };
    match forked {
        Ok(ForkResult::Child) => {
            let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(life)).unwrap_or(101);
            // SAFETY: ends the process without running anything that was registered for the end of the parent.
            unsafe { libc::_exit(code) }
        }
        Ok(ForkResult::Parent { child }) => {
            unblock_signals(blocked);
            ProcessId::new(child.as_raw()).ok_or_else(|| io::Error::other("fork gave no process id"))
        }
        Err(error) => {
            unblock_signals(blocked);
            Err(error.into())
        }
    }
}

fn fork() -> nix::Result<ForkResult> {
    // SAFETY: the master has one thread, so that the child finds every lock free.
    unsafe { nix::unistd::fork() }
}

fn fork_into_namespace() -> nix::Result<ForkResult> {
    let flags = libc::CLONE_NEWPID | libc::SIGCHLD;
    // SAFETY: without a stack of its own the child goes on here with a copy of this one, as after fork(2); the master has
    // one thread, so that the child finds every lock free.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    match Errno::result(pid)? {
        0 => Ok(ForkResult::Child),
        pid => Ok(ForkResult::Parent { child: nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap_or(0)) }),
    }
}

/// A pipe that ends when both sides have closed it or become another program; the first end never blocks.
pub fn report_pipe() -> io::Result<(File, File)> {
    let (ours, theirs) = pipe2(OFlag::O_CLOEXEC)?;
    fcntl(ours.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((ours.into(), theirs.into()))
}

/// Becomes another program, found on the `PATH` of the environment that it gets. Signals mean to it what they mean to a
/// fresh program, and none is blocked. Comes back only with an error.
pub fn execute(arguments: &[CString], environment: &[CString]) -> io::Error {
    let Some(program) = arguments.first() else { return io::Error::from(io::ErrorKind::InvalidInput) };
    forget_signals();
    unblock_signals(SigSet::empty());
    let mut refused = None;
    for path in candidates(program, environment) {
        let error = exec(&path, arguments, environment);
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR) => {}
            // Another directory may have one that may be executed (execvp(3)).
            Some(libc::EACCES) => refused = Some(error),
            // A script without a first line that names its interpreter is one of the shell's (execvp(3)).
            Some(libc::ENOEXEC) => {
                let shell = [c"/bin/sh".to_owned(), path];
                let script: Vec<CString> = shell.into_iter().chain(arguments.iter().skip(1).cloned()).collect();
                return exec(c"/bin/sh", &script, environment);
            }
            _ => return error,
        }
    }
    refused.unwrap_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
}

/// Where a program may be.
fn candidates(program: &CStr, environment: &[CString]) -> Vec<CString> {
    if program.to_bytes().contains(&b'/') {
        return vec![program.to_owned()];
    }
    let path = environment.iter().find_map(|variable| variable.to_bytes().strip_prefix(b"PATH="));
    let directories = path.unwrap_or(b"/usr/local/bin:/usr/bin:/bin").split(|byte| *byte == b':');
    let join = |directory: &[u8]| {
        let directory = if directory.is_empty() { b"." } else { directory };
        CString::new([directory, b"/", program.to_bytes()].concat()).ok()
    };
    directories.filter_map(join).collect()
}

/// Forks a process that does something for this one, at the head of a group of its own, and dies with it. Signals mean to
/// it and to what it executes what they mean to a fresh program. Otherwise as [`fork_aside`].
///
/// # Errors
/// What `fork(2)` says.
pub fn fork_helper(life: impl FnOnce() -> i32) -> io::Result<ProcessId> {
    fork_vassal(|| {
        // Without it the helper ends a little later than who it helps.
        let _ = die_with_parent();
        life()
    })
}

/// The same for one that says itself with whom it dies.
///
/// # Errors
/// What `fork(2)` says.
pub fn fork_vassal(life: impl FnOnce() -> i32) -> io::Result<ProcessId> {
    let leader = fork_aside(false, || {
        lead_group(0);
        forget_signals();
        unblock_signals(SigSet::empty());
        life()
    })?;
    // By both, so that the group is there whoever comes first.
    lead_group(leader.get());
    Ok(leader)
}

/// Forks a process that goes on when this one has ended, at the head of a group of its own. No signal reaches it but those
/// that nobody can block. Otherwise as [`fork_aside`].
///
/// # Errors
/// What `fork(2)` says.
pub fn fork_companion(life: impl FnOnce() -> i32) -> io::Result<ProcessId> {
    fork_aside(false, || {
        lead_group(0);
        forget_signals();
        life()
    })
}

/// Puts a process at the head of a group of its own; 0 is this one. Who has ended already needs none.
fn lead_group(pid: i32) {
    let pid = nix::unistd::Pid::from_raw(pid);
    let _ = nix::unistd::setpgid(pid, pid);
}

/// Gives every signal its default meaning: a handler of ours must not run in what is to be another program, and what we
/// ignore it would ignore as well.
fn forget_signals() {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for signal in nix::sys::signal::Signal::iterator() {
        // SAFETY: no code runs for a default. SIGKILL and SIGSTOP refuse, and have no other meaning.
        let _ = unsafe { nix::sys::signal::sigaction(signal, &default) };
    }
}

/// Sends a signal to every process of a group. Whether there is any.
///
/// # Errors
/// When it is not allowed to.
pub fn signal_group(leader: ProcessId, signal: i32) -> io::Result<bool> {
    // SAFETY: a plain system call; a process id of ours is above 0, so that this is never 0 or -1.
    match Errno::result(unsafe { libc::kill(-leader.get(), signal) }) {
        Ok(_) => Ok(true),
        Err(Errno::ESRCH) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether a group has any process, one that has ended and is not reaped among them.
pub fn has_group(leader: ProcessId) -> bool {
    signal_group(leader, 0).unwrap_or(true)
}

/// The group that a process is in; `None` when it is gone.
pub fn group_of(pid: ProcessId) -> Option<ProcessId> {
    let group = nix::unistd::getpgid(Some(nix::unistd::Pid::from_raw(pid.get()))).ok()?;
    ProcessId::new(group.as_raw())
}

/// Whether this process is still a child of that one.
pub fn is_child_of(parent: u32) -> bool {
    u32::try_from(nix::unistd::getppid().as_raw()) == Ok(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> CString {
        CString::new(text).unwrap()
    }

    #[test]
    fn a_program_is_looked_for_on_the_path_that_it_gets() {
        let found = candidates(c"run", &[text("A=1"), text("PATH=/a::/b")]);
        assert_eq!(found, [text("/a/run"), text("./run"), text("/b/run")]);
        assert_eq!(candidates(c"./run", &[text("PATH=/a")]), [text("./run")]);
        assert_eq!(candidates(c"run", &[]).len(), 3);
    }

    #[test]
    fn a_group_that_is_gone_has_nobody() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = ProcessId::new(i32::try_from(child.id()).unwrap()).unwrap();
        child.wait().unwrap();
        assert_eq!((signal_group(pid, 0).ok(), has_group(pid), group_of(pid)), (Some(false), false, None));
    }
}
