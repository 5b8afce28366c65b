//! Tasks for the module of spoolers: their files, written and read, and a process of a spool directory as far as those go. What a
//! task does is Python's. Every process below the zygote; `Spooler` in spoolers.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use rhinod::member::{Instance, NotSpooled};
use rhinod::spool::{Manner, Task};
use rhinod::spooling::{self, Begun};

use crate::companion::with_member;
use crate::ffi::lease::{with_instance, with_member_detached};
use crate::ffi::text::Octets;

/// Adds them to the extension module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Spooler>()?;
    module.add_function(wrap_pyfunction!(spool, module)?)?;
    module.add_function(wrap_pyfunction!(read_task, module)?)
}

/// Has a task run by a spooler: the path of its file.
#[pyfunction]
fn spool<'py>(py: Python<'py>, variables: Vec<(Octets<'py>, Octets<'py>)>) -> PyResult<OsString> {
    let pairs: Vec<[&[u8]; 2]> = variables.iter().map(|(name, value)| [&**name, &**value]).collect();
    let write = |instance: &Instance<'_>| instance.spool(&pairs);
    let written = with_member_detached(py, |member| write(member.instance())).or_else(|| with_instance(py, write));
    match written {
        Some(Ok(path)) => Ok(path.into_os_string()),
        Some(Err(NotSpooled::Unfit(unfit))) => Err(PyValueError::new_err(unfit.to_string())),
        Some(Err(NotSpooled::System(error))) => Err(error.into()),
        None => Err(PyRuntimeError::new_err("this process belongs to no instance")),
    }
}

/// The task of a file, by the name that is given; `None` if there is none, or a process runs it.
#[pyfunction]
fn read_task<'py>(py: Python<'py>, path: PathBuf) -> PyResult<Option<Bound<'py, PyDict>>> {
    let task = py.detach(|| spooling::read(&path));
    task.map(|task| dict_of(py, path.as_os_str().as_bytes(), &task)).transpose()
}

/// A process of a spool directory.
#[pyclass(module = "_rhinod")]
struct Spooler(spooling::Spooler);

#[pymethods]
impl Spooler {
    /// `share`: which of how many processes of the directory it is, from 0.
    #[new]
    fn new(
        directory: PathBuf,
        ordered: bool,
        frequency: f64,
        retry_delay: f64,
        crashes_max: u64,
        share: (usize, usize),
    ) -> PyResult<Self> {
        let seconds =
            |value| Duration::try_from_secs_f64(value).map_err(|error| PyValueError::new_err(error.to_string()));
        let (frequency, retry_delay) = (seconds(frequency)?, seconds(retry_delay)?);
        let manner = Manner { is_ordered: ordered, frequency, retry_delay, crashes_max, share };
        Ok(Self(spooling::Spooler::new(directory, manner)))
    }

    /// Changes the longest time between two looks, in seconds.
    fn set_frequency(&mut self, seconds: f64) {
        self.0.set_frequency(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    }

    /// Lists what waits.
    fn look(&mut self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.0.look())?)
    }

    /// The next task that is to be run now, which is under way from here on; `None`: there is none any more.
    fn begin<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let begun = py.detach(|| self.0.begin());
        with_member(py, |member| member.set_tasks_waiting(self.0.waiting()));
        begun.map(|Begun { name, task }| dict_of(py, name.as_bytes(), &task)).transpose()
    }

    /// The task under way is done, or is to be run again.
    fn end(&mut self, py: Python<'_>, is_done: bool) -> PyResult<()> {
        Ok(py.detach(|| self.0.end(is_done))?)
    }

    /// Seconds for which nothing has to be looked at.
    fn until_next_look(&self) -> f64 {
        self.0.until_next_look().as_secs_f64()
    }
}

/// What the function of a task gets.
fn dict_of<'py>(py: Python<'py>, name: &[u8], task: &Task) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("spooler_task_name", PyBytes::new(py, name))?;
    for [key, value] in task.variables() {
        dict.set_item(PyBytes::new(py, key), PyBytes::new(py, value))?;
    }
    if !task.body().is_empty() {
        dict.set_item("body", PyBytes::new(py, task.body()))?;
    }
    Ok(dict)
}
