//! `uwsgi.metric_*`: numbers that all processes of the instance share (uWSGI's manual, "The Metrics subsystem"). Zygote, worker
//! and companion.

use pyo3::prelude::*;
use rhinod::metrics::{self, Change};

use crate::ffi::lease::{with_instance, with_worker};

/// Adds the functions to the extension module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(metric_get, module)?)?;
    module.add_function(wrap_pyfunction!(metric_change, module)?)
}

/// The value of a metric, of the application's or the instance's; 0 where there is none of this name.
#[pyfunction]
fn metric_get(py: Python<'_>, name: &str) -> i64 {
    let own = with_instance(py, |instance| instance.metric(name).map(metrics::value)).flatten();
    let counted = || with_worker(py, |worker| worker.metric(name)).flatten();
    own.or_else(|| counted().map(|value| i64::try_from(value).unwrap_or(i64::MAX))).unwrap_or(0)
}

/// Changes a metric of the application's. False: there is none of this name, or it cannot be changed like that.
#[pyfunction]
fn metric_change(py: Python<'_>, how: &str, name: &str, by: i64) -> bool {
    let Some(change) = Change::of_name(how) else { return false };
    with_instance(py, |instance| instance.metric(name).map(|word| metrics::change(word, change, by)))
        .flatten()
        .unwrap_or(false)
}
