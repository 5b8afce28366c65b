//! A body that is whole before the application runs: in memory, or in a file without a name above a bound
//! (`post-buffering`). Worker only.

use std::fs::File;
use std::io::{self, ErrorKind, Read, SeekFrom};

use crate::sys::stream::read_at;

/// All of it, and how far it has been read.
#[derive(Debug)]
pub(crate) struct Gathered {
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

impl Gathered {
    /// How many bytes it has.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Goes to a place, which is the new position.
    pub(super) fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
        };
        self.position = place.filter(|place| *place <= self.length).ok_or(ErrorKind::InvalidInput)?;
        Ok(self.position)
    }

    /// The file that it is in.
    pub(super) fn file(&self) -> Option<&File> {
        match &self.place {
            Place::File(file) => Some(file),
            Place::Memory(_) => None,
        }
    }

    pub(super) fn in_memory(bytes: Vec<u8>) -> Self {
        Self { length: bytes.len() as u64, place: Place::Memory(bytes), position: 0 }
    }

    pub(super) fn in_file(file: File, length: u64) -> Self {
        Self { length, place: Place::File(file), position: 0 }
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &self.place {
            Place::Memory(bytes) => (&bytes[self.position as usize..]).read(buffer)?,
            Place::File(file) => read_at(file, buffer, self.position)?,
        };
        self.position += count as u64;
        Ok(count)
    }
}

impl Ungathered {
    /// What the client is told.
    pub(crate) fn answer(&self) -> (u16, &'static str) {
        match self {
            Self::Client { status, text } => (*status, text),
            Self::Room(error) => {
                log::error!("no room for a request body (post-buffering): {error}");
                (507, "There is no room for the request body.\n")
            }
        }
    }

    pub(crate) fn of(kind: ErrorKind) -> Self {
        let (status, text) = match kind {
            ErrorKind::TimedOut => (408, "The request body did not come in time.\n"),
            ErrorKind::FileTooLarge => (413, "The request body is larger than this server accepts.\n"),
            ErrorKind::UnexpectedEof => (400, "The request body ended before its length.\n"),
            _ => (400, "The request body is not what it should be.\n"),
        };
        Self::Client { status, text }
    }
}
