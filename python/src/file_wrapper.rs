//! `wsgi.file_wrapper` (PEP 3333, "Optional Platform-Specific File Handling"; uWSGI's manual, "Python support"): what an
//! object's `read` gives, as the result of an application. Worker.
//!
//! Where that is certain to be what a file of the kernel's holds, the kernel sends it. An object's `fileno` makes nothing
//! certain: gzip's files have that of the compressed one, files of /proc and /sys have no size or a wrong one.

use std::fs::File;
use std::os::unix::fs::FileExt;

use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCFunction, PyType};

use crate::ffi::descriptor::duplicate;

/// Bytes read at once from what is not a file of the kernel's.
const BLOCK_BYTES: i64 = 64 * 1024;

/// The kinds of files whose `read` gives what lies behind their position; each but the first reads one of the first.
const PLAIN_KINDS: [&str; 3] = ["FileIO", "BufferedReader", "BufferedRandom"];

/// Something to read from, as the result of an application.
#[pyclass(frozen, module = "uwsgi", name = "FileWrapper")]
pub(crate) struct FileWrapper {
    filelike: Py<PyAny>,
    block_bytes: i64,
}

/// A file of the kernel's, and what of it is to be sent.
pub(crate) struct Extent {
    pub(crate) file: File,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

#[pymethods]
impl FileWrapper {
    /// `block_size` is a suggestion (PEP 3333): one that is no size stands for ours.
    #[new]
    #[pyo3(signature = (filelike, block_size=BLOCK_BYTES, /))]
    fn new(filelike: Bound<'_, PyAny>, block_size: i64) -> PyResult<Self> {
        if !filelike.hasattr("read")? {
            return Err(PyAttributeError::new_err("wsgi.file_wrapper needs an object with a read method"));
        }
        Ok(Self { filelike: filelike.unbind(), block_bytes: if block_size > 0 { block_size } else { BLOCK_BYTES } })
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let block = self.filelike.bind(py).call_method1("read", (self.block_bytes,))?;
        let more = match block.cast::<PyBytes>() {
            Ok(bytes) => !bytes.as_bytes().is_empty(),
            Err(_) => block.is_truthy()?,
        };
        Ok(more.then_some(block))
    }

    /// Closes the file, if it can be closed.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let filelike = self.filelike.bind(py);
        if filelike.hasattr("close")? {
            filelike.call_method0("close")?;
        }
        Ok(())
    }
}

impl FileWrapper {
    /// What the kernel can send in the place of what `read` gives. `None`: the object is read, block by block.
    pub(crate) fn extent(&self, py: Python<'_>) -> Option<Extent> {
        let plain = PlainFile::read_by(self.filelike.bind(py))?;
        let (number, offset) = plain.place().ok()?;
        let file = File::from(duplicate(number)?);
        let about = file.metadata().ok()?;
        let length = about.len().checked_sub(offset).filter(|length| *length > 0)?;
        (about.is_file() && ends_at(&file, about.len())).then_some(Extent { file, offset, length })
    }
}

/// Whether there is a last byte where a file's size says, and nothing keeps us from reading it.
fn ends_at(file: &File, size: u64) -> bool {
    matches!(file.read_at(&mut [0], size - 1), Ok(1))
}

/// A file object that is nothing but a file.
struct PlainFile<'py> {
    object: Bound<'py, PyAny>,
    kind: Bound<'py, PyType>,
    /// The same, or the one below its buffer.
    raw: Bound<'py, PyAny>,
    raw_kind: Bound<'py, PyType>,
}

impl<'py> PlainFile<'py> {
    /// The file whose own `read` is the object's: the object itself, or one that it passes the call on to, as Django's
    /// and Werkzeug's files do.
    fn read_by(filelike: &Bound<'py, PyAny>) -> Option<Self> {
        let io = filelike.py().import("_io").ok()?;
        let kinds = PLAIN_KINDS.map(|name| io.getattr(name).and_then(|kind| Ok(kind.cast_into::<PyType>()?)));
        let object = owner_of(filelike, "read")?;
        let kind = kinds.iter().flatten().find(|kind| object.get_type().is(*kind))?.clone();
        let raw_kind = kinds.into_iter().next()?.ok()?;
        let raw = if kind.is(&raw_kind) { object.clone() } else { object.getattr("raw").ok()? };
        // A buffer reads by calling it.
        let is_plain = raw.get_type().is(&raw_kind) && owner_of(&raw, "readinto").is_some_and(|owner| owner.is(&raw));
        is_plain.then_some(Self { object, kind, raw, raw_kind })
    }

    /// The descriptor, and where the next `read` begins. What waits to be written is written first, as `read` does it.
    fn place(&self) -> PyResult<(i32, u64)> {
        // The kinds' own methods: the object may have been given others.
        self.kind.call_method1("flush", (&self.object,))?;
        let number = self.raw_kind.call_method1("fileno", (&self.raw,))?.extract()?;
        Ok((number, self.kind.call_method1("tell", (&self.object,))?.extract()?))
    }
}

/// Whose method it is, if an object's method is one of the interpreter's own, under its own name.
fn owner_of<'py>(object: &Bound<'py, PyAny>, name: &str) -> Option<Bound<'py, PyAny>> {
    let method = object.getattr(name).ok()?.cast_into::<PyCFunction>().ok()?;
    let is_own = method.getattr("__name__").and_then(|own_name| own_name.eq(name)).unwrap_or(false);
    is_own.then(|| method.getattr("__self__").ok()).flatten()
}
