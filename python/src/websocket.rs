//! `uwsgi.websocket_*`: the request of the calling thread as a websocket (uWSGI's manual, "WebSocket support"). Worker.

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rhinod::worker::Exchange;
use rhinod::worker::websocket::{Kind, Opening, Received};

use crate::current::with_current;
use crate::ffi::text::Octets;

/// Adds the functions to the extension module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(websocket_handshake, module)?)?;
    module.add_function(wrap_pyfunction!(websocket_recv, module)?)?;
    module.add_function(wrap_pyfunction!(websocket_recv_nb, module)?)?;
    module.add_function(wrap_pyfunction!(websocket_is_text, module)?)?;
    module.add_function(wrap_pyfunction!(websocket_send, module)?)?;
    module.add_function(wrap_pyfunction!(websocket_send_binary, module)?)
}

/// Makes the connection a websocket. What is not given, or empty, is that of the request.
#[pyfunction]
#[pyo3(signature = (key = None, origin = None, proto = None, /))]
fn websocket_handshake<'py>(
    py: Python<'py>,
    key: Option<Octets<'py>>,
    origin: Option<Octets<'py>>,
    proto: Option<Octets<'py>>,
) -> PyResult<()> {
    let [key, origin, protocol] =
        [&key, &origin, &proto].map(|given| given.as_deref().filter(|given| !given.is_empty()));
    let opening = Opening { key, origin, protocol };
    let failed = |reason: String| PyOSError::new_err(format!("unable to complete websocket handshake{reason}"));
    match with_exchange(py, |exchange| exchange.open_websocket(&opening)) {
        Some(Ok(())) => Ok(()),
        Some(Err(error)) => Err(failed(format!(": {error}"))),
        None => Err(failed(String::new())),
    }
}

/// The next message, text or not.
#[pyfunction]
fn websocket_recv(py: Python<'_>) -> PyResult<Bound<'_, PyBytes>> {
    receive(py, true)
}

/// The next message, or b"" when none is here.
#[pyfunction]
fn websocket_recv_nb(py: Python<'_>) -> PyResult<Bound<'_, PyBytes>> {
    receive(py, false)
}

fn receive(py: Python<'_>, waits: bool) -> PyResult<Bound<'_, PyBytes>> {
    match with_exchange(py, |exchange| exchange.receive_message(waits)) {
        Some(Received::Message(message)) => Ok(PyBytes::new(py, &message.bytes)),
        Some(Received::Nothing) => Ok(PyBytes::new(py, b"")),
        Some(Received::Ended) | None => Err(PyOSError::new_err("unable to receive websocket message")),
    }
}

/// Whether the last message was text; None before the first one.
#[pyfunction]
fn websocket_is_text(py: Python<'_>) -> Option<bool> {
    let kind = with_exchange(py, |exchange| exchange.last_message_kind()).flatten();
    kind.map(|kind| kind == Kind::Text)
}

/// Sends a message of text.
#[pyfunction]
#[pyo3(signature = (message, /))]
fn websocket_send<'py>(py: Python<'py>, message: Octets<'py>) -> PyResult<()> {
    let message: &[u8] = &message;
    if std::str::from_utf8(message).is_err() {
        return Err(PyValueError::new_err("a message of text has to be UTF-8 (websocket_send_binary sends any bytes)"));
    }
    match with_exchange(py, |exchange| exchange.send_message(Kind::Text, message)) {
        Some(true) => Ok(()),
        _ => Err(PyOSError::new_err("unable to send websocket message")),
    }
}

/// Sends a message of bytes.
#[pyfunction]
#[pyo3(signature = (message, /))]
fn websocket_send_binary<'py>(py: Python<'py>, message: Octets<'py>) -> PyResult<()> {
    let message: &[u8] = &message;
    match with_exchange(py, |exchange| exchange.send_message(Kind::Binary, message)) {
        Some(true) => Ok(()),
        _ => Err(PyOSError::new_err("unable to send websocket binary message")),
    }
}

/// Uses the exchange of this thread's request, detached from the interpreter; `None` outside of one.
fn with_exchange<R: Send>(py: Python<'_>, action: impl FnOnce(&mut Exchange<'_>) -> R + Send) -> Option<R> {
    with_current(|current| current.lease.clone())?.detached(py, action)
}
