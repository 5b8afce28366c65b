//! Answers requests with a WSGI application (PEP 3333; uWSGI's manual, "Python support"). Worker, on each of its
//! threads.
//!
//! The accept loop runs detached from the interpreter; a request attaches once, and detaches around every system call.

use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use rhinod::config::model::VanishedClients;
use rhinod::escape;
use rhinod::worker::body::DeclaredBody;
use rhinod::worker::{Call, Exchange, Service, Watch};

use crate::api::rpc;
use crate::current;
use crate::environ::Remembered;
use crate::failure::{raised, traceback};
use crate::ffi::accept_loop::run_detached;
use crate::ffi::fork::is_stray;
use crate::ffi::lease::Lease;
use crate::ffi::text::from_latin1;
use crate::file_wrapper::{Extent, FileWrapper};
use crate::harakiri::{self, Threads};
use crate::input::Input;
use crate::mounts::Mounts;
use crate::names::Names;
use crate::oddity::Oddity;
use crate::piece::bytes_of;
use crate::start_response::StartResponse;

/// The page for a request that no application could answer (uWSGI's manual, "Python support").
const ERROR_PAGE: &str = "Internal Server Error\n";

/// The applications of a worker, and what every request needs.
pub(crate) struct WsgiService {
    pub(crate) mounts: Mounts<Py<PyAny>>,
    /// The entries of the environ that are the same for every request.
    pub(crate) base: Py<PyDict>,
    pub(crate) names: Names,
    pub(crate) clients: VanishedClients,
    /// `catch-exceptions`: tracebacks go to the client too.
    pub(crate) show_exceptions: bool,
    /// One for each thread, which is the only one to use it.
    pub(crate) remembered: Vec<Mutex<Remembered>>,
    /// `uwsgi.core` is set (more than one thread).
    pub(crate) tell_core: bool,
    /// Called on each thread before it serves, with its number.
    pub(crate) thread_hook: Py<PyAny>,
    /// Who is interrupted when a request is over its time.
    pub(crate) threads: Threads,
    /// Called after each request (`uwsgi.after_req_hook`).
    pub(crate) request_hook: Option<Py<PyAny>>,
    /// `harakiri-no-arh`: that call has no deadline.
    pub(crate) spares_hook: bool,
}

/// How the delivery of a result ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delivered {
    Whole,
    /// The client has gone, or has not read for the socket timeout.
    Undeliverable,
}

impl Service for WsgiService {
    fn on_signal(&self, number: u8) {
        Python::attach(|py| {
            let handled = py.import("rhinod_signals").and_then(|signals| signals.call_method1("handle", (number,)));
            if let Err(error) = handled {
                log::error!("signal {number}\n{}", traceback(py, &error));
            }
        });
    }

    fn call(&self, core: usize, watch: &Watch, call: &Call<'_>) -> Option<Vec<u8>> {
        Python::attach(|py| {
            let result = rpc::call(py, call);
            if watch.end_work() {
                self.threads.forget(py, core);
            }
            result
        })
    }

    fn serve(&self, exchange: &mut Exchange<'_>) {
        Python::attach(|py| {
            if let Err(error) = self.answer(py, exchange) {
                self.come_back(py, exchange);
                self.failed(py, exchange, &error);
            }
            if self.spares_hook {
                exchange.lift_deadline();
            }
            if let Some(hook) = &self.request_hook
                && let Err(error) = hook.call0(py)
            {
                complain("uwsgi.after_req_hook", py, &error);
            }
            self.come_back(py, exchange);
        });
    }

    fn whereabouts(&self, _core: usize, watch: &Watch) -> String {
        harakiri::stack_of(watch)
    }

    fn interrupt(&self, core: usize, watch: &Watch) {
        self.threads.interrupt(core, watch);
    }

    fn on_thread(&self, core: usize, accept_loop: &mut dyn FnMut()) {
        // The thread state lives as long as the thread, so that attaching for a request only takes the lock.
        Python::attach(|py| {
            if let Err(error) = self.thread_hook.call0(py) {
                log::warn!("naming a thread: {}", traceback(py, &error));
            }
            if let Err(error) = self.threads.attend(py, core) {
                log::warn!("a thread cannot be interrupted: {}", traceback(py, &error));
            }
            run_detached(py, accept_loop);
        });
    }
}

