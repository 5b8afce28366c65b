//! `_rhinod`, the extension module that makes a Python interpreter one of rhinod's zygotes and its forks WSGI workers.
//!
//! One build against the stable ABI serves CPython 3.9 and every later version. The master executes the virtualenv's
//! own interpreter, which loads this module from beside the `rhinod` binary and calls `run_zygote`; an application
//! never imports it. Zygote and worker; the master holds no interpreter.

mod api;
mod chunks;
mod companion;
mod current;
mod environ;
mod failure;
mod ffi;
mod file_wrapper;
mod harakiri;
mod input;
mod mounts;
mod names;
mod oddity;
mod piece;
mod program;
mod runtime;
mod service;
mod spooler;
mod start_response;
mod websocket;

use pyo3::prelude::*;

/// The module's contents.
#[pymodule(gil_used = false)]
fn _rhinod(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<file_wrapper::FileWrapper>()?;
    module.add_function(wrap_pyfunction!(run_zygote, module)?)?;
    companion::register(module)?;
    spooler::register(module)?;
    websocket::register(module)?;
    api::register(module)
}

/// The whole life of a zygote, from the number of its control socket to its exit code.
#[pyfunction]
fn run_zygote(control: i32) -> i32 {
    rhinod::logging::start();
    rhinod::zygote::run(control, &mut runtime::PythonRuntime::default())
}
