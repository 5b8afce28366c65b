//! Requests that are over their time: where their thread is stuck, and the exception that ends them. Worker.
//!
//! The stack is written by `faulthandler` in the very thread, in the handler of the signal that a nudge is: so it can be
//! had although the thread does not let go of the interpreter's lock. What a nudge does, one after the other: the stack,
//! then a byte that says that it is whole, then, in a worker of one thread, Python's own handler, which raises the
//! exception there, also out of a wait. In other threads the exception is raised by the interpreter as soon as they run
//! Python code again.

use std::ffi::c_long;
use std::io::{ErrorKind, Read};
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use rhinod::sys::thread::{mark_nudges, nudge_signal};
use rhinod::worker::Watch;

use crate::ffi::interrupt;

/// Where stacks arrive; there from [`arm`] on.
static STACKS: OnceLock<Mutex<UnixStream>> = OnceLock::new();

/// Longest wait for a stack: a thread that waits for a disk does not answer.
const STACK_PATIENCE: Duration = Duration::from_millis(500);

/// The byte behind each stack.
const MARK: u8 = b'X';

/// The threads of a worker, by what Python calls them.
pub(crate) struct Threads {
    names: Vec<AtomicI64>,
    exception: Py<PyAny>,
}

/// Has nudges say where their thread is, from now on.
pub(crate) fn arm(py: Python<'_>) -> PyResult<()> {
    if STACKS.get().is_some() {
        return Ok(());
    }
    let (reading, writing) = UnixStream::pair()?;
    reading.set_read_timeout(Some(STACK_PATIENCE))?;
    writing.set_nonblocking(true)?;
    let uwsgi = py.import("uwsgi")?;
    // In this order: what is registered last runs first, and hands on.
    uwsgi.call_method1("_raise_at", (nudge_signal(),))?;
    mark_nudges(writing.try_clone()?)?;
    // Open as long as the worker lives.
    let descriptor = writing.into_raw_fd();
    uwsgi.call_method1("_dump_at", (nudge_signal(), descriptor))?;
    // Set by nobody else: applications arm with the interpreter's lock.
    let _ = STACKS.set(Mutex::new(reading));
    Ok(())
}

impl Threads {
    pub(crate) fn new(py: Python<'_>, threads: usize) -> PyResult<Self> {
        let exception = py.import("uwsgi")?.getattr("Harakiri")?.unbind();
        Ok(Self { names: (0..threads).map(|_| AtomicI64::new(0)).collect(), exception })
    }

    /// The calling thread is this one.
    pub(crate) fn attend(&self, py: Python<'_>, core: usize) -> PyResult<()> {
        let name: c_long = py.import("threading")?.call_method0("get_ident")?.extract()?;
        if let Some(place) = self.names.get(core) {
            place.store(name, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Raises the exception in a thread, if it is still at the request that was struck. A worker's only thread is its main
    /// one, in which the nudge itself has that done.
    pub(crate) fn interrupt(&self, core: usize, watch: &Watch) {
        if let ([_, _, ..], Some(name)) = (self.names.as_slice(), self.name(core)) {
            Python::attach(|py| watch.while_struck(|| interrupt::raise_in(name, self.exception.bind(py))));
        }
    }

    /// The request of the calling thread is over: what was not raised in it is for nobody.
    #[cold]
    pub(crate) fn forget(&self, py: Python<'_>, core: usize) {
        if let Some(name) = self.name(core) {
            interrupt::withdraw(py, name);
        }
    }

    fn name(&self, core: usize) -> Option<c_long> {
        self.names.get(core).map(|name| name.load(Ordering::Relaxed)).filter(|name| *name != 0)
    }
}

/// The stack of a thread, innermost first, as `faulthandler` writes it. Not attached to the interpreter.
pub(crate) fn stack_of(watch: &Watch) -> String {
    let Some(stacks) = STACKS.get() else { return String::new() };
    let stacks = &mut *stacks.lock().unwrap_or_else(PoisonError::into_inner);
    // What came after the patience with the one before had ended.
    let _ = stacks.set_nonblocking(true);
    while stacks.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {}
    let _ = stacks.set_nonblocking(false);
    // A thread that has ended is not stuck.
    if watch.nudge().is_err() {
        return String::new();
    }
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    while !(text == [MARK] || text.ends_with(&[b'\n', MARK])) {
        match stacks.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => text.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    let text = String::from_utf8_lossy(&text);
    text.trim_end_matches(char::from(MARK)).trim_end().to_owned()
}
