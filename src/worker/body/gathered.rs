//! A body that is whole before the application runs: in memory, or in a file without a name above a bound
//! (`post-buffering`). Worker only.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::RequestBody;
use super::pace::Pace;
use crate::config::model::RequestLimits;
use crate::sys::clock::monotonic_us;
use crate::sys::stream::read_at;
use crate::sys::unlinked::unlinked_file;

/// Memory that is claimed before the body has shown that it needs it.
const CLAIM_BYTES: u64 = 64 * 1024;

/// All of it, and how far it has been read.
#[derive(Debug)]
pub(super) struct Gathered {
    place: Place,
    length: u64,
    position: u64,
}

#[derive(Debug)]
enum Place {
    Memory(Vec<u8>),
    File(File),
}

/// Why there is no whole body.
#[derive(Debug)]
pub(crate) enum Ungathered {
    /// It did not come as it should have: what the client is told.
    Client { status: u16, text: &'static str },
    /// There is no room for it here.
    Room(io::Error),
}

impl RequestBody<'_> {
    /// Reads all of it before anybody asks. `directory`: where a file may be made. The time for it has a bound.
    ///
    /// # Errors
    /// What is to be answered instead of what the application would.
    pub(crate) fn gather(&mut self, limits: &RequestLimits, directory: &Path) -> Result<(), Ungathered> {
        // Nobody's time runs yet.
        let claim = self.claim.take();
        let gathered = self.read_whole(limits, directory);
        self.claim = claim;
        let gathered = gathered?;
        self.remaining = gathered.length;
        self.gathered = Some(gathered);
        Ok(())
    }

    fn read_whole(&mut self, limits: &RequestLimits, directory: &Path) -> Result<Gathered, Ungathered> {
        let in_memory = limits.gathered_in_memory.max(limits.gathering_bytes as u64);
        let mut pace = Paced { pace: Pace::from(monotonic_us(), self.silence_max_us), body: self, bytes: 0 };
        let mut bytes = Vec::new();
        if pace.body.length.is_none_or(|length| length <= in_memory) {
            pace.read_into(&mut bytes, in_memory)?;
        }
        if pace.body.remaining == 0 {
            return Ok(Gathered { length: bytes.len() as u64, place: Place::Memory(bytes), position: 0 });
        }
        let mut file = unlinked_file(directory).map_err(Ungathered::Room)?;
        file.write_all(&bytes).map_err(Ungathered::Room)?;
        let length = bytes.len() as u64 + pace.read_onto(&mut file, bytes, limits.gathering_bytes.max(1))?;
        // Whoever reads it by its descriptor begins at its beginning.
        file.rewind().map_err(Ungathered::Room)?;
        Ok(Gathered { length, place: Place::File(file), position: 0 })
    }

    /// Goes to a place in the whole body, which is the new position. `None`: it is read as it comes.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a place that is not in it.
    pub fn seek(&mut self, to: SeekFrom) -> Option<io::Result<u64>> {
        let gathered = self.gathered.as_mut()?;
        let place = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(offset) => gathered.position.checked_add_signed(offset),
            SeekFrom::End(offset) => gathered.length.checked_add_signed(offset),
        };
        let Some(place) = place.filter(|place| *place <= gathered.length) else {
            return Some(Err(ErrorKind::InvalidInput.into()));
        };
        gathered.position = place;
        self.remaining = gathered.length - place;
        Some(Ok(place))
    }

    /// The file that the whole body is in, if it is in one.
    pub fn file(&self) -> Option<&File> {
        match &self.gathered.as_ref()?.place {
            Place::File(file) => Some(file),
            Place::Memory(_) => None,
        }
    }
}

impl Gathered {
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &self.place {
            Place::Memory(bytes) => (&bytes[self.position as usize..]).read(buffer)?,
            Place::File(file) => read_at(file, buffer, self.position)?,
        };
        self.position += count as u64;
        Ok(count)
    }
}

/// A body that is read within its time.
struct Paced<'p, 'c> {
    body: &'p mut RequestBody<'c>,
    pace: Pace,
    bytes: u64,
}

impl Paced<'_, '_> {
    /// Reads to its end, but no more than so many bytes.
    fn read_into(&mut self, bytes: &mut Vec<u8>, most: u64) -> Result<(), Ungathered> {
        while self.body.remaining > 0 && (bytes.len() as u64) < most {
            let length = bytes.len();
            let wanted = self.body.remaining.min(most - length as u64).min(CLAIM_BYTES.max(length as u64));
            bytes.resize(length + wanted as usize, 0);
            let read = self.read(&mut bytes[length..]);
            bytes.truncate(length + read.as_ref().copied().unwrap_or(0));
            if read? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Reads to its end, onto the end of a file. How many bytes that were.
    fn read_onto(&mut self, file: &mut File, mut piece: Vec<u8>, piece_bytes: usize) -> Result<u64, Ungathered> {
        piece.resize(piece_bytes, 0);
        let mut total = 0;
        loop {
            let count = self.read(&mut piece)?;
            if count == 0 {
                return Ok(total);
            }
            file.write_all(&piece[..count]).map_err(Ungathered::Room)?;
            total += count as u64;
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Ungathered> {
        let count = self.body.read(buffer).map_err(|error| Ungathered::of(error.kind()))?;
        self.bytes += count as u64;
        if self.body.remaining > 0 && self.pace.is_too_slow(monotonic_us(), self.bytes) {
            return Err(Ungathered::of(self.body.fail(ErrorKind::TimedOut).kind()));
        }
        Ok(count)
    }
}

impl Ungathered {
    fn of(kind: ErrorKind) -> Self {
        let (status, text) = match kind {
            ErrorKind::TimedOut => (408, "The request body did not come in time.\n"),
            ErrorKind::FileTooLarge => (413, "The request body is larger than this server accepts.\n"),
            ErrorKind::UnexpectedEof => (400, "The request body ended before its length.\n"),
            _ => (400, "The request body is not what it should be.\n"),
        };
        Self::Client { status, text }
    }
}
