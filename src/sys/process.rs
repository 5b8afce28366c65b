//! Making, watching and ending processes. Master and zygote.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::unistd::ForkResult;
use worker_protocol::ids::ProcessId;

/// Forks; the child runs `life`, exits with the code that it returns, and never comes back from this call.
///
/// A panic in `life` ends the child with exit code 101.
///
/// # Errors
/// What `fork(2)` says: process limit or memory.
pub fn fork_child(life: impl FnOnce() -> i32) -> io::Result<ProcessId> {
    // SAFETY: the zygote is single-threaded (live threads of an application are reported and its own risk, as with
    // any pre-forking server), so the child finds every lock free.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => {
            ProcessId::new(child.as_raw()).ok_or_else(|| io::Error::other("fork gave no process id"))
        }
        ForkResult::Child => {
            let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(life)).unwrap_or(101);
            std::process::exit(code)
        }
    }
}

/// Ends this process at once, without a look at anything that it still has in hands.
pub fn end_at_once(code: i32) -> ! {
    // SAFETY: nothing of this process comes after it.
    unsafe { libc::_exit(code) }
}

/// Sends this process a signal by its number.
///
/// # Errors
/// There is no such signal.
pub fn signal_self(signal: i32) -> io::Result<()> {
    // SAFETY: a plain system call.
    Errno::result(unsafe { libc::kill(std::process::id() as i32, signal) }).map(drop).map_err(io::Error::from)
}

/// Begins a session, and with it a process group, of its own.
pub fn begin_session() -> io::Result<()> {
    nix::unistd::setsid()?;
    Ok(())
}

/// The same, and gives up standard input: for a process that goes to the background.
pub fn leave_session() -> io::Result<()> {
    begin_session()?;
    let nothing = std::fs::File::open("/dev/null")?;
    nix::unistd::dup2_stdin(&nothing)?;
    Ok(())
}

/// A descriptor that stands for exactly this process, whatever happens to its number.
#[derive(Debug)]
pub struct PidFd(OwnedFd);

