//! What is remembered of spool directories (`spooler-cheaper`), and when to look at them again. That this is done is in
//! `spools`. Master only.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::scaling::spool::Memory;

/// What is remembered of each directory, and when to look again.
#[derive(Debug, Default)]
pub(super) struct SpoolScaler {
    pub(super) memories: BTreeMap<PathBuf, Memory>,
    pub(super) next_look_us: Option<u64>,
    pub(super) called: bool,
}

impl SpoolScaler {
    /// Somebody has rung who may mean this.
    pub(super) fn call(&mut self) {
        self.called = true;
    }

    /// When to look though nobody calls.
    pub(super) fn due_us(&self) -> Option<u64> {
        self.next_look_us
    }
}
