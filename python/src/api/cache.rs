//! `uwsgi.cache_*`: caches that all workers share (uWSGI's manual, "The uWSGI caching framework"). Zygote and worker.
//!
//! What fails is None, as in uWSGI.

use std::ffi::CStr;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes};
use rhinod::cache::{Arithmetic, Asked, Outcome, expiry};
use rhinod::member::{Instance, SharedCache};
use rhinod::remote::CacheCommand;
use rhinod::sys::clock::epoch_us;

use super::remote_cache::Remote;
use crate::ffi::lease::with_instance;
use crate::ffi::quick::{self, Arguments, Quick};
use crate::ffi::text::Octets;

/// What time it is, for who has to know.
type Now = Asked<fn() -> u64>;

/// Adds the functions to the extension module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    quick::add::<Get>(module)?;
    quick::add::<Set>(module)?;
    quick::add::<Update>(module)?;
    module.add_function(wrap_pyfunction!(cache_del, module)?)?;
    module.add_function(wrap_pyfunction!(cache_exists, module)?)?;
    module.add_function(wrap_pyfunction!(cache_clear, module)?)?;
    module.add_function(wrap_pyfunction!(cache_inc, module)?)?;
    module.add_function(wrap_pyfunction!(cache_dec, module)?)?;
    module.add_function(wrap_pyfunction!(cache_mul, module)?)?;
    module.add_function(wrap_pyfunction!(cache_div, module)?)?;
    module.add_function(wrap_pyfunction!(cache_num, module)?)?;
    module.add_function(wrap_pyfunction!(cache_keys, module)?)
}

struct Get;

impl Quick for Get {
    const NAME: &'static CStr = c"cache_get";
    const SAYS: &'static CStr = c"cache_get(key[, cache]): the value of a key, or None.";
    const COUNT: (usize, usize) = (1, 2);

    fn call<'py>(arguments: Arguments<'_, 'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (py, key, cache) = (arguments.py, arguments.needed::<Octets<'_>>(0)?, arguments.text(1)?);
        if let Some(remote) = Remote::of(cache) {
            let found = remote.ask(py, CacheCommand::Get, &key, None);
            return Ok(found.map(|value| PyBytes::new(py, &value).into_any()));
        }
        let mut value = Vec::new();
        let found = with_cache(py, cache, |shared| shared.cache.get(&key, Asked::by(epoch_us), &mut value));
        Ok(found.flatten().map(|_| PyBytes::new(py, &value).into_any()))
    }
}

struct Set;

impl Quick for Set {
    const NAME: &'static CStr = c"cache_set";
    const SAYS: &'static CStr =
        c"cache_set(key, value[, expires[, cache]]): stores a value under a key that there is not yet, for so many \
                                  seconds; 0 is for ever.";
    const COUNT: (usize, usize) = (2, 4);

    fn call<'py>(arguments: Arguments<'_, 'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        store(arguments, CacheCommand::Set, |shared, entry, now| {
            shared.cache.add(entry.key, entry.value, expiry(entry.expires_s, now), now)
        })
    }
}

struct Update;

impl Quick for Update {
    const NAME: &'static CStr = c"cache_update";
    const SAYS: &'static CStr =
        c"cache_update(key, value[, expires[, cache]]): stores a value, whether there is such a key or not, for so \
                                  many seconds; 0 is for ever.";
    const COUNT: (usize, usize) = (2, 4);

    fn call<'py>(arguments: Arguments<'_, 'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        store(arguments, CacheCommand::Update, |shared, entry, now| {
            shared.cache.put(entry.key, entry.value, expiry(entry.expires_s, now), now)
        })
    }
}

/// What is to be stored.
struct Entry<'a> {
    key: &'a [u8],
    value: &'a [u8],
    expires_s: i64,
}

fn store<'py>(
    arguments: Arguments<'_, 'py>,
    command: CacheCommand,
    act: impl FnOnce(&SharedCache<'_>, &Entry<'_>, &Now) -> Outcome,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = arguments.py;
    let (key, value) = (arguments.needed::<Octets<'_>>(0)?, arguments.needed::<Octets<'_>>(1)?);
    let (expires_s, cache) = (arguments.number(2)?, arguments.text(3)?);
    let done = match Remote::of(cache) {
        Some(remote) => remote.change(py, command, &key, Some((&value, expires_s))),
        None => {
            let entry = Entry { key: &key, value: &value, expires_s };
            change(py, cache, |shared, now| act(shared, &entry, now))
        }
    };
    Ok(done.map(Bound::into_any))
}

/// Removes a key.
#[pyfunction]
#[pyo3(signature = (key, cache = None, /))]
fn cache_del<'py>(py: Python<'py>, key: Octets<'py>, cache: Option<&str>) -> Option<Bound<'py, PyBool>> {
    if let Some(remote) = Remote::of(cache) {
        return remote.change(py, CacheCommand::Delete, &key, None);
    }
    change(py, cache, |shared, now| shared.cache.delete(&key, now))
}

