//! The environ of a request (PEP 3333; uWSGI's manual, "Python support"): a fresh dictionary for each, made as cheaply
//! as the stable ABI allows. Worker.
//!
//! A web server sends nearly the same variables with every request, so that each thread remembers those of the last
//! one. The `str` of a key or value is used again where the bytes are the same; and when the same keys come again in
//! the same order, the whole dictionary is a copy of one that is kept, into which the values that differ have been put:
//! copying a table costs a fraction of filling one. Strings are immutable and the bytes are compared, so no request
//! sees anything of another; the kept dictionary is never handed out (uWSGI's default uses one again, where it is at
//! fault).

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
    /// Their keys and values, one behind the other: what is compared with each request lies close together.
    bytes: Vec<u8>,
    /// An environ with these variables, once two requests in a row had the same keys.
    kept: Option<Py<PyDict>>,
}

/// One variable: how many bytes it has, and the strings that were made of them.
struct Variable {
    key_bytes: usize,
    value_bytes: usize,
    key_text: Py<PyString>,
    value_text: Py<PyString>,
}

/// A value that differs from the last request's, and where in all bytes that one begins.
struct Changed<'v> {
    index: usize,
    at: usize,
    value: &'v [u8],
}

impl Remembered {
    /// The environ of a request: `base` and its variables, each key once.
    pub(crate) fn environ<'py>(
        &mut self,
        base: &Bound<'py, PyDict>,
        head: &RequestHead<'_>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let made = match self.follows(base.py(), head) {
            Ok(true) => self.kept(base).and_then(|kept| kept.copy()),
            Ok(false) => self.learn(base, head),
            Err(error) => Err(error),
        };
        if made.is_err() {
            // Out of memory, half-way: nothing of this request is to be believed.
            *self = Self::default();
        }
        made
    }

    /// Whether the request has the keys of the last one, in the same order; then it is the one that is remembered.
    /// No key is remembered twice, so that a request that repeats one does not follow.
    fn follows(&mut self, py: Python<'_>, head: &RequestHead<'_>) -> PyResult<bool> {
        let mut changed = Vec::new();
        let mut known = self.iter().enumerate();
        let mut at = 0;
        for (key, value) in head.variables() {
            let Some((index, (known_key, known_value, _))) = known.next() else { return Ok(false) };
            if known_key != key {
                return Ok(false);
            }
            at += known_key.len();
            if known_value != value {
                changed.push(Changed { index, at, value });
            }
            at += known_value.len();
        }
        if known.next().is_some() {
            return Ok(false);
        }
        drop(known);
        self.renew(py, head, &changed)?;
        Ok(true)
    }

    /// Takes other values, of a request that has the same keys.
    fn renew(&mut self, py: Python<'_>, head: &RequestHead<'_>, changed: &[Changed<'_>]) -> PyResult<()> {
        let mut all_fit = true;
        for Changed { index, at, value } in changed {
            let known = &mut self.variables[*index];
            known.value_text = from_latin1(py, value)?.unbind();
            if let Some(kept) = &self.kept {
                kept.bind(py).set_item(&known.key_text, &known.value_text)?;
            }
            match known.value_bytes == value.len() {
                // As ports of clients do nearly always.
                true => self.bytes[*at..*at + value.len()].copy_from_slice(value),
                false => all_fit = false,
            }
            known.value_bytes = value.len();
        }
        if all_fit {
            return Ok(());
        }
        self.bytes.clear();
        for (key, value) in head.variables() {
            self.bytes.extend_from_slice(key);
            self.bytes.extend_from_slice(value);
        }
        Ok(())
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

    /// Makes the environ of a request with other keys than the last one's, and remembers it in its place.
    fn learn<'py>(&mut self, base: &Bound<'py, PyDict>, head: &RequestHead<'_>) -> PyResult<Bound<'py, PyDict>> {
        let py = base.py();
        let last = std::mem::take(self);
        let mut old = last.iter();
        let environ = base.copy()?;
        for (key, value) in head.joined() {
            // What the last request had before it was left out now; if it had none, nothing was.
            let known = match old.clone().position(|(known, ..)| known == key) {
                Some(left_out) => old.nth(left_out),
                None => None,
            };
            let (key_text, value_text) = match known {
                Some((_, same, known)) if same == &*value => {
                    (known.key_text.clone_ref(py), known.value_text.clone_ref(py))
                }
                Some((.., known)) => (known.key_text.clone_ref(py), from_latin1(py, &value)?.unbind()),
                None => (interned(py, key)?.unbind(), from_latin1(py, &value)?.unbind()),
            };
            environ.set_item(&key_text, &value_text)?;
            if self.variables.len() < REMEMBERED_MAX {
                self.bytes.extend_from_slice(key);
                self.bytes.extend_from_slice(&value);
                let (key_bytes, value_bytes) = (key.len(), value.len());
                self.variables.push(Variable { key_bytes, value_bytes, key_text, value_text });
            }
        }
        Ok(environ)
    }

    /// Key, value and strings of each variable.
    fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8], &Variable)> + Clone {
        self.variables.iter().scan(self.bytes.as_slice(), |rest, known| {
            let (key, behind) = rest.split_at(known.key_bytes);
            let (value, behind) = behind.split_at(known.value_bytes);
            *rest = behind;
            Some((key, value, known))
        })
    }
}

/// The `str` of a key. Those of CGI and of common headers are made once for the interpreter, which makes an
/// application's look-ups a comparison of pointers.
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
