//! What the `uwsgi` module asks of the extension: the worker, the instance, and the request of the calling thread. Worker;
//! in the zygote, where there is neither, the functions answer as uWSGI does outside of a request.

mod cache;
mod cache_entries;
mod metric;
mod queue;
mod remote_cache;
pub(crate) mod rpc;

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use nix::sys::socket::{MsgFlags, Shutdown, recv, shutdown};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};
use rhinod::escape;
use rhinod::member::Instance;
use rhinod::worker::Exchange;
use worker_protocol::control::FromWorker;
use worker_protocol::post::Role;
use worker_protocol::scoreboard::{Signals, WorkerFigures};

use crate::chunks;
use crate::current::with_current;
use crate::ffi::fork;
use crate::ffi::lease::{with_instance, with_member_detached, with_worker};
use crate::harakiri;

/// Adds the functions to the extension module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    cache::register(module)?;
    cache_entries::register(module)?;
    metric::register(module)?;
    queue::register(module)?;
    rpc::register(module)?;
    module.add_function(wrap_pyfunction!(ask_reload, module)?)?;
    module.add_function(wrap_pyfunction!(ask_stop, module)?)?;
    module.add_function(wrap_pyfunction!(ask_cheap, module)?)?;
    module.add_function(wrap_pyfunction!(worker_id, module)?)?;
    module.add_function(wrap_pyfunction!(workers, module)?)?;
    module.add_function(wrap_pyfunction!(sockets, module)?)?;
    module.add_function(wrap_pyfunction!(total_requests, module)?)?;
    module.add_function(wrap_pyfunction!(request_id, module)?)?;
    module.add_function(wrap_pyfunction!(note_child, module)?)?;
    module.add_function(wrap_pyfunction!(shared_memory, module)?)?;
    module.add_function(wrap_pyfunction!(set_process_name, module)?)?;
    module.add_function(wrap_pyfunction!(memory, module)?)?;
    module.add_function(wrap_pyfunction!(write_log, module)?)?;
    module.add_function(wrap_pyfunction!(complain, module)?)?;
    module.add_function(wrap_pyfunction!(core_of_thread, module)?)?;
    module.add_function(wrap_pyfunction!(connection_fd, module)?)?;
    module.add_function(wrap_pyfunction!(is_connected, module)?)?;
    module.add_function(wrap_pyfunction!(disconnect, module)?)?;
    module.add_function(wrap_pyfunction!(content_length, module)?)?;
    module.add_function(wrap_pyfunction!(current_environ, module)?)?;
    module.add_function(wrap_pyfunction!(set_logvar, module)?)?;
    module.add_function(wrap_pyfunction!(get_logvar, module)?)?;
    module.add_function(wrap_pyfunction!(set_deadline, module)?)?;
    module.add_function(wrap_pyfunction!(is_overdue, module)?)?;
    module.add_function(wrap_pyfunction!(chunks::read_chunk, module)?)?;
    module.add_function(wrap_pyfunction!(log_this_request, module)?)
}

/// Asks the master for a graceful reload. False: there is no process that could ask.
#[pyfunction]
fn ask_reload(py: Python<'_>) -> bool {
    tell(py, &FromWorker::AskReload)
}

/// Asks the master to stop the instance.
#[pyfunction]
fn ask_stop(py: Python<'_>) -> bool {
    tell(py, &FromWorker::AskStop)
}

/// Asks the master to let this worker go without a successor.
#[pyfunction]
fn ask_cheap(py: Python<'_>) -> bool {
    tell(py, &FromWorker::AskCheap)
}

fn tell(py: Python<'_>, record: &FromWorker) -> bool {
    with_member_detached(py, |member| member.tell(record)).is_some()
}

/// Number of this worker, from 1; 0 in the zygote.
#[pyfunction]
fn worker_id(py: Python<'_>) -> u32 {
    with_worker(py, |worker| worker.info().number).unwrap_or(0)
}

/// One dict for each seat that somebody has ever taken; whether he still lives is for the caller to find out.
#[pyfunction]
fn workers(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let taken = with_instance(py, |instance| {
        instance.seats().filter_map(|(_, seat)| figures(&seat.figures(), seat.signals())).collect::<Vec<_>>()
    });
    let list = PyList::empty(py);
    for figures in taken.unwrap_or_default() {
        let worker = PyDict::new(py);
        worker.set_item("status", PyBytes::new(py, figures.status.as_bytes()))?;
        for (name, value) in figures.numbers {
            worker.set_item(name, value)?;
        }
        list.append(worker)?;
    }
    Ok(list)
}

