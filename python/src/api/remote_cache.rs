//! `uwsgi.cache_*` with a cache of another instance, named `NAME@ADDRESS` or `@ADDRESS`. Zygote, and every process below it.
//!
//! What fails is None, as in uWSGI. Counters cannot be calculated with there, which the protocol has no words for.

use pyo3::prelude::*;
use pyo3::types::PyBool;
use rhinod::escape;
use rhinod::remote::{CacheCommand, CacheQuestion, ask_cache};

use super::rpc::patience;

/// A cache of another instance.
pub(super) struct Remote<'n> {
    cache: &'n str,
    address: &'n str,
}

impl<'n> Remote<'n> {
    /// What a name means; `None` for a cache of this instance.
    pub(super) fn of(name: Option<&'n str>) -> Option<Self> {
        let (cache, address) = name?.split_once('@')?;
        Some(Self { cache, address })
    }

    /// Asks for something. `value`: what is to be stored, and for how many seconds. None if it was not done.
    pub(super) fn ask(
        &self,
        py: Python<'_>,
        command: CacheCommand,
        key: &[u8],
        value: Option<(&[u8], i64)>,
    ) -> Option<Vec<u8>> {
        let patience = patience(py);
        // They are the interpreter's, which is let go of.
        let (key, (value, expires_s)) = (key.to_vec(), value.map(|(value, s)| (value.to_vec(), s)).unwrap_or_default());
        let (cache, address) = (self.cache.as_bytes(), self.address);
        let answered = py.detach(|| {
            let question = CacheQuestion { command, key: &key, cache, value_bytes: 0, expires_s };
            ask_cache(address, &question, &value, patience)
        });
        answered.unwrap_or_else(|error| {
            log::warn!("the cache at {} was not asked: {error}", escape::value(address.as_bytes()));
            None
        })
    }

    /// The same; True, or None.
    pub(super) fn change<'py>(
        &self,
        py: Python<'py>,
        command: CacheCommand,
        key: &[u8],
        value: Option<(&[u8], i64)>,
    ) -> Option<Bound<'py, PyBool>> {
        self.ask(py, command, key, value).map(|_| PyBool::new(py, true).to_owned())
    }
}
