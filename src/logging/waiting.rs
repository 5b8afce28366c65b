//! Request lines that wait for a moment, so that many are written with one call: a call costs as much as all else of a line.
//! Worker only; one for the process, so that what it writes is in order.
//!
//! They wait only as long as one request follows on the other. A thread that sleeps where that is not so sends what there is
//! (`worker/accept_loop.rs`), a line of the log takes those before it along, and the supervisor sees to the rest
//! (`worker/supervisor.rs`). What waits stands in shared memory as well, for the master to write if this process dies
//! (`shelf`). A process that the application forks has none of it.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::shelf::{BYTES_MAX, Shelf};
use crate::sys::forks::own_process;
use crate::sys::shared_memory::SharedWords;
use crate::sys::wait::{Interest, wait_ready};

/// The process whose lines wait; 0: those of none do.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// Whether there are any.
static ANY: AtomicBool = AtomicBool::new(false);

static WAITING: Mutex<Waiting> = Mutex::new(Waiting { lines: Vec::new(), home: None, added: false });

struct Waiting {
    lines: Vec<u8>,
    /// Where they stand for the master, and whose seat that is.
    home: Option<(Arc<SharedWords>, u32)>,
    /// Whether one came since the supervisor looked.
    added: bool,
}

/// From here on request lines of this process wait, where nobody sits before them: not on a terminal.
pub(crate) fn begin(memory: Arc<SharedWords>, seat: u32) {
    if io::stderr().is_terminal() || Shelf::of(memory.words(), seat).is_none() {
        return;
    }
    *waiting() = Waiting { lines: Vec::with_capacity(BYTES_MAX), home: Some((memory, seat)), added: false };
    ANY.store(false, Ordering::Relaxed);
    OWNER.store(std::process::id(), Ordering::Relaxed);
}

/// They do no more: what waits is sent.
pub(crate) fn end() {
    send();
    OWNER.store(0, Ordering::Relaxed);
}

/// Takes a request line, with its end.
pub(crate) fn put(line: &str) {
    if is_own() {
        waiting().take(line.as_bytes());
    } else {
        write(line.as_bytes());
    }
}

/// Whether lines wait.
pub(crate) fn any() -> bool {
    ANY.load(Ordering::Relaxed) && is_own()
}

/// Writes those that wait.
pub(crate) fn send() {
    if any() {
        waiting().send();
    }
}

/// The same, for whoever looks every now and then and has other things to mind: not while it would have to wait for another
/// thread, or for somebody who reads. Whether to look again.
pub(crate) fn tend() -> bool {
    if !is_own() {
        return false;
    }
    let Ok(mut waiting) = WAITING.try_lock() else { return true };
    if !waiting.lines.is_empty() && !wait_ready(&io::stderr(), Interest::Writable, 0).unwrap_or(true) {
        return true;
    }
    waiting.send();
    std::mem::take(&mut waiting.added)
}

fn is_own() -> bool {
    let owner = OWNER.load(Ordering::Relaxed);
    owner != 0 && owner == own_process()
}

fn waiting() -> MutexGuard<'static, Waiting> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write(lines: &[u8]) {
    // Standard error is where the log is; if it cannot be written, there is nowhere left to say so.
    let _ = io::stderr().write_all(lines);
}

impl Waiting {
    fn take(&mut self, line: &[u8]) {
        if self.lines.len() + line.len() > BYTES_MAX {
            self.send();
        }
        if line.len() > BYTES_MAX {
            return write(line);
        }
        let before = self.lines.len();
        self.lines.extend_from_slice(line);
        if let Some(shelf) = self.shelf() {
            shelf.put(&self.lines, before);
        }
        self.added = true;
        ANY.store(true, Ordering::Relaxed);
    }

    fn send(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        if let Some(shelf) = self.shelf() {
            shelf.begin();
        }
        write(&self.lines);
        self.lines.clear();
        if let Some(shelf) = self.shelf() {
            shelf.clear();
        }
        ANY.store(false, Ordering::Relaxed);
    }

    fn shelf(&self) -> Option<Shelf<'_>> {
        self.home.as_ref().and_then(|(memory, seat)| Shelf::of(memory.words(), *seat))
    }
}