impl WsgiService {
    /// Calls the application and delivers what it returns.
    fn answer(&self, py: Python<'_>, exchange: &mut Exchange<'_>) -> PyResult<()> {
        let Some(chosen) = self.mounts.choose(exchange.head.script_name(), exchange.head.path()) else {
            log::error!("--- no python application found, check your startup logs for errors ---");
            exchange.answer_plainly(500, ERROR_PAGE);
            return Ok(());
        };
        let environ = self.environ(py, exchange)?;
        if let Some((script_name, path_info)) = chosen.rewritten {
            environ.set_item(&self.names.script_name, from_latin1(py, script_name)?)?;
            environ.set_item(&self.names.path_info, from_latin1(py, path_info)?)?;
        }
        let delivered = Lease::lend(py, exchange, |lease| {
            environ.set_item(&self.names.input, Py::new(py, Input::new(Arc::clone(lease)))?)?;
            let start_response = StartResponse::new(Arc::clone(lease), self.clients.disable_write_exception);
            current::during(lease, &environ, || {
                let result = chosen.application.bind(py).call1((&environ, start_response))?;
                self.deliver(lease, &result)
            })
        });
        if is_stray() {
            end_stray(py, delivered.as_ref().err());
        }
        if delivered? == Delivered::Undeliverable && !exchange.is_overdue() {
            self.log_vanished(exchange);
        }
        Ok(())
    }

    /// The environ without `wsgi.input`.
    fn environ<'py>(&self, py: Python<'py>, exchange: &Exchange<'_>) -> PyResult<Bound<'py, PyDict>> {
        let Exchange { core, head, .. } = exchange;
        // Nobody else waits for it: each thread has its own.
        let mut remembered = self.remembered[*core].lock().unwrap_or_else(PoisonError::into_inner);
        let environ = remembered.environ(self.base.bind(py), head)?;
        if head.scheme(exchange.trusts_forwarded()) == "https" {
            environ.set_item(&self.names.url_scheme, &self.names.https)?;
        }
        if exchange.body.length().is_none() {
            // It can be read to its end, although nobody knows where that is.
            environ.set_item(&self.names.input_terminated, true)?;
        }
        if self.tell_core {
            environ.set_item(&self.names.core, core)?;
        }
        Ok(environ)
    }

    /// Sends what the application returned, and closes it.
    fn deliver(&self, lease: &Lease, result: &Bound<'_, PyAny>) -> PyResult<Delivered> {
        let sent = self.send(lease, result);
        if let Some(close) = self.close_method(result)?
            && let Err(error) = close.call0()
        {
            complain("the application's close()", result.py(), &error);
        }
        sent
    }

    /// The result's `close`; the most common results have none.
    fn close_method<'py>(&self, result: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if result.is_exact_instance_of::<PyList>() || result.is_exact_instance_of::<PyBytes>() {
            return Ok(None);
        }
        result.getattr_opt(&self.names.close)
    }

    fn send(&self, lease: &Lease, result: &Bound<'_, PyAny>) -> PyResult<Delivered> {
        if let Ok(bytes) = result.cast::<PyBytes>() {
            return send_whole(lease, bytes);
        }
        if let Ok(list) = result.cast_exact::<PyList>()
            && list.len() == 1
            && let Ok(bytes) = list.get_item(0)?.cast_into_exact::<PyBytes>()
        {
            return send_whole(lease, &bytes);
        }
        if let Ok(wrapper) = result.cast_exact::<FileWrapper>()
            && let Some(extent) = wrapper.get().extent(result.py())
        {
            return send_file(result.py(), lease, &extent);
        }
        if result.is_none() {
            return nothing_returned(result.py(), lease);
        }
        for piece in result.try_iter().map_err(|error| not_iterable(result, error))? {
            if send_any(lease, &piece?)? == Delivered::Undeliverable {
                return Ok(Delivered::Undeliverable);
            }
            // Of an iterable without an end nobody would get to know that the client of a HEAD has gone.
            if lease.with(result.py(), |exchange| exchange.reply.wants_more()) == Some(false) {
                break;
            }
        }
        ended(result.py(), lease)
    }

    /// The application has done with a request, as far as that may be interrupted.
    fn come_back(&self, py: Python<'_>, exchange: &Exchange<'_>) {
        if exchange.end_work() {
            self.threads.forget(py, exchange.core);
        }
    }

    /// The application raised an exception: into the log, and a page to the client if nothing is on its way yet.
    fn failed(&self, py: Python<'_>, exchange: &mut Exchange<'_>, error: &PyErr) {
        if error.is_instance_of::<PyOSError>(py) && (exchange.reply.sent().write_failed || exchange.body.failed()) {
            self.log_vanished(exchange);
            match exchange.body.refusal() {
                Some(status) => exchange.answer_plainly(status, "The request body is not what it should be.\n"),
                None => exchange.answer_plainly(500, ERROR_PAGE),
            }
            return;
        }
        if error.is_instance_of::<PyOSError>(py) && exchange.has_websocket_ended() {
            // The usual way out of a loop that receives.
            return;
        }
        let text = traceback(py, error);
        log::error!("{}", escape::lines(&format!("exception in {}\n{text}", exchange.named())));
        exchange.note_exception(|| raised(py, error));
        exchange.answer_plainly(500, if self.show_exceptions { &text } else { ERROR_PAGE });
    }

    /// A client that goes away is its own business, and no error of ours.
    fn log_vanished(&self, exchange: &Exchange<'_>) {
        if !(self.clients.ignore_write_errors || self.clients.ignore_sigpipe) {
            log::info!("the client of {} went away before the end", exchange.named());
        }
    }
}