/// True if there is such a key.
#[pyfunction]
#[pyo3(signature = (key, cache = None, /))]
fn cache_exists<'py>(py: Python<'py>, key: Octets<'py>, cache: Option<&str>) -> Option<Bound<'py, PyBool>> {
    if let Some(remote) = Remote::of(cache) {
        return remote.change(py, CacheCommand::Exists, &key, None);
    }
    let exists = with_cache(py, cache, |shared| shared.cache.exists(&key, Asked::by(epoch_us)));
    exists.unwrap_or(false).then(|| PyBool::new(py, true).to_owned())
}

/// Removes everything.
#[pyfunction]
#[pyo3(signature = (cache = None, /))]
fn cache_clear<'py>(py: Python<'py>, cache: Option<&str>) -> Option<Bound<'py, PyBool>> {
    if let Some(remote) = Remote::of(cache) {
        return remote.change(py, CacheCommand::Clear, b"", None);
    }
    change(py, cache, |shared, now| shared.cache.clear(now))
}

/// Adds to a counter.
#[pyfunction]
#[pyo3(signature = (key, number = 1, expires = 0, cache = None, /))]
fn cache_inc<'py>(
    py: Python<'py>,
    key: Octets<'py>,
    number: i64,
    expires: i64,
    cache: Option<&str>,
) -> Option<Bound<'py, PyBool>> {
    calculate(py, &key, Arithmetic::Add, number, expires, cache)
}

/// Takes away from a counter.
#[pyfunction]
#[pyo3(signature = (key, number = 1, expires = 0, cache = None, /))]
fn cache_dec<'py>(
    py: Python<'py>,
    key: Octets<'py>,
    number: i64,
    expires: i64,
    cache: Option<&str>,
) -> Option<Bound<'py, PyBool>> {
    calculate(py, &key, Arithmetic::Subtract, number, expires, cache)
}

/// Multiplies a counter.
#[pyfunction]
#[pyo3(signature = (key, number = 2, expires = 0, cache = None, /))]
fn cache_mul<'py>(
    py: Python<'py>,
    key: Octets<'py>,
    number: i64,
    expires: i64,
    cache: Option<&str>,
) -> Option<Bound<'py, PyBool>> {
    calculate(py, &key, Arithmetic::Multiply, number, expires, cache)
}

/// Divides a counter; by zero that gives zero.
#[pyfunction]
#[pyo3(signature = (key, number = 2, expires = 0, cache = None, /))]
fn cache_div<'py>(
    py: Python<'py>,
    key: Octets<'py>,
    number: i64,
    expires: i64,
    cache: Option<&str>,
) -> Option<Bound<'py, PyBool>> {
    calculate(py, &key, Arithmetic::Divide, number, expires, cache)
}

/// What a counter stands at; 0 if it is none.
#[pyfunction]
#[pyo3(signature = (key, cache = None, /))]
fn cache_num(py: Python<'_>, key: Octets<'_>, cache: Option<&str>) -> i64 {
    if let Some(remote) = Remote::of(cache) {
        let value = remote.ask(py, CacheCommand::Get, &key, None).unwrap_or_default();
        return <[u8; 8]>::try_from(value).map_or(0, i64::from_ne_bytes);
    }
    with_cache(py, cache, |shared| shared.cache.number(&key, Asked::by(epoch_us))).unwrap_or(0)
}

/// All keys, in no order.
#[pyfunction]
#[pyo3(signature = (cache = None, /))]
fn cache_keys<'py>(py: Python<'py>, cache: Option<&str>) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let keys = with_cache(py, cache, |shared| shared.cache.keys(epoch_us()));
    let keys = keys.ok_or_else(|| PyValueError::new_err("no local uWSGI cache available"))?;
    Ok(keys.iter().map(|key| PyBytes::new(py, key)).collect())
}

fn calculate<'py>(
    py: Python<'py>,
    key: &[u8],
    what: Arithmetic,
    number: i64,
    expires: i64,
    cache: Option<&str>,
) -> Option<Bound<'py, PyBool>> {
    change(py, cache, |shared, now| shared.cache.calculate(key, what, number, expiry(expires, now), now))
}

/// True, or None where nothing was changed.
fn change<'py>(
    py: Python<'py>,
    cache: Option<&str>,
    act: impl FnOnce(&SharedCache<'_>, &Now) -> Outcome,
) -> Option<Bound<'py, PyBool>> {
    let done = with_cache(py, cache, |shared| shared.settle(act(shared, &Asked::by(epoch_us as fn() -> u64))));
    done.unwrap_or(false).then(|| PyBool::new(py, true).to_owned())
}

/// Uses a cache without letting go of the interpreter: nobody holds its lock for longer than a moment.
fn with_cache<R>(py: Python<'_>, name: Option<&str>, act: impl FnOnce(&SharedCache<'_>) -> R) -> Option<R> {
    with_instance(py, |instance: &Instance<'_>| instance.cache(name).map(|shared| act(&shared))).flatten()
}
