//! `wsgi.input` (PEP 3333, "Input and Error Streams"; uWSGI's manual, "Python support"): the request body as a file to
//! read, never beyond its declared length, and only as long as its request lasts. Worker.

use std::io::{self, ErrorKind, Read, SeekFrom};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Arc, Mutex};

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyList};
use rhinod::worker::Exchange;
use rhinod::worker::body::{DeclaredBody, RequestBody};

use crate::ffi::lease::{Lease, why_nothing};

/// Most bytes of memory claimed before the body has shown that it has them.
const CLAIM_BYTES: usize = 64 * 1024;

/// No read of fewer bytes is told of: the option counts in mebibytes.
const WARNED_BYTES_MIN: usize = 1 << 20;

/// Bytes asked for at once while looking for the end of a line.
const LINE_BYTES: usize = 8 * 1024;

/// The body of one request.
#[pyclass(frozen, module = "uwsgi", name = "_Input")]
pub(crate) struct Input {
    lease: Arc<Lease>,
    position: Mutex<Position>,
}

/// What was fetched for a line but lies behind its end, and how far the application has read.
#[derive(Default)]
struct Position {
    ahead: Vec<u8>,
    /// Bytes of `ahead` that were handed out already.
    used: usize,
    /// Bytes handed out since the beginning of the body, or where a `seek` has led.
    told: u64,
    /// Whether the log knows that much of it is in memory.
    is_warned: bool,
}

/// Why the application gets no more.
enum Failure {
    /// The request is over.
    /// Nothing is lent to it any more.
    Nothing,
    Body(io::Error),
}

impl Input {
    pub(crate) fn new(lease: Arc<Lease>) -> Self {
        Self { lease, position: Mutex::default() }
    }

    /// Reads `wanted` bytes, fewer only at the end of the body.
    fn read_bytes<'py>(&self, py: Python<'py>, wanted: u64) -> Result<Bound<'py, PyBytes>, Failure> {
        let mut position = lock(&self.position, py);
        let mut bytes = position.take(wanted);
        let missing = wanted - bytes.len() as u64;
        if missing > 0 {
            let fetched = self.lease.detached(py, |exchange| fetch(&mut exchange.body, missing, &mut bytes));
            fetched.ok_or(Failure::Nothing)?.map_err(Failure::Body)?;
        }
        position.told += bytes.len() as u64;
        position.tell_of(bytes.len(), py, &self.lease);
        Ok(PyBytes::new(py, &bytes))
    }

    /// Reads to the end of a line, at most `limit` bytes.
    fn read_line<'py>(&self, py: Python<'py>, limit: u64) -> Result<Bound<'py, PyBytes>, Failure> {
        let mut guard = lock(&self.position, py);
        let position = &mut *guard;
        let mut searched = 0;
        let length = loop {
            let here = &position.ahead[position.used..];
            let within = &here[..bounded(limit, here.len())];
            if let Some(newline) = within[searched..].iter().position(|byte| *byte == b'\n') {
                break searched + newline + 1;
            }
            searched = within.len();
            if searched as u64 >= limit {
                break searched;
            }
            let more = self.lease.detached(py, |exchange| position.fetch_more(&mut exchange.body));
            if !more.ok_or(Failure::Nothing)?.map_err(Failure::Body)? {
                break searched;
            }
        };
        let line = position.take(length as u64);
        position.told += line.len() as u64;
        position.tell_of(line.len(), py, &self.lease);
        Ok(PyBytes::new(py, &line))
    }

    /// The failure as the application sees it; `name` is the method, `size` its argument (0 if there was none).
    fn exception(&self, failure: Failure, name: &str, size: i64) -> PyErr {
        PyOSError::new_err(match failure {
            Failure::Nothing => format!("{name}() on wsgi.input: {}", why_nothing()),
            Failure::Body(error) if error.kind() == ErrorKind::TimedOut => {
                format!("timeout during {name}({size}) on wsgi.input")
            }
            Failure::Body(_) => format!("error during {name}({size}) on wsgi.input"),
        })
    }
}

