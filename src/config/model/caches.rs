//! Caches in memory that all processes of the instance share (uWSGI's manual, "The uWSGI caching framework").
//!
//! A section of the configuration. Not for what is done with them (`cache`). Pure; the master makes them, and workers use
//! them.

use serde::{Deserialize, Serialize};

pub use crate::cache::Settings as CacheSettings;

/// All caches, and what they begin with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Caches {
    /// In the order of the configuration; the first one is meant where none is named.
    pub list: Vec<CacheSettings>,
    /// How long entries that have expired may stay where nobody needs their room, in seconds (`cache-expire-freq`).
    pub sweep_every_s: u64,
    /// What is in them from the beginning (`add-cache-item`, `load-file-in-cache`, `load-file-in-cache-gzip`).
    pub preloaded: Vec<Preloaded>,
}

impl Default for Caches {
    fn default() -> Caches {
        Caches { list: Vec::new(), sweep_every_s: 3, preloaded: Vec::new() }
    }
}

/// An entry that is there from the beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preloaded {
    /// The cache that has it; `None`: all.
    pub cache: Option<String>,
    /// Its key; of a file its path.
    pub key: String,
    /// Its value; `None`: what is in the file.
    pub value: Option<String>,
    /// Whether that is packed with gzip.
    #[serde(default)]
    pub packed: bool,
}

impl Preloaded {
    /// The option that asks for it.
    pub fn option(&self) -> &'static str {
        match (&self.value, self.packed) {
            (Some(_), _) => "add-cache-item",
            (None, false) => "load-file-in-cache",
            (None, true) => "load-file-in-cache-gzip",
        }
    }
}
