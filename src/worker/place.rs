//! Where a thread of a worker stands: its number, its watch, and who minds deadlines. Worker only.

use std::fmt::Debug;

use super::watch::Watch;

/// Where a thread of a worker stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'c> {
    /// Its number, from 0.
    pub(crate) core: usize,
    pub(crate) watch: &'c Watch,
    pub(crate) guard: &'c dyn Guard,
}

/// Who minds deadlines.
pub(crate) trait Guard: Sync + Debug {
    /// There is something to look at by then.
    fn look_by(&self, due_us: u64);

    /// Lines of the log wait, and are to be written by then.
    fn mind_lines(&self, due_us: u64);
}