struct Figures {
    status: String,
    numbers: [(&'static str, u64); 11],
}

/// `None` where no worker has ever sat.
fn figures(figures: &WorkerFigures, signals: Signals) -> Option<Figures> {
    let post = figures.post.filter(|post| post.role == Role::Worker)?;
    Some(Figures {
        status: match signals.under_way {
            Some(number) => format!("sig{number}"),
            None => if figures.busy_cores > 0 { "busy" } else { "idle" }.to_owned(),
        },
        numbers: [
            ("id", post.number.into()),
            ("respawn_count", figures.nth.saturating_sub(1).into()),
            ("pid", figures.process.into()),
            ("requests", figures.requests),
            ("exceptions", figures.exceptions),
            ("rss", figures.rss_bytes),
            ("vsz", figures.vsz_bytes),
            ("running_time", figures.running_us),
            ("avg_rt", figures.average_us),
            ("tx", figures.sent_bytes),
            ("signals", signals.handled),
        ],
    })
}

/// Descriptors of the sockets of the instance.
#[pyfunction]
fn sockets(py: Python<'_>) -> Vec<RawFd> {
    let descriptors = |instance: &Instance<'_>| instance.sockets().map(|socket| socket.as_raw_fd()).collect();
    with_instance(py, descriptors).unwrap_or_default()
}

/// Requests of all workers that live.
#[pyfunction]
fn total_requests(py: Python<'_>) -> u64 {
    with_instance(py, |instance| instance.requests()).unwrap_or(0)
}

/// Requests of this worker before the present one.
#[pyfunction]
fn request_id(py: Python<'_>) -> u64 {
    with_worker(py, |worker| worker.requests()).unwrap_or(0)
}

/// Called by the interpreter in the child of each fork.
#[pyfunction]
fn note_child() {
    fork::note_child();
}

/// Descriptor of the memory that all processes of the instance share, for record locks.
#[pyfunction]
fn shared_memory(py: Python<'_>) -> PyResult<RawFd> {
    let descriptor = with_instance(py, |instance| instance.shared_memory().as_raw_fd());
    descriptor.ok_or_else(|| PyRuntimeError::new_err("this process belongs to no instance"))
}

/// Gives the process a title.
#[pyfunction]
fn set_process_name(py: Python<'_>, name: &str) -> PyResult<()> {
    let title = with_instance(py, |instance| instance.config().process_names.decorated(name));
    Ok(rhinod::sys::title::set_title(title.as_deref().unwrap_or(name))?)
}

/// Resident and virtual size of this process in bytes.
#[pyfunction]
fn memory() -> (u64, u64) {
    rhinod::sys::memory::own_bytes()
}

/// Writes a line to the log.
#[pyfunction]
fn write_log(message: &str) {
    log::info!("{message}");
}

/// Writes what went wrong in the application to the log, as a text of several lines.
#[pyfunction]
fn complain(text: &Bound<'_, PyString>) {
    log::error!("{}", escape::lines(&text.to_string_lossy()));
}

/// Number of the worker's thread that calls, from the name that the server gave it; 0 for other threads.
#[pyfunction]
fn core_of_thread() -> usize {
    let thread = std::thread::current();
    thread.name().and_then(|name| name.strip_prefix("core ")).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Descriptor of the connection of this thread's request; -1 outside of one.
#[pyfunction]
fn connection_fd(py: Python<'_>) -> RawFd {
    let handed_out = |exchange: &mut Exchange<'_>| {
        // It fails for no open descriptor.
        let _ = exchange.stream.set_nonblocking();
        exchange.stream.as_fd().as_raw_fd()
    };
    with_exchange(py, handed_out).unwrap_or(-1)
}

/// Whether the other side of a connected socket is still there.
#[pyfunction]
fn is_connected(descriptor: RawFd) -> bool {
    let mut byte = [0];
    match recv(descriptor, &mut byte, MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT) {
        Ok(count) => count > 0,
        Err(error) => matches!(error, nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR),
    }
}

/// Ends the connection of this thread's request, in both directions.
#[pyfunction]
fn disconnect(py: Python<'_>) {
    let descriptor = connection_fd(py);
    if descriptor >= 0 {
        // A connection that the client has ended already is where it should be.
        let _ = shutdown(descriptor, Shutdown::Both);
    }
}

/// Declared length of this thread's request body; 0 also for one that comes in chunks.
#[pyfunction]
fn content_length(py: Python<'_>) -> u64 {
    use rhinod::worker::body::DeclaredBody;
    with_exchange(py, |exchange| exchange.body.length()).flatten().unwrap_or(0)
}

/// The environ of this thread's request.
#[pyfunction]
fn current_environ(py: Python<'_>) -> Option<Py<PyDict>> {
    with_current(|current| current.environ.clone_ref(py))
}

/// Sets a variable for the log line of this thread's request.
#[pyfunction]
fn set_logvar(py: Python<'_>, name: &[u8], value: &[u8]) -> PyResult<()> {
    // Outside of a request there is no line, as in uWSGI.
    let set = with_exchange(py, |exchange| exchange.notes.set(name, value)).unwrap_or(Ok(()));
    set.map_err(|error| PyValueError::new_err(error.to_string()))
}

/// A variable of the log line of this thread's request.
#[pyfunction]
fn get_logvar<'py>(py: Python<'py>, name: &[u8]) -> Option<Bound<'py, PyBytes>> {
    let value = with_exchange(py, |exchange| exchange.notes.get(name).map(<[u8]>::to_vec)).flatten();
    value.map(|value| PyBytes::new(py, &value))
}

/// Gives this thread's request so many seconds from now on; 0 takes that back. Outside of a request there is nothing to set.
#[pyfunction]
fn set_deadline(py: Python<'_>, seconds: i64) -> PyResult<()> {
    harakiri::arm(py)?;
    let limit = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs);
    let _ = with_exchange(py, |exchange| exchange.set_deadline(limit));
    Ok(())
}

/// Whether this thread's request, or the call that it carries out, is over its time.
#[pyfunction]
fn is_overdue(py: Python<'_>) -> bool {
    let of_call =
        || rpc::is_under_way() && with_worker(py, |worker| worker.is_overdue(core_of_thread())).unwrap_or(false);
    with_exchange(py, |exchange| exchange.is_overdue()).unwrap_or_else(of_call)
}

/// Has the line of this thread's request written to the log, whatever the configuration says.
#[pyfunction]
fn log_this_request(py: Python<'_>) {
    // Outside of a request there is no line.
    let _ = with_exchange(py, |exchange| exchange.notes.forced = true);
}

/// Uses the exchange of this thread's request; `None` outside of one.
fn with_exchange<R: Send>(py: Python<'_>, action: impl FnOnce(&mut Exchange<'_>) -> R + Send) -> Option<R> {
    with_current(|current| current.lease.clone())?.with(py, action)
}
