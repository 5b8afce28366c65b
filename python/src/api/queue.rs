//! `uwsgi.queue_*`: the queue that all processes share (uWSGI's manual, "The uWSGI queue framework"), and the memory of shared
//! areas. Zygote, and every process below it.
//!
//! What fails is None, as in uWSGI.

use std::os::fd::{AsRawFd, RawFd};

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyList};
use rhinod::ring::Ring;

use crate::ffi::lease::with_instance;
use crate::ffi::text::Octets;

/// Adds the functions to the extension module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(queue_push, module)?)?;
    module.add_function(wrap_pyfunction!(queue_pop, module)?)?;
    module.add_function(wrap_pyfunction!(queue_pull, module)?)?;
    module.add_function(wrap_pyfunction!(queue_get, module)?)?;
    module.add_function(wrap_pyfunction!(queue_set, module)?)?;
    module.add_function(wrap_pyfunction!(queue_last, module)?)?;
    module.add_function(wrap_pyfunction!(queue_slot, module)?)?;
    module.add_function(wrap_pyfunction!(queue_pull_slot, module)?)?;
    module.add_function(wrap_pyfunction!(area_descriptor, module)?)
}

/// Puts an item in behind the newest one; of a full queue the oldest goes. None for what is empty or too long.
#[pyfunction]
#[pyo3(signature = (item, /))]
fn queue_push<'py>(py: Python<'py>, item: Octets<'py>) -> Option<Bound<'py, PyBool>> {
    done(py, with_ring(py, |ring| ring.push(&item)))
}

/// Takes the newest item out; None if there is none.
#[pyfunction]
fn queue_pop(py: Python<'_>) -> Option<Bound<'_, PyBytes>> {
    bytes(py, with_ring(py, |ring| ring.pop()).flatten())
}

/// Takes the oldest item out; None if there is none.
#[pyfunction]
fn queue_pull(py: Python<'_>) -> Option<Bound<'_, PyBytes>> {
    bytes(py, with_ring(py, |ring| ring.pull()).flatten())
}

/// The item of a slot, which stays there.
#[pyfunction]
#[pyo3(signature = (slot, /))]
fn queue_get(py: Python<'_>, slot: i64) -> Option<Bound<'_, PyBytes>> {
    let slot = u32::try_from(slot).ok()?;
    bytes(py, with_ring(py, |ring| ring.get(slot)).flatten())
}

/// Puts an item into a slot.
#[pyfunction]
#[pyo3(signature = (slot, item, /))]
fn queue_set<'py>(py: Python<'py>, slot: i64, item: Octets<'py>) -> Option<Bound<'py, PyBool>> {
    let slot = u32::try_from(slot).ok()?;
    done(py, with_ring(py, |ring| ring.set(slot, &item)))
}

/// The newest item, which stays there; with a number so many, the newest one first, None for slots without any.
#[pyfunction]
#[pyo3(signature = (count = 0, /))]
fn queue_last(py: Python<'_>, count: i64) -> PyResult<Option<Bound<'_, PyAny>>> {
    let most = u32::try_from(count.max(1)).unwrap_or(u32::MAX);
    let Some(items) = with_ring(py, |ring| ring.last(most)) else { return Ok(None) };
    let mut items = items.into_iter().map(|item| bytes(py, item));
    if count > 0 {
        return PyList::new(py, items.collect::<Vec<_>>()).map(|list| Some(list.into_any()));
    }
    Ok(items.next().flatten().map(Bound::into_any))
}

/// The slot that the next item is pushed into.
#[pyfunction]
fn queue_slot(py: Python<'_>) -> Option<u32> {
    with_ring(py, |ring| ring.push_slot())
}

/// The slot that is pulled next.
#[pyfunction]
fn queue_pull_slot(py: Python<'_>) -> Option<u32> {
    with_ring(py, |ring| ring.pull_slot())
}

/// Descriptor of the memory of a shared area.
#[pyfunction]
fn area_descriptor(py: Python<'_>, number: usize) -> Option<RawFd> {
    with_instance(py, |instance| instance.area(number).map(|area| area.as_raw_fd())).flatten()
}

/// Uses the queue without letting go of the interpreter: nobody holds its lock for longer than a moment.
fn with_ring<R>(py: Python<'_>, act: impl FnOnce(&Ring<'_>) -> R) -> Option<R> {
    with_instance(py, |instance| instance.queue().and_then(|queue| queue.with(|ring| act(ring)))).flatten()
}

fn done(py: Python<'_>, done: Option<bool>) -> Option<Bound<'_, PyBool>> {
    done.unwrap_or(false).then(|| PyBool::new(py, true).to_owned())
}

fn bytes(py: Python<'_>, item: Option<Vec<u8>>) -> Option<Bound<'_, PyBytes>> {
    item.map(|item| PyBytes::new(py, &item))
}
