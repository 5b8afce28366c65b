//! What the module of calls asks of the extension: functions of other instances, and what those of this one are to do for them
//! (uWSGI's manual, "uWSGI RPC Stack"). Zygote, and every process below it.

use std::cell::Cell;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use rhinod::worker::Call;

use crate::failure::traceback;
use crate::ffi::lease::with_instance;

/// Adds the functions to the extension module.
pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(call_remote, module)?)
}

/// How long each step of asking somebody else may take (`socket-timeout`).
pub(super) fn patience(py: Python<'_>) -> Duration {
    /// Where there is no instance.
    const USUAL: Duration = Duration::from_secs(4);
    with_instance(py, |instance| instance.config().request.socket_timeout).unwrap_or(USUAL)
}

/// Calls a function of another instance; None where there is no result.
///
/// # Errors
/// `OSError`: it could not be asked.
#[pyfunction]
fn call_remote<'py>(
    py: Python<'py>,
    address: &str,
    function: Vec<u8>,
    arguments: Vec<Vec<u8>>,
) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let patience = patience(py);
    let result = py.detach(|| {
        let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        rhinod::remote::call(address, &function, &arguments, patience)
    })?;
    Ok(result.map(|result| PyBytes::new(py, &result)))
}

thread_local! {
    /// Whether the thread carries out a call for somebody else.
    static UNDER_WAY: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread carries out a call for somebody else.
pub(super) fn is_under_way() -> bool {
    UNDER_WAY.get()
}

/// Calls a function of this process for somebody else; `None` where there is no result.
pub(crate) fn call(py: Python<'_>, call: &Call<'_>) -> Option<Vec<u8>> {
    let called = || -> PyResult<Option<Vec<u8>>> {
        let arguments = PyList::new(py, call.arguments.iter().map(|argument| PyBytes::new(py, argument)))?;
        let function = PyBytes::new(py, call.function);
        py.import("rhinod_rpc")?.call_method1("serve", (function, arguments))?.extract()
    };
    UNDER_WAY.set(true);
    let result = called();
    UNDER_WAY.set(false);
    result.unwrap_or_else(|error| {
        log::error!("a function that is called from elsewhere\n{}", traceback(py, &error));
        None
    })
}
