//! What is configured of one cache.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One cache (`cache2`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What applications call it.
    pub name: String,
    /// Most entries.
    pub items: u64,
    /// Bytes of a block of data.
    pub blocksize: u64,
    /// Blocks of data, with `bitmap`.
    pub blocks: u64,
    /// Whether a value may have several blocks.
    pub bitmap: bool,
    /// Most bytes of a key.
    pub keysize: u64,
    /// Chains in which keys are looked up.
    pub hashsize: u64,
    /// The file that keeps it.
    pub store: Option<PathBuf>,
    /// How often that is brought to the disk, in seconds; 0: when the kernel does.
    pub store_sync_s: u64,
    /// Whether another file at that place is replaced.
    pub store_delete: bool,
    /// Whether the time of the last change is kept.
    pub lastmod: bool,
    /// What a counter starts from.
    pub math_initial: i64,
    /// Whether nobody wants to know that it is full.
    pub ignore_full: bool,
    /// When full, the entry goes that was used least recently.
    pub purge_lru: bool,
    /// Expired entries go only when their room is needed.
    pub lazy_expire: bool,
    /// The same.
    pub no_expire: bool,
    /// When full, all entries go.
    pub clear_on_full: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            name: String::new(),
            items: 0,
            blocksize: 65_536,
            blocks: 0,
            bitmap: false,
            keysize: 2_048,
            hashsize: 65_536,
            store: None,
            store_sync_s: 0,
            store_delete: false,
            lastmod: false,
            math_initial: 0,
            ignore_full: false,
            purge_lru: false,
            lazy_expire: false,
            no_expire: false,
            clear_on_full: false,
        }
    }
}

impl Settings {
    /// What its memory is called on the way to a zygote.
    pub fn memory_name(&self) -> String {
        format!("cache {}", self.name)
    }
}
