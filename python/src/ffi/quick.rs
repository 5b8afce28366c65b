//! Functions for Python that are called hundreds of thousands of times a second: their arguments are taken from where the interpreter has
//! them (METH_FASTCALL), and go through no tuple. CPython calls such functions since 3.7; they are in the stable ABI from 3.10
//! on, so that PyO3 does not name them for 3.9. Zygote and worker.

use std::ffi::{CStr, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::text::utf8_of;

const METH_FASTCALL: c_int = 0x0080;

/// What CPython calls. SAFETY: that there are so many arguments is its word, and that it is attached.
type Fast = unsafe extern "C" fn(*mut ffi::PyObject, *const *mut ffi::PyObject, ffi::Py_ssize_t) -> *mut ffi::PyObject;

/// A function for Python without keywords.
pub(crate) trait Quick {
    /// Its name.
    const NAME: &'static CStr;
    /// What it does, for `help`.
    const SAYS: &'static CStr;
    /// How many arguments it has at least, and at most.
    const COUNT: (usize, usize);

    /// Does it. `None` is None.
    fn call<'py>(arguments: Arguments<'_, 'py>) -> PyResult<Option<Bound<'py, PyAny>>>;
}

/// The arguments of a call.
#[derive(Clone, Copy)]
pub(crate) struct Arguments<'a, 'py> {
    pub(crate) py: Python<'py>,
    objects: &'a [*mut ffi::PyObject],
}

impl<'a, 'py> Arguments<'a, 'py> {
    /// One that there is, by its place.
    pub(crate) fn object(self, place: usize) -> Option<Borrowed<'a, 'py, PyAny>> {
        // SAFETY: they are references that the interpreter holds while the call lasts, none of them null.
        self.objects.get(place).map(|object| unsafe { Borrowed::from_ptr(self.py, *object) })
    }

    /// One, as what it is to be.
    pub(crate) fn needed<T: FromPyObject<'a, 'py, Error = PyErr>>(self, place: usize) -> PyResult<T> {
        T::extract(self.object(place).ok_or_else(|| PyTypeError::new_err("an argument is missing"))?)
    }

    /// A whole number; 0 where there is none.
    pub(crate) fn number(self, place: usize) -> PyResult<i64> {
        self.object(place).map_or(Ok(0), i64::extract)
    }

    /// A text, if there is one and it is not None.
    pub(crate) fn text(self, place: usize) -> PyResult<Option<&'a str>> {
        let Some(object) = self.object(place).filter(|object| !object.is_none()) else { return Ok(None) };
        let text = object.cast::<PyString>()?;
        let bytes = utf8_of(text).ok_or_else(|| PyTypeError::new_err("a text without lone surrogates is required"))?;
        Ok(std::str::from_utf8(bytes).ok())
    }
}

/// Adds a function to the extension module.
pub(crate) fn add<F: Quick>(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let function: Fast = enter::<F>;
    // SAFETY: a pointer to a function as another one; METH_FASTCALL says what it is.
    let method = unsafe { std::mem::transmute::<Fast, ffi::PyCFunction>(function) };
    let definition = Box::new(ffi::PyMethodDef {
        ml_name: F::NAME.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunction: method },
        ml_flags: METH_FASTCALL,
        ml_doc: F::SAYS.as_ptr(),
    });
    // SAFETY: the definition is never freed, as the interpreter may want it as long as there is one. The result is a new reference
    // or null with an exception set.
    let function = unsafe {
        let made = ffi::PyCFunction_NewEx(Box::into_raw(definition), ptr::null_mut(), ptr::null_mut());
        Bound::from_owned_ptr_or_err(module.py(), made)?
    };
    module.add(&*F::NAME.to_string_lossy(), function)
}

// SAFETY: only what CPython calls as `Fast` has this type.
unsafe extern "C" fn enter<F: Quick>(
    _module: *mut ffi::PyObject,
    first: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls functions in threads that are attached to it.
    let py = unsafe { Python::assume_attached() };
    let call = || {
        let count = usize::try_from(count).unwrap_or(0);
        // SAFETY: there are so many from `first` on, which may be nowhere if there are none.
        let objects = if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(first, count) } };
        judge_count::<F>(count).and_then(|()| F::call(Arguments { py, objects }))
    };
    // Nothing unwinds into the interpreter; what the call had in its hands is dropped.
    let outcome = catch_unwind(AssertUnwindSafe(call));
    match outcome.unwrap_or_else(|_| Err(PyRuntimeError::new_err("a panic in rhinod, of which the log tells"))) {
        Ok(Some(object)) => object.into_ptr(),
        Ok(None) => py.None().into_ptr(),
        Err(error) => {
            error.restore(py);
            ptr::null_mut()
        }
    }
}

/// In the words of the interpreter's own functions.
fn judge_count<F: Quick>(count: usize) -> PyResult<()> {
    let (least, most) = F::COUNT;
    if (least..=most).contains(&count) {
        return Ok(());
    }
    let (word, bound) = if count < least { ("least", least) } else { ("most", most) };
    let (name, s) = (F::NAME.to_string_lossy(), if bound == 1 { "" } else { "s" });
    Err(PyTypeError::new_err(format!("{name}() takes at {word} {bound} argument{s} ({count} given)")))
}
