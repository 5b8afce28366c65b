//! Strings of the wire: bytes as Python text through Latin-1 and back (PEP 3333, "A Note on String Types"); and data that an
//! application gives as text or bytes. Zygote and worker.

use std::ops::Deref;
use std::ptr::NonNull;

use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
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

/// A text as bytes, one byte a character. Of ASCII, which headers nearly always are, nothing is copied.
pub(crate) enum Latin1<'py> {
    /// The interpreter's own bytes of a text, and what keeps them alive.
    Ascii {
        bytes: NonNull<[u8]>,
        _text: Bound<'py, PyString>,
    },
    Other(Bound<'py, PyBytes>),
}

impl<'py> Latin1<'py> {
    /// An exception (`UnicodeEncodeError`) if a character is above U+00FF.
    pub(crate) fn of(text: Bound<'py, PyString>) -> PyResult<Self> {
        match utf8_of(text.as_borrowed()) {
            Some(utf8) if utf8.is_ascii() => Ok(Self::Ascii { bytes: NonNull::from(utf8), _text: text }),
            // SAFETY: the argument is a live `str`. The result is a new reference to `bytes`, or null with an exception
            // set.
            _ => unsafe {
                let bytes = ffi::PyUnicode_AsLatin1String(text.as_ptr());
                Ok(Self::Other(Bound::from_owned_ptr_or_err(text.py(), bytes)?.cast_into_unchecked()))
            },
        }
    }
}

impl Deref for Latin1<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            // SAFETY: the bytes belong to the text beside them, and a text never changes.
            Self::Ascii { bytes, .. } => unsafe { bytes.as_ref() },
            Self::Other(bytes) => bytes.as_bytes(),
        }
    }
}

/// The interpreter's own UTF-8 form of a text; none if it has lone surrogates.
pub(super) fn utf8_of<'t>(text: Borrowed<'t, '_, PyString>) -> Option<&'t [u8]> {
    // SAFETY: the declaration is that of CPython's documentation. In the stable ABI from 3.10 on, so that PyO3 does not
    // name it for 3.9, which has the same function.
    unsafe extern "C" {
        fn PyUnicode_AsUTF8AndSize(text: *mut ffi::PyObject, size: *mut ffi::Py_ssize_t) -> *const std::ffi::c_char;
    }
    let mut length: ffi::Py_ssize_t = 0;
    // SAFETY: the argument is a live `str`, the result null or that many bytes, which stay as long as it does: a text
    // never changes.
    unsafe {
        let bytes = PyUnicode_AsUTF8AndSize(text.as_ptr(), &raw mut length);
        if bytes.is_null() {
            ffi::PyErr_Clear();
            return None;
        }
        Some(std::slice::from_raw_parts(bytes.cast(), usize::try_from(length).ok()?))
    }
}

/// Data of an application: a text as UTF-8, bytes, or any other object with bytes that do not change (the stable ABI has
/// buffers from 3.11 on only, so such an object is copied).
pub(crate) enum Octets<'py> {
    /// The interpreter's own bytes, and what keeps them alive.
    Lent {
        bytes: NonNull<[u8]>,
        _object: Bound<'py, PyAny>,
    },
    Copied(Vec<u8>),
}

impl<'py> FromPyObject<'_, 'py> for Octets<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Self::Lent { bytes: NonNull::from(bytes.as_bytes()), _object: object.to_owned() });
        }
        if let Ok(text) = object.cast::<PyString>() {
            if let Some(utf8) = utf8_of(text) {
                return Ok(Self::Lent { bytes: NonNull::from(utf8), _object: object.to_owned() });
            }
            // It has lone surrogates, of which the interpreter tells.
            return Err(text.encode_utf8().err().unwrap_or_else(|| PyValueError::new_err("no UTF-8")));
        }
        copy_of_buffer(&object)
    }
}

fn copy_of_buffer<'py>(object: &Borrowed<'_, 'py, PyAny>) -> PyResult<Octets<'py>> {
    let py = object.py();
    let view = py.import("builtins")?.getattr("memoryview")?.call1((object,));
    let kind = object.get_type().name()?;
    let view = view.map_err(|_| PyTypeError::new_err(format!("a bytes-like object is required, not '{kind}'")))?;
    if !view.getattr("readonly")?.extract::<bool>()? {
        return Err(PyTypeError::new_err(format!("argument must be read-only bytes-like object, not {kind}")));
    }
    let bytes = view.call_method0("tobytes")?;
    Ok(Octets::Copied(bytes.cast::<PyBytes>()?.as_bytes().to_vec()))
}

impl Deref for Octets<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            // SAFETY: the bytes belong to the object beside them, and neither `bytes` nor texts ever change.
            Self::Lent { bytes, .. } => unsafe { bytes.as_ref() },
            Self::Copied(bytes) => bytes,
        }
    }
}
