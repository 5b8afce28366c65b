//! What routers of one instance tell each other of an announcement that was believed: a line of JSON in the journal, which a
//! router of another version may have written. Pure; used in the router.

use serde::{Deserialize, Serialize};

use crate::config::model::Address;

/// An announcement that was believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::router) struct Record {
    /// When it was heard, by the machine's monotonic clock.
    pub(in crate::router) at_us: u64,
    /// Whether the node is to be asked no more.
    #[serde(default)]
    pub(in crate::router) goes: bool,
    /// The host that it serves, in lower case.
    pub(in crate::router) key: String,
    /// Where it listens.
    pub(in crate::router) address: Address,
    /// What it gets in its requests (`modifier1`, `modifier2`).
    #[serde(default)]
    pub(in crate::router) modifiers: (u8, u8),
    #[serde(default)]
    pub(in crate::router) cores: u64,
    #[serde(default)]
    pub(in crate::router) load: u64,
    #[serde(default)]
    pub(in crate::router) weight: u64,
    #[serde(default)]
    pub(in crate::router) backup: u64,
    /// The moment that was signed, in seconds since 1970.
    #[serde(default)]
    pub(in crate::router) moment_s: Option<u64>,
    /// Process, user and group of who said so, where the kernel tells.
    #[serde(default)]
    pub(in crate::router) process: (i32, u32, u32),
}

impl Record {
    /// One for tests, unsigned, with nothing that would set it apart.
    #[cfg(test)]
    pub(in crate::router) fn of(key: &str, address: Address, at_us: u64) -> Self {
        let (key, modifiers, process) = (key.to_owned(), (0, 0), (0, 0, 0));
        let (goes, cores, load, weight, backup, moment_s) = (false, 1, 0, 1, 0, None);
        Self { at_us, goes, key, address, modifiers, cores, load, weight, backup, moment_s, process }
    }

    /// Whether it has been signed too early to be news after another one.
    pub(in crate::router) fn is_stale_after(&self, moment_s: Option<u64>) -> bool {
        matches!((self.moment_s, moment_s), (Some(own), Some(known)) if own <= known)
    }
}

/// Appends one as a line.
pub(in crate::router) fn write_line(record: &Record, out: &mut Vec<u8>) {
    // Numbers and texts into memory: nothing can fail.
    if serde_json::to_writer(&mut *out, record).is_ok() {
        out.push(b'\n');
    }
}

/// Those of whole lines; what is none is left out.
pub(in crate::router) fn read_lines(bytes: &[u8]) -> Vec<Record> {
    bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}