#[pymethods]
impl Input {
    /// Reads `size` bytes, or all that is left.
    #[pyo3(signature = (size=None, /))]
    fn read<'py>(&self, py: Python<'py>, size: Option<i64>) -> PyResult<Bound<'py, PyBytes>> {
        self.read_bytes(py, limit_of(size)).map_err(|failure| self.exception(failure, "read", size.unwrap_or(0)))
    }

    /// Reads one line, at most `size` bytes of it.
    #[pyo3(signature = (size=None, /))]
    fn readline<'py>(&self, py: Python<'py>, size: Option<i64>) -> PyResult<Bound<'py, PyBytes>> {
        self.read_line(py, limit_of(size)).map_err(|failure| self.exception(failure, "readline", size.unwrap_or(0)))
    }

    /// Reads lines until they have `hint` bytes together, or all lines.
    #[pyo3(signature = (hint=None, /))]
    fn readlines<'py>(&self, py: Python<'py>, hint: Option<i64>) -> PyResult<Bound<'py, PyList>> {
        let wanted = hint.and_then(|hint| u64::try_from(hint).ok()).filter(|hint| *hint > 0).unwrap_or(u64::MAX);
        let lines = PyList::empty(py);
        let mut total = 0;
        while total < wanted {
            let line = self.readline(py, None)?;
            if line.as_bytes().is_empty() {
                break;
            }
            total += line.as_bytes().len() as u64;
            lines.append(line)?;
        }
        Ok(lines)
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let line = self.readline(py, None)?;
        Ok((!line.as_bytes().is_empty()).then_some(line))
    }

    /// Does nothing: the connection is the server's.
    #[expect(clippy::unused_self, reason = "the method exists for applications that treat the body as a file")]
    fn close(&self) {}

    /// Bytes read so far.
    fn tell(&self, py: Python<'_>) -> u64 {
        lock(&self.position, py).told
    }

    /// Goes to another place of a body that is whole (`post-buffering`), and returns it. Refuses otherwise: the body comes
    /// from a connection.
    #[pyo3(signature = (offset, whence=0, /))]
    fn seek(&self, py: Python<'_>, offset: i64, whence: i32) -> PyResult<u64> {
        let mut position = lock(&self.position, py);
        let out_of_range = || PyOSError::new_err(format!("seek({offset}, {whence}): no such place in wsgi.input"));
        let to = match whence {
            0 => SeekFrom::Start(u64::try_from(offset).map_err(|_| out_of_range())?),
            // From what the application has got, which is not what was fetched.
            1 => SeekFrom::Start(position.told.checked_add_signed(offset).ok_or_else(out_of_range)?),
            2 => SeekFrom::End(offset),
            _ => return Err(PyValueError::new_err(format!("invalid whence ({whence}, should be 0, 1 or 2)"))),
        };
        let place = self.lease.with(py, |exchange| exchange.body.seek(to)).ok_or(Failure::Nothing);
        let place = place.map_err(|failure| self.exception(failure, "seek", offset))?.ok_or_else(|| {
            PyOSError::new_err(
                "seeking wsgi.input is impossible: the body is read from the connection as it comes (post-buffering)",
            )
        })?;
        position.told = place.map_err(|_| out_of_range())?;
        position.forget();
        Ok(position.told)
    }

    /// The descriptor of the file that a whole body is in, or of the connection.
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        let number = |exchange: &mut Exchange<'_>| match exchange.body.file() {
            Some(file) => file.as_raw_fd(),
            None => exchange.stream.as_fd().as_raw_fd(),
        };
        self.lease.with(py, number).ok_or_else(|| PyValueError::new_err(why_nothing()))
    }
}

impl Position {
    /// What was fetched ahead is of no use any more.
    fn forget(&mut self) {
        (self.ahead, self.used) = (Vec::new(), 0);
    }

    /// Tells the log, once, that the application has so many bytes of a body in memory at once (`body-read-warning`).
    fn tell_of(&mut self, bytes: usize, py: Python<'_>, lease: &Lease) {
        if self.is_warned || bytes < WARNED_BYTES_MIN {
            return;
        }
        self.is_warned = lease.with(py, |exchange| exchange.tell_of_read(bytes)).unwrap_or(false);
    }

    /// Up to `wanted` bytes of what was fetched ahead.
    fn take(&mut self, wanted: u64) -> Vec<u8> {
        let here = &self.ahead[self.used..];
        let taken = here[..bounded(wanted, here.len())].to_vec();
        self.used += taken.len();
        if self.used == self.ahead.len() {
            self.ahead.clear();
            self.used = 0;
        }
        taken
    }

    /// Fetches what one read brings. False: the body is at its end.
    fn fetch_more(&mut self, body: &mut RequestBody<'_>) -> io::Result<bool> {
        if self.used > 0 {
            self.ahead.drain(..self.used);
            self.used = 0;
        }
        let length = self.ahead.len();
        self.ahead.resize(length + bounded(body.remaining(), LINE_BYTES), 0);
        let read = body.read(&mut self.ahead[length..]);
        self.ahead.truncate(length + read.as_ref().copied().unwrap_or(0));
        Ok(read? > 0)
    }
}

/// Appends `wanted` bytes of the body, fewer only at its end.
fn fetch(body: &mut RequestBody<'_>, wanted: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    let mut missing = wanted.min(body.remaining());
    while missing > 0 {
        let length = bytes.len();
        bytes.resize(length + bounded(missing, CLAIM_BYTES), 0);
        let read = body.read(&mut bytes[length..]);
        let count = read.as_ref().copied().unwrap_or(0);
        bytes.truncate(length + count);
        if read? == 0 {
            break;
        }
        missing -= count as u64;
    }
    Ok(())
}

/// The limit that a size argument means: `None` and negative numbers mean none.
fn limit_of(size: Option<i64>) -> u64 {
    size.and_then(|size| u64::try_from(size).ok()).unwrap_or(u64::MAX)
}

fn bounded(wanted: u64, most: usize) -> usize {
    usize::try_from(wanted).unwrap_or(usize::MAX).min(most)
}

fn lock<'l, T>(mutex: &'l Mutex<T>, py: Python<'_>) -> std::sync::MutexGuard<'l, T> {
    // A thread that panicked inside has left positions that are consistent.
    mutex.lock_py_attached(py).unwrap_or_else(std::sync::PoisonError::into_inner)
}
