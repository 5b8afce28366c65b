//! CPython's fork hooks (`PyOS_BeforeFork` and its companions, stable ABI since 3.7): the interpreter's locks, the import
//! lock, the thread states of threads that do not exist in the child, and what applications registered with
//! `os.register_at_fork`. Zygote, and worker at its birth.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::Python;
use pyo3::ffi;

/// Whether this process is a fork that the application made.
static STRAY: AtomicBool = AtomicBool::new(false);

/// In the zygote, right before a fork.
pub(crate) fn before(_attached: Python<'_>) {
    // SAFETY: the token proves that this thread is attached to the interpreter, which is all the hook asks for.
    unsafe { ffi::PyOS_BeforeFork() }
}

/// In the zygote, right after a fork, whether it succeeded or not.
pub(crate) fn after_in_parent(_attached: Python<'_>) {
    // SAFETY: attached, and `before` was called by the same thread.
    unsafe { ffi::PyOS_AfterFork_Parent() }
}

/// In the child, before any other use of the interpreter.
pub(crate) fn after_in_child(_attached: Python<'_>) {
    // SAFETY: this is the thread that forked; it was attached then and its thread state came along.
    unsafe { ffi::PyOS_AfterFork_Child() }
    STRAY.store(false, Ordering::Relaxed);
}

/// One of CPython's own hooks: in every child, those of the zygote among them, which then say otherwise.
pub(crate) fn note_child() {
    STRAY.store(true, Ordering::Relaxed);
}

/// Whether the application forked this process. It has no part in what belongs to its parent: connections, the seat,
/// the control socket.
pub(crate) fn is_stray() -> bool {
    STRAY.load(Ordering::Relaxed)
}
