//! A body that is becoming whole, piece by piece: in memory up to a bound, then in a file without a name (`post-buffering`).
//! Worker only.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;

use super::gathered::Gathered;
use crate::config::model::RequestLimits;
use crate::sys::unlinked::unlinked_file;

/// What has come of it.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    bytes: Vec<u8>,
    file: Option<File>,
    length: u64,
}

impl Gathering {
    /// Adds a piece. `directory`: where a file may be made.
    ///
    /// # Errors
    /// There is no room for it.
    pub(crate) fn add(&mut self, piece: &[u8], limits: &RequestLimits, directory: &Path) -> io::Result<()> {
        self.length += piece.len() as u64;
        if let Some(file) = &mut self.file {
            return file.write_all(piece);
        }
        if self.length <= limits.gathered_in_memory.max(limits.gathering_bytes as u64) {
            self.bytes.extend_from_slice(piece);
            return Ok(());
        }
        let file = self.file.insert(unlinked_file(directory)?);
        file.write_all(&std::mem::take(&mut self.bytes))?;
        file.write_all(piece)
    }

    /// How many bytes have come.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// All has come.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn finish(self) -> io::Result<Gathered> {
        let Some(mut file) = self.file else { return Ok(Gathered::in_memory(self.bytes)) };
        // Whoever reads it by its descriptor begins at its beginning.
        file.rewind()?;
        Ok(Gathered::in_file(file, self.length))
    }
}
