//! What the modules of mules and spoolers ask of the extension: what this process is, whether it is to leave, and the
//! mailboxes of the instance. Zygote, worker and companion.

use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::time::Duration;

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rhinod::member::Member;
use rhinod::sys::mailbox::{Mailbox, Posted};

use crate::ffi::fork;
use crate::ffi::lease::{with_companion, with_instance, with_worker};

/// Adds the functions to the extension module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(companion, module)?)?;
    module.add_function(wrap_pyfunction!(is_leaving, module)?)?;
    module.add_function(wrap_pyfunction!(orders, module)?)?;
    module.add_function(wrap_pyfunction!(mind_orders, module)?)?;
    module.add_function(wrap_pyfunction!(set_work_deadline, module)?)?;
    module.add_function(wrap_pyfunction!(begin_signal, module)?)?;
    module.add_function(wrap_pyfunction!(end_signal, module)?)?;
    module.add_function(wrap_pyfunction!(begin_task, module)?)?;
    module.add_function(wrap_pyfunction!(end_task, module)?)?;
    module.add_function(wrap_pyfunction!(call_for_spoolers, module)?)?;
    module.add_function(wrap_pyfunction!(post, module)?)?;
    module.add_function(wrap_pyfunction!(take, module)?)?;
    module.add_function(wrap_pyfunction!(outlet, module)?)?;
    module.add_function(wrap_pyfunction!(companion_pids, module)?)?;
    module.add_function(wrap_pyfunction!(take_signal, module)?)?;
    module.add_function(wrap_pyfunction!(signal_sources, module)?)?;
    module.add_function(wrap_pyfunction!(mailbox_bytes, module)?)
}

/// What this process is beside the workers (`mule`, `spooler`), and its number from 1 on; `None` if it is nothing of that.
#[pyfunction]
fn companion(py: Python<'_>) -> Option<(String, u32)> {
    if fork::is_stray() {
        return None;
    }
    with_companion(py, |companion| companion.member().post()).map(|post| (post.role.to_string(), post.number))
}

/// Whether the master wants this companion to leave.
#[pyfunction]
fn is_leaving(py: Python<'_>) -> bool {
    with_companion(py, |companion| companion.member().is_leaving()).unwrap_or(false)
}

/// A descriptor that is readable once the master wants this companion to leave; -1 where there is none.
#[pyfunction]
fn orders(py: Python<'_>) -> RawFd {
    with_companion(py, |companion| companion.orders().as_raw_fd()).unwrap_or(-1)
}

/// From now on this companion looks by itself whether it is to leave, between two pieces of work.
#[pyfunction]
fn mind_orders(py: Python<'_>) {
    let _ = with_companion(py, |companion| companion.mind_orders());
}

/// Gives what this companion does now so many seconds, after which it is killed; 0 takes that back. False: this process is
/// none.
#[pyfunction]
fn set_work_deadline(py: Python<'_>, seconds: f64) -> bool {
    let limit = Duration::try_from_secs_f64(seconds).ok().filter(|limit| !limit.is_zero());
    with_companion(py, |companion| companion.set_deadline(limit)).is_some()
}

/// Tells that the function for a signal begins in this process.
#[pyfunction]
fn begin_signal(py: Python<'_>, number: u8) {
    with_member(py, |member| member.begin_signal(number));
}

/// Tells that it has ended.
#[pyfunction]
fn end_signal(py: Python<'_>) {
    with_member(py, |member| member.end_signal());
}

/// Tells that this companion begins a task.
#[pyfunction]
fn begin_task(py: Python<'_>) {
    with_member(py, |member| member.begin_task());
}

/// Tells that the task under way, if one is, has ended.
#[pyfunction]
fn end_task(py: Python<'_>, failed: bool) {
    with_member(py, |member| member.end_task(failed));
}

/// Has the master look whether a spool directory is to have more processes, if that may be.
#[pyfunction]
fn call_for_spoolers(py: Python<'_>, directory: &str) {
    with_instance(py, |instance| instance.call_for_spoolers(Path::new(directory)));
}

/// Puts a message into a mailbox: `"queued"`, or why not: `"full"`, `"too long"`.
#[pyfunction]
fn post(py: Python<'_>, name: &str, message: &[u8]) -> PyResult<&'static str> {
    Ok(match with_mailbox(py, name, |mailbox| mailbox.post(message))?? {
        Posted::Queued => "queued",
        Posted::Full => "full",
        Posted::TooLong => "too long",
    })
}

/// Takes the oldest message of a mailbox; `None`: there is none.
#[pyfunction]
fn take<'py>(py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let message = with_mailbox(py, name, Mailbox::take)??;
    Ok(message.map(|message| PyBytes::new(py, &message)))
}

/// A descriptor that is readable while something is in a mailbox.
#[pyfunction]
fn outlet(py: Python<'_>, name: &str) -> PyResult<RawFd> {
    with_mailbox(py, name, |mailbox| mailbox.outlet().as_raw_fd())
}

/// Bytes that a mailbox has room for.
#[pyfunction]
fn mailbox_bytes(py: Python<'_>, name: &str) -> PyResult<usize> {
    with_mailbox(py, name, Mailbox::bytes)
}

/// Process ids of companions of a kind, by number; 0 for one that was never there.
#[pyfunction]
fn companion_pids(py: Python<'_>, role: &str, count: usize) -> Vec<u32> {
    let mut pids = vec![0; count];
    let _ = with_instance(py, |instance| {
        let mut newest = vec![0; count];
        for (_, seat) in instance.seats() {
            let figures = seat.figures();
            let Some(post) = figures.post.filter(|post| post.role.to_string() == role) else { continue };
            let place = (post.number as usize).wrapping_sub(1);
            if place < count && figures.nth >= newest[place] {
                (newest[place], pids[place]) = (figures.nth, figures.process);
            }
        }
    });
    pids
}

/// The next signal for this worker. The thread that hears the master hears it first.
#[pyfunction]
fn take_signal(py: Python<'_>) -> Option<u8> {
    with_worker(py, |worker| {
        if worker.info().threads == 1 {
            // What is wrong with the master shows at the next wait.
            let _ = worker.member().hear_between();
        }
        worker.take_signal()
    })
    .flatten()
}

/// Descriptors that are readable when a signal for this worker may have come.
#[pyfunction]
fn signal_sources(py: Python<'_>) -> Vec<RawFd> {
    with_worker(py, |worker| worker.signal_sources()).unwrap_or_default()
}

/// Uses what this process is as a member of its instance; not in one that the application has forked.
pub(crate) fn with_member(py: Python<'_>, action: impl Fn(&Member<'_>)) {
    if !fork::is_stray() {
        with_worker(py, |worker| action(worker.member()))
            .or_else(|| with_companion(py, |companion| action(companion.member())));
    }
}

fn with_mailbox<R>(py: Python<'_>, name: &str, action: impl FnOnce(&Mailbox) -> R) -> PyResult<R> {
    let done = with_instance(py, |instance| instance.mailbox(name).map(action)).flatten();
    done.ok_or_else(|| PyKeyError::new_err(format!("this instance has no mailbox {name}")))
}
