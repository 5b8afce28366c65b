//! Python exceptions as text: for the log, whole, in one write; and as a configuration may name them. Zygote and worker.

use pyo3::prelude::*;
use pyo3::types::{PyString, PyTypeMethods};
use rhinod::worker::Raised;

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

/// The exception as `reload-on-exception-*` may name it. What cannot be had of it is left out.
pub(crate) fn raised(py: Python<'_>, error: &PyErr) -> Raised {
    let (kind, value) = (error.get_type(py), error.value(py));
    let text = |text: PyResult<Bound<'_, PyString>>| text.ok().map(|text| text.to_string_lossy().into_owned());
    Raised {
        types: [text(kind.name()), text(kind.fully_qualified_name())].into_iter().flatten().collect(),
        value: text(value.str()).unwrap_or_default(),
        reprs: text(value.repr()).into_iter().collect(),
    }
}
