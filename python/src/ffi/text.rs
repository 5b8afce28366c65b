//! Strings of the wire: bytes as Python text through Latin-1 and back (PEP 3333, "A Note on String Types"). Worker.

use pyo3::exceptions::PyOverflowError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// Any bytes as text, one character a byte.
pub(crate) fn from_latin1<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyString>> {
    let length = ffi::Py_ssize_t::try_from(bytes.len()).map_err(|_| PyOverflowError::new_err("text is too long"))?;
    // SAFETY: the pointer and the length are those of a live slice; no error handler is named. The result is a new
    // reference to a `str`, or null with an exception set.
    unsafe {
        let text = ffi::PyUnicode_DecodeLatin1(bytes.as_ptr().cast(), length, std::ptr::null());
        Ok(Bound::from_owned_ptr_or_err(py, text)?.cast_into_unchecked())
    }
}

/// Text as bytes, one byte a character; an exception (`UnicodeEncodeError`) if a character is above U+00FF.
pub(crate) fn to_latin1<'py>(text: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyBytes>> {
    // SAFETY: the argument is a live `str`. The result is a new reference to `bytes`, or null with an exception set.
    unsafe {
        let bytes = ffi::PyUnicode_AsLatin1String(text.as_ptr());
        Ok(Bound::from_owned_ptr_or_err(text.py(), bytes)?.cast_into_unchecked())
    }
}
