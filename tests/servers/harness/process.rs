//! Processes as `/proc` shows them, told apart by a mark in their environment, and the end of a child.
//!
//! A mark outlives what parent and group do not: a worker whose zygote and master are gone still has it.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus, Output};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use super::PATIENCE;

/// A process that lived when it was looked at. Equal to another look at the same process, whatever it calls itself and
/// whoever its parent is by now.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// Its number.
    pub pid: i32,
    /// Its name as `ps -o comm` shows it.
    pub name: String,
}

impl PartialEq for Process {
    fn eq(&self, other: &Self) -> bool {
        self.pid == other.pid
    }
}

impl Eq for Process {}

impl Process {
    /// Sends it a signal. That it has gone meanwhile is no fault.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.pid), signal);
    }

    /// Whether it is there and no zombie.
    pub(crate) fn is_alive(&self) -> bool {
        look_up(self.pid).is_some()
    }

    /// What `ps` shows of it: its arguments, or the title that stands in their place.
    pub(crate) fn title(&self) -> String {
        let arguments = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        String::from_utf8_lossy(&arguments).trim_end_matches('\0').replace('\0', " ")
    }

    /// Whether it sleeps by `nanosleep`, as one of our applications does that is told to: the system call's number tells.
    pub(crate) fn sleeps(&self) -> bool {
        let call = fs::read_to_string(format!("/proc/{}/syscall", self.pid)).unwrap_or_default();
        let number = call.split(' ').next().and_then(|number| number.parse::<i64>().ok());
        number == Some(libc::SYS_clock_nanosleep) || number == Some(libc::SYS_nanosleep)
    }

    /// The time it has spent computing so far, user and system, in clock ticks.
    pub(crate) fn cpu_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
    }

    /// How often its first thread has gone to sleep or had to make way so far (proc_pid_status(5)).
    pub(crate) fn context_switches(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let counts = status.lines().filter_map(|line| line.split_once("voluntary_ctxt_switches:"));
        counts.filter_map(|(_, count)| count.trim().parse::<u64>().ok()).sum()
    }
}

/// The children of a process's first thread, zombies included (CONFIG_PROC_CHILDREN); none once it is gone.
pub(crate) fn children_of(pid: i32) -> Vec<i32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// All living processes whose environment has the entry `mark`. Zombies have none, so they do not count.
pub(crate) fn processes_with(mark: &str) -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let marked = pids.filter(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
    });
    marked.filter_map(look_up).collect()
}

/// A process by its number; `None` when it is gone or a zombie.
pub(crate) fn look_up(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?;
    (!matches!(state, "Z" | "X")).then(|| Process { pid, name: name.to_owned() })
}

/// The end of a child as an event. The child stays unreaped, so that its pid is its own until the harness is done.
#[derive(Debug)]
pub(crate) struct Exit(Receiver<()>);

/// Waits for the end of a child in a thread.
pub(crate) fn await_exit(pid: i32) -> Exit {
    let (tell, told) = crossbeam_channel::bounded(1);
    std::thread::spawn(move || {
        while let Err(nix::errno::Errno::EINTR) =
            waitid(Id::Pid(Pid::from_raw(pid)), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)
        {}
        let _ = tell.send(());
    });
    Exit(told)
}

impl Exit {
    /// Whether the child has ended, or ends in time.
    pub(crate) fn within(&self, limit: Duration) -> bool {
        // The sender goes only after it has told, or when there is no such child any more.
        !matches!(self.0.recv_timeout(limit), Err(RecvTimeoutError::Timeout))
    }
}

/// Ends a child of ours by a signal; by force, together with its children, when that does not end it in time.
pub(crate) fn end(child: &mut Child, signal: Signal) -> ExitStatus {
    // One that has not been seen to end is not reaped yet, so that the pid is its own.
    if let Ok(None) = child.try_wait() {
        let pid = child.id().cast_signed();
        let _ = kill(Pid::from_raw(pid), signal);
        if !await_exit(pid).within(PATIENCE) {
            let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
            let children = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
            let children: Vec<i32> = children
                .flat_map(|pids| pids.split(' ').filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
                .collect();
            for pid in children.into_iter().chain([pid]) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }
    child.wait().expect("it is our child")
}

/// What a child has said until its end, which must come in time.
pub(crate) fn output_of(child: Child) -> Output {
    let pid = Pid::from_raw(child.id().cast_signed());
    let (tell, told) = crossbeam_channel::bounded(1);
    std::thread::spawn(move || tell.send(child.wait_with_output()));
    if let Ok(output) = told.recv_timeout(PATIENCE) {
        return output.expect("its output");
    }
    // Nobody has been told of its end, so that the pid is its own.
    let _ = kill(pid, Signal::SIGKILL);
    panic!("it does not end, and has said {:?}", told.recv_timeout(PATIENCE));
}

/// The exit code as a shell has it: 128 and the signal for a process that was killed.
pub(crate) fn shell_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}
