//! What the module `rhinod_cache` needs of a cache beside `uwsgi.cache_*`: when an entry expires, and changes that depend on
//! what was there. Zygote and worker.

use pyo3::exceptions::PyLookupError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rhinod::cache::{Asked, Outcome};
use rhinod::member::{Instance, SharedCache};
use rhinod::sys::clock::epoch_us;

use crate::ffi::lease::with_instance;
use crate::ffi::text::Octets;

/// Adds the functions to the extension module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(cache_entry, module)?)?;
    module.add_function(wrap_pyfunction!(cache_store, module)?)
}

/// The value of a key, and when it expires, in microseconds since the epoch (0: never). None where there is none.
#[pyfunction]
#[pyo3(signature = (cache, key, /))]
fn cache_entry<'py>(py: Python<'py>, cache: &str, key: Octets<'py>) -> PyResult<Option<(Bound<'py, PyBytes>, u64)>> {
    let mut value = Vec::new();
    let found = with_cache(py, cache, |shared| shared.cache.get(&key, Asked::by(epoch_us), &mut value))?;
    Ok(found.map(|found| (PyBytes::new(py, &value), found.expires_us)))
}

/// Stores a value that expires at that moment. `old`: what must be there, b"" for nothing, None for anything. Says in a word
/// what came of it.
#[pyfunction]
#[pyo3(signature = (cache, key, value, expires_us, old, /))]
fn cache_store<'py>(
    py: Python<'py>,
    cache: &str,
    key: Octets<'py>,
    value: Octets<'py>,
    expires_us: u64,
    old: Option<&[u8]>,
) -> PyResult<&'static str> {
    let outcome = with_cache(py, cache, |shared| {
        let (cache, now) = (&shared.cache, &Asked::by(epoch_us));
        let outcome = match old {
            None => cache.put(&key, &value, expires_us, now),
            // No value is empty.
            Some(b"") => cache.add(&key, &value, expires_us, now),
            Some(old) => cache.swap(&key, old, &value, expires_us, now),
        };
        shared.settle(outcome);
        outcome
    })?;
    Ok(match outcome {
        Outcome::Done => "done",
        Outcome::Exists => "another",
        Outcome::Absent => "absent",
        Outcome::Unfit => "unfit",
        Outcome::Full { .. } => "full",
        Outcome::Spoilt => "spoilt",
    })
}

/// Uses the cache of a name, the first one without; an exception where there is none.
fn with_cache<R>(py: Python<'_>, name: &str, act: impl FnOnce(&SharedCache<'_>) -> R) -> PyResult<R> {
    let name = Some(name).filter(|name| !name.is_empty());
    let used = with_instance(py, |instance: &Instance<'_>| instance.cache(name).map(|shared| act(&shared))).flatten();
    used.ok_or_else(|| match name {
        Some(name) => {
            PyLookupError::new_err(format!("this instance has no cache {name:?} (cache2 = name={name},items=...)"))
        }
        None => PyLookupError::new_err("this instance has no cache (cache2 = name=...,items=...)"),
    })
}
