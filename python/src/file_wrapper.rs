//! `wsgi.file_wrapper` (PEP 3333, "Optional Platform-Specific File Handling"; uWSGI's manual, "Python support"): lets
//! the kernel send a file that an application returns, from its current position. Worker.

use std::fs::File;

use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::ffi::descriptor::duplicate;

/// Bytes read at once from what is not a file of the kernel's.
const BLOCK_BYTES: usize = 64 * 1024;

/// Something to read from, as the result of an application.
#[pyclass(frozen, module = "uwsgi", name = "FileWrapper")]
pub(crate) struct FileWrapper {
    filelike: Py<PyAny>,
    block_bytes: usize,
}

/// A file of the kernel's, and what of it is to be sent.
pub(crate) struct Extent {
    pub(crate) file: File,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

#[pymethods]
impl FileWrapper {
    #[new]
    #[pyo3(signature = (filelike, block_size=BLOCK_BYTES, /))]
    fn new(filelike: Bound<'_, PyAny>, block_size: usize) -> PyResult<Self> {
        if !filelike.hasattr("read")? {
            return Err(PyAttributeError::new_err("wsgi.file_wrapper needs an object with a read method"));
        }
        Ok(Self { filelike: filelike.unbind(), block_bytes: if block_size == 0 { BLOCK_BYTES } else { block_size } })
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
    /// The file behind it, if the kernel can send it: it has a descriptor, that of a regular file, and says where it
    /// stands. Anything else is read and sent block by block.
    pub(crate) fn extent(&self, py: Python<'_>) -> Option<Extent> {
        let filelike = self.filelike.bind(py);
        // A text file's position is no offset, and its bytes are not what its `read` returns.
        if filelike.hasattr("encoding").ok()? {
            return None;
        }
        let number: i32 = filelike.call_method0("fileno").ok()?.extract().ok()?;
        let offset: u64 = filelike.call_method0("tell").ok()?.extract().ok()?;
        let file = File::from(duplicate(number)?);
        let about = file.metadata().ok()?;
        about.is_file().then(|| Extent { file, offset, length: about.len().saturating_sub(offset) })
    }
}
