//! An exception in another thread (`PyThreadState_SetAsyncExc`, stable ABI). Worker.

use std::ffi::c_long;

use pyo3::ffi;
use pyo3::prelude::*;

/// Has a thread, named as `threading.get_ident` does, raise the exception at the next of its Python instructions.
pub(crate) fn raise_in(thread: c_long, exception: &Bound<'_, PyAny>) {
    // SAFETY: attached, as the reference shows; the interpreter takes a reference of its own.
    unsafe { ffi::PyThreadState_SetAsyncExc(thread, exception.as_ptr()) };
}

/// Takes back one that the thread has not raised yet.
pub(crate) fn withdraw(_attached: Python<'_>, thread: c_long) {
    // SAFETY: attached; null is what takes it back.
    unsafe { ffi::PyThreadState_SetAsyncExc(thread, std::ptr::null_mut()) };
}
