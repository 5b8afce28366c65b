//! The configuration of a reload, read in a process of its own: a command that never ends, a pipe that nobody writes, a file
//! on a file system that hangs keep nobody waiting but that process, and it only so long. Master, and its forked process.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;

use super::aside::Helper;
use super::machine::{ExitStatus, ProcessId};
use super::origin::{Account, Origin};
use super::upgrade::start_directory;
use crate::sys::clock::monotonic_us;
use crate::sys::shared_memory::{memory_file, read_memory_file};

/// How long it may take: commands that fetch something are among the sources of configurations.
const WITHIN_US: u64 = 20_000_000;

/// A reading that is under way.
pub(super) struct Reading {
    helper: Helper,
    /// What it has found, once it has ended.
    found: OwnedFd,
    due_us: u64,
}

impl Reading {
    /// Begins to read.
    pub(super) fn begin(origin: &dyn Origin) -> io::Result<Self> {
        let found = memory_file(&[])?;
        let mut told = File::from(found.try_clone()?);
        let helper = Helper::begin(|| {
            // Where the first one was read; what cannot be gone to has no relative names in use.
            let _ = start_directory().and_then(std::env::set_current_dir);
            let written = serde_json::to_vec(&origin.read()).map_err(io::Error::from);
            i32::from(written.and_then(|bytes| told.write_all(&bytes)).is_err())
        })?;
        Ok(Self { helper, found, due_us: monotonic_us().saturating_add(WITHIN_US) })
    }

    /// Until when it must have ended.
    pub(super) fn due_us(&self) -> u64 {
        self.due_us
    }

    /// Whether a process that has ended is the one that reads.
    pub(super) fn is_of(&self, pid: ProcessId) -> bool {
        self.helper.is(pid)
    }

    /// What it has found, after its end.
    ///
    /// # Errors
    /// Why the configuration cannot be used, for people.
    pub(super) fn answer(self, status: ExitStatus) -> Result<Account, String> {
        if status != ExitStatus::Code(0) {
            return Err(format!("the process that read the configuration {status}"));
        }
        let found = read_memory_file(self.found).and_then(|bytes| Ok(serde_json::from_slice(&bytes)?));
        found.unwrap_or_else(|error| Err(format!("what was read of the configuration did not arrive: {error}")))
    }

    /// Ends it.
    pub(super) fn give_up(self) {
        self.helper.kill();
    }

    /// Why it is given up when its time is over.
    pub(super) fn overdue() -> String {
        format!("the configuration was not read within {} s: a source of it hangs", WITHIN_US / 1_000_000)
    }
}
