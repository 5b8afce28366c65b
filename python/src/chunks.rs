//! `uwsgi.chunked_read` and its like: request bodies chunk by chunk, as the client has cut them (uWSGI's manual, "The
//! Chunked input API"). Worker.

use std::io;
use std::time::Duration;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rhinod::worker::Exchange;
use rhinod::worker::body::DeclaredBody;

use crate::current::with_current;

/// The next chunk of this thread's request; empty at the end. `None`: it is not here yet, and `waits` is not set.
/// `timeout`: how many seconds to wait for it, 0 for what the configuration says.
#[pyfunction]
pub(crate) fn read_chunk(py: Python<'_>, timeout: u64, waits: bool) -> PyResult<Option<Bound<'_, PyBytes>>> {
    let lease = with_current(|current| current.lease.clone());
    let read = lease.and_then(|lease| lease.detached(py, |exchange| read(exchange, timeout, waits)));
    match read {
        Some(Ok(chunk)) => Ok(chunk.map(|chunk| PyBytes::new(py, &chunk))),
        Some(Err(_)) => Err(PyOSError::new_err("unable to receive chunked part")),
        None => Err(PyOSError::new_err("there is no request whose body could be read")),
    }
}

fn read(exchange: &mut Exchange<'_>, timeout: u64, waits: bool) -> io::Result<Option<Vec<u8>>> {
    let config = exchange.worker.member().config();
    // A body with a length is for wsgi.input: it has no chunks.
    if exchange.body.length().is_some_and(|length| length > 0) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let patience = match timeout {
        0 => config.http.chunk_patience.unwrap_or(config.request.socket_timeout),
        seconds => Duration::from_secs(seconds),
    };
    exchange.body.set_patience(patience);
    let chunk = exchange.body.read_chunk(config.http.chunk_bytes_max, waits);
    exchange.body.set_patience(config.request.socket_timeout);
    chunk
}
