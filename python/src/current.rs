//! The request that a thread is handling, for functions of the `uwsgi` module that mean it. Worker.

use std::cell::RefCell;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::ffi::lease::Lease;

/// One request under way.
pub(crate) struct Current {
    pub(crate) lease: Arc<Lease>,
    pub(crate) environ: Py<PyDict>,
}

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// Runs `action` while [`with_current`] finds the request; attached.
pub(crate) fn during<R>(lease: &Arc<Lease>, environ: &Bound<'_, PyDict>, action: impl FnOnce() -> R) -> R {
    struct Leaving;
    impl Drop for Leaving {
        fn drop(&mut self) {
            // Dropped after the borrow has ended: destructors of Python objects may ask for the current request.
            let ended = CURRENT.with(|current| current.borrow_mut().take());
            drop(ended);
        }
    }
    let current = Current { lease: Arc::clone(lease), environ: environ.clone().unbind() };
    CURRENT.with(|slot| *slot.borrow_mut() = Some(current));
    let leaving = Leaving;
    let result = action();
    drop(leaving);
    result
}

/// Uses the request of this thread; `None` outside of one. The action must not call into Python.
pub(crate) fn with_current<R>(action: impl FnOnce(&mut Current) -> R) -> Option<R> {
    CURRENT.with(|current| current.borrow_mut().as_mut().map(action))
}
