//! A piece of an answer's body: what may be one, and what of it is sent. Worker.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView};

use crate::ffi::lease::Lease;
use crate::oddity::Oddity;

/// The bytes of a piece: bytes themselves, or whatever has a buffer of them. `None`: it carries none, as Python's
/// `None`, which uWSGI skips, and as an empty text or list, which uWSGI skips as it skips everything that it does not
/// know.
///
/// # Errors
/// What carries something that would be lost.
pub(crate) fn bytes_of<'py>(lease: &Lease, piece: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyBytes>>> {
    if let Ok(bytes) = piece.cast::<PyBytes>() {
        return Ok(Some(bytes.clone()));
    }
    if piece.is_none() {
        return Ok(None);
    }
    if let Ok(view) = PyMemoryView::from(piece) {
        return Ok(Some(view.call_method0("tobytes")?.cast_into()?));
    }
    let kind = piece.get_type().name()?;
    if matches!(piece.len(), Ok(0)) {
        Oddity::EmptyPiece.tell(piece.py(), lease, || format!("an empty {kind}"));
        return Ok(None);
    }
    Err(PyTypeError::new_err(format!("a piece of the response body must be bytes (PEP 3333), not {kind}")))
}
