//! The environ of a request (PEP 3333; reference/wire.md 5.1): a fresh dictionary for each, made as cheaply as the stable
//! ABI allows. Worker.
//!
//! A web server sends nearly the same variables with every request, so that each thread remembers those of the last one.
//! The `str` of a key or value is used again where the bytes are the same; and when the same keys come again in the same
//! order, the whole dictionary is a copy of one that is kept, into which the values that differ have been put: copying a
//! table costs a fraction of filling one. Strings are immutable and the bytes are compared, so no request sees anything
//! of another; the kept dictionary is never handed out (uWSGI's default uses one again, WART).

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use worker_protocol::head::RequestHead;

use crate::ffi::text::from_latin1;

/// Most variables that are remembered: beyond what browsers and proxies send.
const REMEMBERED_MAX: usize = 64;

/// The last request of one thread.
#[derive(Default)]
pub(crate) struct Remembered {
    /// Its variables, each key once, in the order of the wire.
    variables: Vec<Variable>,
    /// An environ with these variables, once two requests in a row had the same keys.
    kept: Option<Py<PyDict>>,
}

/// One variable: bytes as they came, strings as they were made.
struct Variable {
    key: Vec<u8>,
    key_text: Py<PyString>,
    value: Vec<u8>,
    value_text: Py<PyString>,
}

impl Variable {
    /// Takes another value.
    fn renew(&mut self, py: Python<'_>, value: &[u8]) -> PyResult<()> {
        self.value_text = from_latin1(py, value)?.unbind();
        self.value.clear();
        self.value.extend_from_slice(value);
        Ok(())
    }
}

impl Remembered {
    /// The environ of a request: `base` and its variables, each key once.
    pub(crate) fn environ<'py>(
        &mut self,
        base: &Bound<'py, PyDict>,
        head: &RequestHead<'_>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let py = base.py();
        if self.follows(py, head)? {
            return self.kept(base)?.copy();
        }
        self.kept = None;
        let environ = base.copy()?;
        let mut count = 0;
        for (key, value) in head.joined() {
            self.add_one(&environ, count, key, &value)?;
            count += 1;
        }
        self.variables.truncate(count);
        Ok(environ)
    }

    /// Whether the request has the keys of the last one, in the same order; then what is remembered is as it wants it.
    /// No key is remembered twice, so that a request that repeats one does not follow.
    fn follows(&mut self, py: Python<'_>, head: &RequestHead<'_>) -> PyResult<bool> {
        let mut variables = self.variables.iter_mut();
        for (key, value) in head.variables() {
            match variables.next() {
                Some(known) if known.key == key => {
                    if known.value != value {
                        known.renew(py, value)?;
                        if let Some(kept) = &self.kept {
                            kept.bind(py).set_item(&known.key_text, &known.value_text)?;
                        }
                    }
                }
                _ => return Ok(false),
            }
        }
        Ok(variables.next().is_none())
    }

    /// The kept environ, made if there is none yet.
    fn kept<'py>(&mut self, base: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyDict>> {
        let py = base.py();
        if let Some(kept) = &self.kept {
            return Ok(kept.bind(py).clone());
        }
        let made = base.copy()?;
        for known in &self.variables {
            made.set_item(&known.key_text, &known.value_text)?;
        }
        self.kept = Some(made.clone().unbind());
        Ok(made)
    }

    fn add_one(&mut self, environ: &Bound<'_, PyDict>, index: usize, key: &[u8], value: &[u8]) -> PyResult<()> {
        let py = environ.py();
        if index >= REMEMBERED_MAX {
            return environ.set_item(interned(py, key)?, from_latin1(py, value)?);
        }
        if self.variables.get(index).is_none_or(|known| known.key != key) {
            self.place(py, index, key, value)?;
        }
        let known = &mut self.variables[index];
        if known.value != value {
            known.renew(py, value)?;
        }
        environ.set_item(&known.key_text, &known.value_text)
    }

    /// Puts a key at a place where the last request had another: what that had before it is left out now, or it is new.
    fn place(&mut self, py: Python<'_>, index: usize, key: &[u8], value: &[u8]) -> PyResult<()> {
        if let Some(ahead) = self.variables.iter().skip(index).position(|known| known.key == key) {
            self.variables.drain(index..index + ahead);
            return Ok(());
        }
        let (key_text, value_text) = (interned(py, key)?.unbind(), from_latin1(py, value)?.unbind());
        self.variables.truncate(REMEMBERED_MAX - 1);
        self.variables.insert(index, Variable { key: key.to_vec(), key_text, value: value.to_vec(), value_text });
        Ok(())
    }
}

