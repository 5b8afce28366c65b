//! `start_response` and the `write` that it returns (PEP 3333; uWSGI's manual, "Python support", its faults apart).
//! Worker.

use std::sync::Arc;

use pyo3::exceptions::{PyOSError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};
use rhinod::worker::reply::StartError;
use worker_protocol::decimal;

use crate::ffi::lease::{Lease, why_nothing};
use crate::ffi::text::Latin1;
use crate::oddity::Oddity;
use crate::piece::bytes_of;

/// The callable that an application gets to set status and headers.
#[pyclass(frozen, module = "uwsgi", name = "StartResponse")]
pub(crate) struct StartResponse {
    lease: Arc<Lease>,
    /// `disable-write-exception`: a client that has gone is no exception.
    silent_writes: bool,
}

/// The callable that `start_response` returns: writes a piece of the body at once.
#[pyclass(frozen, module = "uwsgi", name = "Write")]
pub(crate) struct Write {
    lease: Arc<Lease>,
    silent: bool,
}

/// Name and value.
type Header<'py> = (Latin1<'py>, Latin1<'py>);

/// What the application may still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Fresh,
    Started,
    Sending,
}

impl StartResponse {
    pub(crate) fn new(lease: Arc<Lease>, silent_writes: bool) -> Self {
        Self { lease, silent_writes }
    }

    fn progress(&self, py: Python<'_>) -> PyResult<Progress> {
        let progress = self.lease.with(py, |exchange| match &exchange.reply {
            reply if reply.is_sending() => Progress::Sending,
            reply if reply.is_started() => Progress::Started,
            _ => Progress::Fresh,
        });
        progress.ok_or_else(over)
    }

    /// Whether a header is sent. A length that is none tells nobody anything: the end of the connection is the end of
    /// the answer then, as it is without the header.
    fn keeps(&self, py: Python<'_>, (name, value): &Header<'_>) -> bool {
        let is_number = |text: &[u8]| !text.is_empty() && decimal::parse(text).is_some();
        let kept = !name.eq_ignore_ascii_case(b"content-length") || is_number(value.trim_ascii());
        if !kept {
            let shown = || String::from_utf8_lossy(&value[..value.len().min(32)]).into_owned();
            Oddity::NoLength.tell(py, &self.lease, || format!("Content-Length is {:?}", shown()));
        }
        kept
    }
}

#[pymethods]
impl StartResponse {
    /// Sets status and headers; they are sent with the first piece of the body.
    #[pyo3(signature = (status, headers, exc_info=None, /))]
    fn __call__(
        &self,
        py: Python<'_>,
        status: &Bound<'_, PyAny>,
        headers: &Bound<'_, PyAny>,
        exc_info: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Write> {
        match (self.progress(py)?, exc_info) {
            (Progress::Fresh, _) | (Progress::Started, Some(_)) => {}
            (Progress::Started, None) => {
                Oddity::StartedAgain.tell(py, &self.lease, || "start_response was called twice".to_owned());
            }
            (Progress::Sending, None) => return Err(PyOSError::new_err("headers already sent")),
            (Progress::Sending, Some(exc_info)) => return Err(raised(exc_info)?),
        }
        let status = status.cast::<PyString>().map_err(|_| PyTypeError::new_err("http status must be a string"))?;
        let status = Latin1::of(status.clone());
        let status = status.map_err(|_| PyTypeError::new_err("http status string must be encodable in latin1"))?;
        let (code, reason) = parse_status(&status).ok_or_else(|| {
            let shown = String::from_utf8_lossy(&status);
            PyValueError::new_err(format!("http status must begin with a code of three digits, not {shown:?}"))
        })?;
        let mut headers = headers_of(headers)?;
        headers.retain(|header| self.keeps(py, header));
        let started = self.lease.with(py, |exchange| {
            let mut given = headers.iter();
            exchange.reply.start(code, reason, None, |head| given.try_for_each(|(name, value)| head.add(name, value)))
        });
        started.ok_or_else(over)?.map_err(refused)?;
        Ok(Write { lease: Arc::clone(&self.lease), silent: self.silent_writes })
    }
}

#[pymethods]
impl Write {
    /// Sends a piece of the body now.
    #[pyo3(signature = (data, /))]
    fn __call__(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let Some(data) = bytes_of(&self.lease, data)? else { return Ok(()) };
        let piece = data.as_bytes();
        match self.lease.detached(py, |exchange| exchange.reply.send(piece)) {
            None => Err(over()),
            Some(Err(_)) if !self.silent => Err(PyOSError::new_err("write error")),
            Some(_) => Ok(()),
        }
    }
}

fn over() -> PyErr {
    PyOSError::new_err(why_nothing())
}

fn refused(error: StartError) -> PyErr {
    match error {
        StartError::AlreadySent => PyOSError::new_err("headers already sent"),
        other => PyValueError::new_err(other.to_string()),
    }
}

/// The exception of `exc_info`, to be raised again: it is too late for another answer.
fn raised(exc_info: &Bound<'_, PyAny>) -> PyResult<PyErr> {
    let value = exc_info.get_item(1)?;
    Ok(PyErr::from_value(value))
}

/// Three digits, then nothing, or the reason behind what is no digit. Without a reason the registered one is sent.
fn parse_status(status: &[u8]) -> Option<(u16, Option<&[u8]>)> {
    let (code, rest) = without_blanks(status).split_at_checked(3)?;
    let code =
        code.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u16::from(byte - b'0')))?;
    let reason = without_blanks(rest);
    let is_longer = rest.first().is_some_and(u8::is_ascii_digit);
    (!is_longer).then_some((code, Some(reason).filter(|reason| !reason.is_empty())))
}

/// What comes after blanks at the beginning.
fn without_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    &text[blanks..]
}

fn headers_of<'py>(headers: &Bound<'py, PyAny>) -> PyResult<Vec<Header<'py>>> {
    let list = headers.cast::<PyList>().map_err(|_| PyTypeError::new_err("http headers must be in a python list"))?;
    let mut all = Vec::with_capacity(list.len());
    for header in list.iter() {
        all.push(header_of(&header)?);
    }
    Ok(all)
}

fn header_of<'py>(header: &Bound<'py, PyAny>) -> PyResult<Header<'py>> {
    let pair = header.cast::<PyTuple>().map_err(|_| PyTypeError::new_err("http header must be defined in a tuple"))?;
    if pair.len() != 2 {
        return Err(PyTypeError::new_err("http header must be a tuple of two"));
    }
    let text = |index, part: &str| {
        let text = pair.get_item(index)?.cast_into::<PyString>();
        text.map_err(|_| PyTypeError::new_err(format!("http header {part} must be a string")))
    };
    let latin1 = |text| Latin1::of(text).map_err(|_| PyTypeError::new_err("http header must be encodable in latin1"));
    let (name, value) = (text(0, "key")?, text(1, "value")?);
    Ok((latin1(name)?, latin1(value)?))
}
