//! The keys of the environ that are not variables of the request, made once for each worker. Worker.

use pyo3::prelude::*;
use pyo3::types::PyString;

/// Interned strings.
pub(crate) struct Names {
    pub(crate) input: Py<PyString>,
    pub(crate) input_terminated: Py<PyString>,
    pub(crate) url_scheme: Py<PyString>,
    pub(crate) https: Py<PyString>,
    pub(crate) core: Py<PyString>,
    pub(crate) script_name: Py<PyString>,
    pub(crate) path_info: Py<PyString>,
    pub(crate) close: Py<PyString>,
}

impl Names {
    pub(crate) fn new(py: Python<'_>) -> Self {
        let interned = |text| PyString::intern(py, text).unbind();
        Self {
            input: interned("wsgi.input"),
            input_terminated: interned("wsgi.input_terminated"),
            url_scheme: interned("wsgi.url_scheme"),
            https: interned("https"),
            core: interned("uwsgi.core"),
            script_name: interned("SCRIPT_NAME"),
            path_info: interned("PATH_INFO"),
            close: interned("close"),
        }
    }
}
