//! Whether this process has forked since: whoever it forked holds its descriptors too, and a connection that only we close
//! stays open for the peer. Worker only.
//!
//! The C library tells of every fork(2) made through it, whoever makes it: the interpreter, a C library of the
//! application's, an application in Rust. What executes another program at once (vfork, posix_spawn) closes descriptors
//! by itself, as all of ours are close-on-exec.

use std::io;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Forks of this process.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Whether this process is a fork that has not said that it counts for itself.
static IS_CHILD: AtomicBool = AtomicBool::new(false);

/// The number of this process; 0 where nobody would tell that it is another one by now.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// A moment in the life of this process, by the number of its forks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(u64);

/// Counts forks from now on, for this process and not for the one that it was forked from.
///
/// # Errors
/// When there is no memory for it.
pub fn count() -> io::Result<()> {
    static REGISTERED: Once = Once::new();
    let mut refused = 0;
    // SAFETY: both handlers only store to an atomic, which is all that may be done between fork(2) and exec(2); this
    // code is never unloaded.
    REGISTERED.call_once(|| refused = unsafe { libc::pthread_atfork(Some(note_fork), None, Some(note_child)) });
    IS_CHILD.store(false, Ordering::Relaxed);
    if refused != 0 {
        return Err(io::Error::from_raw_os_error(refused));
    }
    PROCESS.store(std::process::id(), Ordering::Relaxed);
    Ok(())
}

/// The number of this process, which the kernel is not asked for where forks are counted.
pub fn own_process() -> u32 {
    match PROCESS.load(Ordering::Relaxed) {
        0 => std::process::id(),
        known => known,
    }
}

impl Moment {
    /// This one.
    pub fn now() -> Self {
        Self(COUNT.load(Ordering::Relaxed))
    }

    /// Whether this process has forked since. No in a process that was forked since: what it has is its parent's.
    pub fn forked_since(self) -> bool {
        self != Self::now() && !IS_CHILD.load(Ordering::Relaxed)
    }
}

/// Before the fork, so that whoever closes a descriptor while the kernel copies the table of them knows.
extern "C" fn note_fork() {
    COUNT.fetch_add(1, Ordering::Relaxed);
}

extern "C" fn note_child() {
    IS_CHILD.store(true, Ordering::Relaxed);
    PROCESS.store(0, Ordering::Relaxed);
}