/// Ends a process that the application forked and that came back here, which is for its parent only. It does not
/// return; if it cannot be helped, a stray gets nothing from the lease, so that it can do no harm.
#[cold]
fn end_stray(py: Python<'_>, error: Option<&PyErr>) {
    // With its traceback.
    let raised = error.map(|error| error.clone_ref(py).into_value(py));
    if let Err(error) = py.import("uwsgi").and_then(|uwsgi| uwsgi.call_method1("_end_stray", (raised,))) {
        complain("the end of a process that the application forked", py, &error);
    }
}

/// Sends one element of an iterable.
fn send_any(lease: &Lease, piece: &Bound<'_, PyAny>) -> PyResult<Delivered> {
    match bytes_of(lease, piece)? {
        Some(bytes) => send_piece(lease, &bytes),
        None => Ok(Delivered::Whole),
    }
}

fn send_piece(lease: &Lease, piece: &Bound<'_, PyBytes>) -> PyResult<Delivered> {
    let bytes = piece.as_bytes();
    outcome(lease.detached(piece.py(), |exchange| exchange.reply.send(bytes)))
}

/// Sends what is all of the body.
fn send_whole(lease: &Lease, body: &Bound<'_, PyBytes>) -> PyResult<Delivered> {
    let bytes = body.as_bytes();
    outcome(lease.detached(body.py(), |exchange| exchange.reply.send_whole(bytes)))
}

fn send_file(py: Python<'_>, lease: &Lease, extent: &Extent) -> PyResult<Delivered> {
    outcome(lease.detached(py, |exchange| exchange.reply.send_last_file(&extent.file, extent.offset, extent.length)))
}

/// The application returned `None`. After write() there may be nothing left to return; if it only called
/// start_response, its answer has no body.
fn nothing_returned(py: Python<'_>, lease: &Lease) -> PyResult<Delivered> {
    match lease.with(py, |exchange| (exchange.reply.is_sending(), exchange.reply.is_started())) {
        Some((true, _)) => Ok(Delivered::Whole),
        Some((false, true)) => {
            Oddity::NoResult.tell(py, lease, || "the application returned None".to_owned());
            Ok(Delivered::Whole)
        }
        _ => Err(not_iterable(py.None().bind(py), not_started())),
    }
}

/// The iterable is at its end: sends the head, if no piece had any bytes.
fn ended(py: Python<'_>, lease: &Lease) -> PyResult<Delivered> {
    let started = lease.with(py, |exchange| exchange.reply.is_started());
    if started != Some(true) {
        return Err(not_started());
    }
    Ok(Delivered::Whole)
}

fn outcome(sent: Option<io::Result<()>>) -> PyResult<Delivered> {
    match sent {
        Some(Ok(())) => Ok(Delivered::Whole),
        Some(Err(error)) if error.kind() == ErrorKind::InvalidInput => Err(not_started()),
        Some(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => {
            Err(PyOSError::new_err("the file became shorter while it was sent"))
        }
        _ => Ok(Delivered::Undeliverable),
    }
}

/// What to say of a result that cannot be iterated: the interpreter's words tell nothing of the application's part. An
/// error of the result's own `__iter__` stays what it is.
fn not_iterable(result: &Bound<'_, PyAny>, error: PyErr) -> PyErr {
    match (result.hasattr("__iter__"), result.get_type().name()) {
        (Ok(false), Ok(kind)) => PyTypeError::new_err(format!(
            "the application returned {kind}, which cannot be iterated: PEP 3333 wants an iterable of bytes"
        )),
        _ => error,
    }
}

#[cold]
fn complain(of: &str, py: Python<'_>, error: &PyErr) {
    log::error!("{}", escape::lines(&format!("{of} failed\n{}", traceback(py, error))));
}

fn not_started() -> PyErr {
    PyRuntimeError::new_err("the application returned a body without calling start_response")
}
