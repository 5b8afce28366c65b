//! The request that a thread is handling, for functions of the `uwsgi` module that mean it. Worker.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::ffi::lease::Lease;

/// Most variables that `uwsgi.set_logvar` keeps for a request.
const LOG_VARIABLES_MAX: usize = 64;

/// One request under way.
pub(crate) struct Current {
    pub(crate) lease: Arc<Lease>,
    pub(crate) environ: Py<PyDict>,
    pub(crate) log_variables: BTreeMap<Vec<u8>, Vec<u8>>,
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
    let environ = environ.clone().unbind();
    let current = Current { lease: Arc::clone(lease), environ, log_variables: BTreeMap::new() };
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

impl Current {
    /// Keeps a variable for the log line. False: there are too many.
    pub(crate) fn set_log_variable(&mut self, name: &[u8], value: &[u8]) -> bool {
        let room = self.log_variables.len() < LOG_VARIABLES_MAX || self.log_variables.contains_key(name);
        if room {
            self.log_variables.insert(name.to_vec(), value.to_vec());
        }
        room
    }
}
