//! Python exceptions on their way to the log: whole, in one write. Zygote and worker.

use pyo3::prelude::*;
use pyo3::types::PyString;

/// The traceback as `python` prints it, without a newline at its end.
pub(crate) fn traceback(py: Python<'_>, error: &PyErr) -> String {
    let format = || -> PyResult<String> {
        let lines = py
            .import("traceback")?
            .call_method1("format_exception", (error.get_type(py), error.value(py), error.traceback(py)))?;
        let text = PyString::new(py, "").call_method1("join", (lines,))?;
        // Surrogates in a message cannot be UTF-8.
        let bytes: Vec<u8> = text.call_method1("encode", ("utf-8", "backslashreplace"))?.extract()?;
        Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
    };
    // An exception whose message cannot be made raises another one, in formatting.
    format().unwrap_or_else(|_| format!("{} (its message cannot be printed)", error.get_type(py)))
}
