//! What stat(2) says of a watched name, and whether that is a change. Master only; pure but for the look itself.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// What stands at a path, links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    /// Seconds and nanoseconds.
    pub(super) modified: (i64, i64),
    changed: (i64, i64),
    size: u64,
}

impl Stamp {
    /// What is there; `None` for nothing.
    pub(super) fn of(path: &Path) -> Option<Self> {
        path.metadata().ok().as_ref().map(Self::from)
    }

    /// Whether a file was touched since it looked like `known`: it is newer, or another one is there, which may be of any
    /// age. Going away counts for nothing, coming back does.
    pub(super) fn is_touched(known: Option<Self>, found: Option<Self>) -> bool {
        match (known, found) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(known), Some(found)) => {
                found.modified > known.modified || (found.device, found.inode) != (known.device, known.inode)
            }
        }
    }
}

impl From<&Metadata> for Stamp {
    fn from(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
            size: found.size(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(inode: u64, seconds: i64, nanoseconds: i64) -> Option<Stamp> {
        let modified = (seconds, nanoseconds);
        Some(Stamp { device: 1, inode, modified, changed: modified, size: 0 })
    }

    #[test]
    fn newer_or_another_is_touched_and_older_or_gone_is_not() {
        let known = stamp(1, 10, 5);
        for found in [stamp(1, 10, 6), stamp(1, 11, 0), stamp(2, 10, 5), stamp(2, 1, 0)] {
            assert!(Stamp::is_touched(known, found), "{found:?}");
            assert!(Stamp::is_touched(None, found), "{found:?}");
        }
        for found in [None, known, stamp(1, 10, 4), stamp(1, 9, 9)] {
            assert!(!Stamp::is_touched(known, found), "{found:?}");
        }
        assert!(!Stamp::is_touched(None, None));
    }
}
