//! The workers of an instance as `stacks` and `profile` look into them: who they are by their master's account, and their stacks by
//! their own memory. Nobody is stopped for it. The operator's process only.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;

use super::asking::{Master, ReadPlaces, failure};
use super::instance::{self, Instance};
use crate::exit::Exit;
use crate::failure::StartFailure;
use crate::stacks::{Memory, Reader, SIGNPOST, Signpost, Thread, fill_in};
use crate::stats::Brief;
use crate::sys::foreign::{Foreign, KernelThread};

/// An instance whose workers are looked into.
#[derive(Debug)]
pub(super) struct Looking {
    pid: worker_protocol::ids::ProcessId,
    named: String,
    owner: u32,
}

impl Looking {
    /// The instance that is meant.
    pub(super) fn at(word: &OsStr, places: ReadPlaces<'_>) -> Result<Self, StartFailure> {
        match instance::find(word, places)? {
            Instance::Master { pid, named, owner } => Ok(Self { pid, named, owner }),
            Instance::Fifo(_) | Instance::Statistics(_) => Err(failure(
                Exit::Usage,
                format!("{} leads to no process: give the instance's pid file or process id", word.display()),
            )),
        }
    }

    /// Its workers now.
    pub(super) fn workers(&self) -> Result<Brief, StartFailure> {
        Master::of(self.pid, &self.named, self.owner)?.brief()
    }
}

/// A process with a Python interpreter.
#[derive(Debug)]
pub(super) struct PythonProcess {
    process: Foreign,
    reader: Reader,
    /// Its version of Python.
    pub(super) python: (u8, u8),
}

/// Why nothing is known of a process's interpreter.
#[derive(Debug)]
pub(super) enum Closed {
    /// It has none.
    NoPython,
    /// It has ended.
    Gone,
    /// Who asks may not look into it.
    Forbidden,
    /// Why it cannot be read.
    Why(String),
}

/// What there is to know for who may not look into a process.
pub(super) const FORBIDDEN: &str = "the memory of the workers may not be read: run this as root (where kernel.yama.ptrace_scope \
                                    is 0, their own user may as well, if they never had more rights)";

struct Outside(Foreign);

impl Memory for Outside {
    fn read(&self, address: u64, bytes: &mut [u8]) -> bool {
        self.0.read(address, bytes).is_ok()
    }
}

impl PythonProcess {
    /// The interpreter of a process.
    pub(super) fn of(pid: i32) -> Result<Self, Closed> {
        let process = Foreign::of(pid);
        let Some(place) = process.signpost(SIGNPOST).map_err(closed)? else { return Err(Closed::NoPython) };
        let mut bytes = [0; Signpost::BYTES];
        process.read(place, &mut bytes).map_err(closed)?;
        let another_version = || Closed::Why("it is of another version of rhinod".to_owned());
        let signpost = Signpost::read(&bytes).ok_or_else(another_version)?;
        let reader = Reader::of(signpost, &Outside(process)).map_err(|error| Closed::Why(error.to_string()))?;
        Ok(Self { process, reader, python: signpost.python() })
    }

    /// Its threads now; `attempts` as for [`Reader::threads`].
    pub(super) fn threads(&mut self, attempts: u32) -> Vec<Thread> {
        self.reader.threads(&Outside(self.process), attempts)
    }

    /// The same with the kernel's numbers, as far as they can be known.
    pub(super) fn threads_among(&mut self, kernel: &[KernelThread], attempts: u32) -> Vec<Thread> {
        let mut threads = self.threads(attempts);
        let numbers: BTreeSet<i32> = kernel.iter().map(|thread| thread.number).collect();
        fill_in(&mut threads, &numbers, &Outside(self.process));
        threads
    }
}

/// What keeps a process from being read.
fn closed(error: io::Error) -> Closed {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Closed::Forbidden,
        // No such process (ESRCH) has no kind of its own.
        io::ErrorKind::NotFound => Closed::Gone,
        _ if error.raw_os_error() == Some(nix::errno::Errno::ESRCH as i32) => Closed::Gone,
        _ => Closed::Why(format!("its memory cannot be read: {error}")),
    }
}
