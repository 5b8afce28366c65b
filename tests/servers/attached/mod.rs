//! What the tests of daemons share: scripts that are attached, and the words of the log about them.
//!
//! Runs in the test's process; stands on `harness`.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;

use crate::harness::{Instance, Launch, Process, wait_until};

/// A file in the directory of an instance that is about to be started.
pub(crate) fn place(launch: &Launch, name: &str) -> PathBuf {
    launch.dir().join(name)
}

/// Writes a script of the shell and returns the command that runs it.
pub(crate) fn script(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    fs::write(&path, text).expect("write the script");
    format!("sh {}", path.display())
}

/// The pids that `start` stands before in the log, in their order: of a script that says `NAME $$`.
pub(crate) fn pids(server: &Instance, start: &str) -> Vec<i32> {
    let lines = server.log.lines();
    lines.iter().filter_map(|line| line.strip_prefix(start)?.trim().parse().ok()).collect()
}

/// Waits until so many have said so; the last one.
pub(crate) fn nth(server: &Instance, count: usize, start: &str) -> Process {
    assert!(wait_until(|| pids(server, start).len() >= count), "{start}\n{}", server.log.tail());
    Process { pid: pids(server, start)[count - 1], name: String::new() }
}

/// The process that a pid file names, once it does.
pub(crate) fn named_in(path: &Path) -> Process {
    let named = Cell::new(None);
    let read = || {
        named.set(fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<i32>().ok()));
        named.get().is_some()
    };
    assert!(wait_until(read), "no pid in {}", path.display());
    Process { pid: named.get().expect("a pid"), name: String::new() }
}

/// Whether a process is gone, or goes in time.
pub(crate) fn ends(process: &Process) -> bool {
    wait_until(|| !process.is_alive())
}

/// Waits until the only daemon is up, as the status has it from now on.
pub(crate) fn wait_until_up(server: &Instance) {
    let from = server.log.position();
    let is_up = || {
        server.signal(Signal::SIGUSR1);
        server.log.has_after(from, "1 of 1 daemons up")
    };
    assert!(wait_until(is_up), "{}", server.log.tail());
}
