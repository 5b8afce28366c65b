//! CPython's fork hooks (`PyOS_BeforeFork` and its companions, stable ABI since 3.7): the interpreter's locks, the import
//! lock, the thread states of threads that do not exist in the child, and what applications registered with
//! `os.register_at_fork`. Zygote, and worker at its birth.

use pyo3::Python;
use pyo3::ffi;

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
}
