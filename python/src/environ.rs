//! The environ of a request (PEP 3333; reference/wire.md 5.1): a fresh dictionary for each, made as cheaply as the stable
//! ABI allows. Worker.
//!
//! A web server sends nearly the same variables with every request, so that each thread remembers the strings of the
//! last one: the `str` of a key, and of a short value, is used again where the bytes are the same. Strings are immutable
//! and the bytes are compared, so no request sees anything of another. A dictionary is never used twice (uWSGI's default
//! does so, WART).

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use worker_protocol::head::RequestHead;

use crate::ffi::text::from_latin1;

/// Most variables whose strings are remembered: beyond what browsers and proxies send.
const REMEMBERED_MAX: usize = 64;

/// Longest value that is remembered, in bytes: hosts, methods, addresses, user agents; hardly a cookie.
const VALUE_BYTES_MAX: usize = 256;

/// The strings of one thread's last request, in the order of the wire.
#[derive(Default)]
pub(crate) struct Remembered {
    variables: Vec<Variable>,
}

/// One variable: bytes as they came, strings as they were made.
struct Variable {
    key: Vec<u8>,
    key_text: Py<PyString>,
    value: Vec<u8>,
    value_text: Py<PyString>,
}

impl Remembered {
    /// Adds the variables of a request to `environ`, each key once.
    pub(crate) fn add(&mut self, environ: &Bound<'_, PyDict>, head: &RequestHead<'_>) -> PyResult<()> {
        for (index, (key, value)) in head.joined().enumerate() {
            self.add_one(environ, index, key, &value)?;
        }
        Ok(())
    }

    fn add_one(&mut self, environ: &Bound<'_, PyDict>, index: usize, key: &[u8], value: &[u8]) -> PyResult<()> {
        let py = environ.py();
        if index >= REMEMBERED_MAX {
            return environ.set_item(interned(py, key)?, from_latin1(py, value)?);
        }
        match self.variables.get_mut(index) {
            Some(known) if known.key == key => {
                if known.value != value {
                    let text = from_latin1(py, value)?;
                    if value.len() > VALUE_BYTES_MAX {
                        return environ.set_item(&known.key_text, text);
                    }
                    known.value.clear();
                    known.value.extend_from_slice(value);
                    known.value_text = text.unbind();
                }
                environ.set_item(&known.key_text, &known.value_text)
            }
            _ => self.learn(environ, index, key, value),
        }
    }

    /// Another variable than last time at this place: from here on the order is that of the new request.
    fn learn(&mut self, environ: &Bound<'_, PyDict>, index: usize, key: &[u8], value: &[u8]) -> PyResult<()> {
        let py = environ.py();
        let (key_text, value_text) = match self.variables.iter().skip(index).position(|known| known.key == key) {
            // Variables were left out that came last time.
            Some(ahead) => {
                self.variables.drain(index..index + ahead);
                return self.add_one(environ, index, key, value);
            }
            None => (interned(py, key)?, from_latin1(py, value)?),
        };
        environ.set_item(&key_text, &value_text)?;
        let (value, value_text) = if value.len() > VALUE_BYTES_MAX {
            (Vec::new(), PyString::intern(py, "").unbind())
        } else {
            (value.to_vec(), value_text.unbind())
        };
        let variable = Variable { key: key.to_vec(), key_text: key_text.unbind(), value, value_text };
        self.variables.truncate(REMEMBERED_MAX - 1);
        self.variables.insert(index, variable);
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
