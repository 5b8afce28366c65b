//! What the text of one object yields, in whichever language it is written: entries, or why it cannot be read. Pure.

/// Most entries of one text, and most members of one object.
pub(super) const ENTRIES_MAX: usize = 100_000;

/// What a member of the object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    /// An entry.
    Entry {
        /// Its name.
        key: String,
        /// Its value as text.
        value: String,
    },
    /// Something that cannot be an entry.
    Ignored {
        /// Its name.
        key: String,
        /// What it is instead, for a message.
        what: &'static str,
    },
}

/// Why a text could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// The line, from 1; 0 speaks of the whole text.
    pub(crate) line: usize,
    pub(crate) problem: String,
}

impl Malformed {
    pub(super) fn at(line: usize, problem: impl Into<String>) -> Self {
        Self { line, problem: problem.into() }
    }

    pub(super) fn too_many(line: usize) -> Self {
        Self::at(line, format!("more than {ENTRIES_MAX} entries"))
    }
}