/// The `str` of a key. Those of CGI and of common headers are made once for the interpreter, which makes an application's
/// look-ups a comparison of pointers.
fn interned<'py>(py: Python<'py>, key: &[u8]) -> PyResult<Bound<'py, PyString>> {
    match std::str::from_utf8(key) {
        Ok(text) if is_common(key) => Ok(PyString::intern(py, text)),
        _ => from_latin1(py, key),
    }
}

/// Whether a key is known to applications by a literal. Only these are interned: in CPython from 3.12 on an interned
/// string may never be freed, and a client can send any header.
fn is_common(key: &[u8]) -> bool {
    COMMON_KEYS.binary_search(&key).is_ok()
}

/// In ascending order.
const COMMON_KEYS: &[&[u8]] = &[
    b"CONTENT_LENGTH",
    b"CONTENT_TYPE",
    b"DOCUMENT_ROOT",
    b"HTTPS",
    b"HTTP_ACCEPT",
    b"HTTP_ACCEPT_CHARSET",
    b"HTTP_ACCEPT_ENCODING",
    b"HTTP_ACCEPT_LANGUAGE",
    b"HTTP_AUTHORIZATION",
    b"HTTP_CACHE_CONTROL",
    b"HTTP_CONNECTION",
    b"HTTP_COOKIE",
    b"HTTP_DNT",
    b"HTTP_EXPECT",
    b"HTTP_FORWARDED",
    b"HTTP_HOST",
    b"HTTP_IF_MATCH",
    b"HTTP_IF_MODIFIED_SINCE",
    b"HTTP_IF_NONE_MATCH",
    b"HTTP_IF_RANGE",
    b"HTTP_IF_UNMODIFIED_SINCE",
    b"HTTP_ORIGIN",
    b"HTTP_PRAGMA",
    b"HTTP_PRIORITY",
    b"HTTP_RANGE",
    b"HTTP_REFERER",
    b"HTTP_SEC_CH_UA",
    b"HTTP_SEC_CH_UA_MOBILE",
    b"HTTP_SEC_CH_UA_PLATFORM",
    b"HTTP_SEC_FETCH_DEST",
    b"HTTP_SEC_FETCH_MODE",
    b"HTTP_SEC_FETCH_SITE",
    b"HTTP_SEC_FETCH_USER",
    b"HTTP_TRANSFER_ENCODING",
    b"HTTP_UPGRADE_INSECURE_REQUESTS",
    b"HTTP_USER_AGENT",
    b"HTTP_X_CSRFTOKEN",
    b"HTTP_X_FORWARDED_FOR",
    b"HTTP_X_FORWARDED_HOST",
    b"HTTP_X_FORWARDED_PORT",
    b"HTTP_X_FORWARDED_PROTO",
    b"HTTP_X_REAL_IP",
    b"HTTP_X_REQUESTED_WITH",
    b"HTTP_X_REQUEST_ID",
    b"PATH_INFO",
    b"QUERY_STRING",
    b"REMOTE_ADDR",
    b"REMOTE_PORT",
    b"REMOTE_USER",
    b"REQUEST_METHOD",
    b"REQUEST_SCHEME",
    b"REQUEST_URI",
    b"SCRIPT_NAME",
    b"SERVER_ADDR",
    b"SERVER_NAME",
    b"SERVER_PORT",
    b"SERVER_PROTOCOL",
];