impl PidFd {
    /// For a child that has not been reaped, or for any process that is known to live.
    pub fn open(pid: ProcessId) -> io::Result<Self> {
        // SAFETY: a plain system call; the descriptor it returns is new and ours (close-on-exec by the kernel).
        let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.get(), 0) };
        Errno::result(raw)?;
        // SAFETY: see above.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(raw as RawFd) }))
    }

    /// Takes over a descriptor that another process opened and passed.
    pub fn from_owned(descriptor: OwnedFd) -> Self {
        Self(descriptor)
    }

    /// Whose number it stands for, as the kernel tells (proc_pid_fdinfo(5)); -1 when that process is gone. `None`: it stands
    /// for no process, or the kernel does not tell.
    pub fn number(&self) -> Option<i32> {
        let told = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", self.0.as_raw_fd())).ok()?;
        told.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().parse().ok()
    }

    /// Sends a signal. A process that is gone already is no error.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        self.signal_number(signal as i32)
    }

    /// Sends a signal by its number, which may be one of those without a name.
    pub fn signal_number(&self, signal: i32) -> io::Result<()> {
        // SAFETY: a plain system call on a descriptor that we own, without a siginfo structure.
        let sent = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.0.as_raw_fd(),
                signal,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
        match Errno::result(sent) {
            Ok(_) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// How a process ended: the raw status word of `waitpid(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitStatus(pub i32);

/// Reaps one child that has ended, if there is one: any child, or only `pid`.
pub fn reap(pid: Option<ProcessId>) -> Option<(ProcessId, WaitStatus)> {
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    let reaped = unsafe { libc::waitpid(pid.map_or(-1, ProcessId::get), &mut status, libc::WNOHANG) };
    ProcessId::new(reaped).map(|pid| (pid, WaitStatus(status)))
}

/// Ends a child at once, and waits for that: nothing delays it for long.
pub fn end_child(pid: ProcessId) {
    let pid = nix::unistd::Pid::from_raw(pid.get());
    // It has not been reaped, so that the number is still its own.
    let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
    while nix::sys::wait::waitpid(pid, None) == Err(Errno::EINTR) {}
}

/// Whether processes can be watched and signalled by descriptors: Linux can from 5.3 on, and a filter of system calls may
/// forbid it.
pub fn probe_pidfds() -> io::Result<()> {
    let own = i32::try_from(std::process::id()).ok().and_then(ProcessId::new);
    own.map_or(Ok(()), |own| PidFd::open(own).map(drop))
}

/// Lets a descriptor pass through the next exec.
pub fn inherit(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(())
}

/// Closes a descriptor at the next exec.
pub fn close_on_exec(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(())
}

/// Takes over a descriptor that was inherited through exec, by its number.
///
/// # Errors
/// When there is no such descriptor.
pub fn adopt_descriptor(number: RawFd) -> io::Result<OwnedFd> {
    if number <= 2 {
        return Err(io::Error::other(format!("descriptor {number} is a standard stream")));
    }
    // SAFETY: only looked at; `fcntl` fails with EBADF if there is no such descriptor.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    // SAFETY: it exists, and by the contract of exec with us (arguments name it once) nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// A descriptor of our own for what an inherited one stands for, which stays as it is.
///
/// # Errors
/// When there is no such descriptor.
pub fn duplicate_descriptor(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: only looked at; `fcntl` fails with EBADF if there is no such descriptor.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    borrowed.try_clone_to_owned()
}

/// Marks every descriptor from 3 up close-on-exec, whatever the limit of descriptors is.
pub fn close_strangers_on_exec() {
    // SAFETY: changes flags only. A kernel without CLOSE_RANGE_CLOEXEC (before 5.11) refuses, which costs nothing
    // but that inherited strangers stay open in our children, as they would without this call.
    unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
}

/// Closes every descriptor from 3 up but these: of a process that goes on without what its parent had open.
pub fn close_all_but(kept: &[BorrowedFd<'_>]) {
    let mut numbers: Vec<u32> = kept.iter().filter_map(|kept| u32::try_from(kept.as_raw_fd()).ok()).collect();
    numbers.sort_unstable();
    let mut from = 3;
    for number in numbers.into_iter().chain([u32::MAX]) {
        if number > from {
            close_between(from, number - 1);
        }
        from = from.max(number.saturating_add(1));
    }
}

fn close_between(first: u32, last: u32) {
    // SAFETY: the caller has given up what is behind these numbers; nobody uses them any more.
    if unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } == 0 {
        return;
    }
    // A kernel without it (before 5.9).
    let open = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers: Vec<u32> = open.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| (first..=last).contains(number)) {
        // SAFETY: as above.
        unsafe { libc::close(number as RawFd) };
    }
}

/// Has a command executed with signals as they are by default. What a command would be executed with otherwise,
/// posix_spawn(3) of the C library, leaves its own two (32 and 33) ignored for good.
pub fn keep_signals(command: &mut Command) -> &mut Command {
    // SAFETY: the closure does nothing; that there is one has the command forked and executed.
    unsafe { command.pre_exec(|| Ok(())) }
}

/// Has a command executed with no signal blocked, whatever is here.
pub fn fresh_signals(command: &mut Command) -> &mut Command {
    let unblock = || {
        unblock_signals(SigSet::empty());
        Ok(())
    };
    // SAFETY: what runs between fork and exec is one system call on values of its own.
    unsafe { command.pre_exec(unblock) }
}

/// Sets the name of the process as `ps -o comm` and `top` show it (15 bytes; longer ones are cut).
pub fn set_name(name: &str) {
    let cut: Vec<u8> = name.bytes().filter(|byte| *byte != 0).take(15).collect();
    if let Ok(name) = CString::new(cut) {
        // Only cosmetic: a failure changes nothing.
        let _ = nix::sys::prctl::set_name(&name);
    }
}

/// Orphans of our descendants come to us instead of to init.
pub fn become_subreaper() -> io::Result<()> {
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}

/// Whether processes of the same user may look into this one and steer it (`PR_SET_DUMPABLE`, prctl(2)). The kernel
/// forbids it to those who have changed their user, until they execute something.
pub fn may_be_steered() -> bool {
    nix::sys::prctl::get_dumpable().unwrap_or(true)
}

/// Forbids it.
pub fn forbid_steering() -> io::Result<()> {
    Ok(nix::sys::prctl::set_dumpable(false)?)
}

/// Neither this process nor what it executes gets more rights than it has, whatever a file's mode says
/// (`PR_SET_NO_NEW_PRIVS`, prctl(2)).
pub fn never_gain_privileges() -> io::Result<()> {
    Ok(nix::sys::prctl::set_no_new_privs()?)
}

/// Ask the kernel to kill this process when its parent dies (`no-orphans`).
pub fn die_with_parent() -> io::Result<()> {
    Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?)
}

/// Has the kernel end this process when so many seconds are over (alarm(2)).
pub fn end_within(seconds: u32) {
    nix::unistd::alarm::set(seconds);
}

/// Not any more, should it have been asked for.
pub fn outlive_parent() -> io::Result<()> {
    Ok(nix::sys::prctl::set_pdeathsig(None)?)
}

/// Gives this process another standard input; nothing to read without one.
pub fn set_input(input: Option<BorrowedFd<'_>>) -> io::Result<()> {
    match input {
        Some(input) => nix::unistd::dup2_stdin(input)?,
        None => nix::unistd::dup2_stdin(std::fs::File::open("/dev/null")?)?,
    }
    Ok(())
}

/// Makes standard output go where standard error goes.
pub fn join_output_to_error() -> io::Result<()> {
    Ok(nix::unistd::dup2_stdout(std::io::stderr())?)
}

/// Replaces this process by another program; comes back only with an error.
pub fn exec(path: &CStr, arguments: &[CString], environment: &[CString]) -> io::Error {
    match nix::unistd::execve(path, arguments, environment) {
        Ok(never) => match never {},
        Err(error) => error.into(),
    }
}

/// Blocks every signal that can be blocked; returns the mask to go back to.
pub fn block_signals() -> SigSet {
    let mut before = SigSet::empty();
    // Cannot fail: the operation and the set are valid.
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before));
    before
}

/// Goes back to a mask of blocked signals.
pub fn unblock_signals(mask: SigSet) {
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&mask), None);
}

/// Makes standard output and standard error go where `file` goes.
pub fn redirect_output(file: &impl AsFd) -> io::Result<()> {
    nix::unistd::dup2_stdout(file)?;
    nix::unistd::dup2_stderr(file)?;
    Ok(())
}

/// Writes the log where the master says from now on.
pub fn log_to(beside: &[OwnedFd]) {
    let moved = match beside.first() {
        Some(file) => redirect_output(file),
        None => Err(io::Error::other("the record came without the file")),
    };
    if let Err(error) = moved {
        log::error!("the log goes on where it was: {error}");
    }
}
