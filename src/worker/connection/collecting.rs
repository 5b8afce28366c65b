//! A request whose head is here and whose body is still coming, while nobody waits for it: what it has when it is whole is for
//! the application (`post-buffering`). Worker only.

use std::io::ErrorKind;
use std::path::Path;

use worker_protocol::wire::Envelope;

use super::receive::Refusal;
use crate::config::model::RequestLimits;
use crate::sys::clock::monotonic_us;
use crate::sys::stream::Stream;
use crate::worker::body::{Gathered, Gathering, Pace, Ungathered};

/// How often one connection is read from before others have their turn.
const READS_MAX: usize = 16;

/// One of them.
#[derive(Debug)]
pub(super) struct Collecting {
    pub(super) envelope: Envelope,
    missing: u64,
    gathering: Gathering,
    pace: Pace,
}

impl Collecting {
    /// A body of `length` bytes, of which some are here.
    pub(super) fn begin(
        envelope: Envelope,
        (length, here): (u64, &[u8]),
        limits: &RequestLimits,
        room: &Path,
    ) -> Result<Self, Refusal> {
        let pace = Pace::from(monotonic_us(), limits.socket_timeout.as_micros() as u64);
        let missing = length.saturating_sub(here.len() as u64);
        let mut collecting = Self { envelope, missing, gathering: Gathering::default(), pace };
        collecting.gathering.add(here, limits, room).map_err(|error| refusal(Ungathered::Room(error)))?;
        Ok(collecting)
    }

    /// Takes in what is here. False: nothing is.
    pub(super) fn take_in(
        &mut self,
        stream: &Stream,
        buffer: &mut [u8],
        limits: &RequestLimits,
        room: &Path,
    ) -> Result<bool, Refusal> {
        let mut any = false;
        for _ in 0..READS_MAX {
            let wanted = usize::try_from(self.missing).unwrap_or(usize::MAX).min(buffer.len());
            if wanted == 0 {
                return Ok(any);
            }
            match stream.read(&mut buffer[..wanted]) {
                Ok(0) => return Err(refusal(Ungathered::of(ErrorKind::UnexpectedEof))),
                Ok(count) => {
                    let added = self.gathering.add(&buffer[..count], limits, room);
                    added.map_err(|error| refusal(Ungathered::Room(error)))?;
                    self.missing -= count as u64;
                    any = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return Err(Refusal::Silent),
            }
        }
        if self.pace.is_too_slow(monotonic_us(), self.gathering.length()) {
            return Err(too_slow());
        }
        Ok(any)
    }

    /// Whether all of it is here.
    pub(super) fn is_whole(&self) -> bool {
        self.missing == 0
    }

    /// The body.
    pub(super) fn finish(self) -> Result<Gathered, Refusal> {
        self.gathering.finish().map_err(|error| refusal(Ungathered::Room(error)))
    }
}

/// What becomes of a connection whose body does not come.
pub(super) fn too_slow() -> Refusal {
    refusal(Ungathered::of(ErrorKind::TimedOut))
}

fn refusal(why: Ungathered) -> Refusal {
    let (status, text) = why.answer();
    Refusal::with(status, text.trim_end())
}
