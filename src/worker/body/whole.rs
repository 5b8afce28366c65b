//! Having a body whole before the application runs (`post-buffering`), and what can be done with one that is. Worker only.

use std::fs::File;
use std::io::{self, ErrorKind, Read, SeekFrom};
use std::path::Path;

use super::RequestBody;
use super::gathered::{Gathered, Ungathered};
use super::gathering::Gathering;
use super::pace::Pace;
use crate::config::model::RequestLimits;
use crate::sys::clock::monotonic_us;

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
        self.take_over(gathered?);
        Ok(())
    }

    fn read_whole(&mut self, limits: &RequestLimits, directory: &Path) -> Result<Gathered, Ungathered> {
        let mut gathering = Gathering::default();
        if self.remaining > 0 {
            let pace = Pace::from(monotonic_us(), self.silence_max_us);
            let mut piece = vec![0; limits.gathering_bytes];
            loop {
                let count = self.read(&mut piece).map_err(|error| Ungathered::of(error.kind()))?;
                if count == 0 {
                    break;
                }
                gathering.add(&piece[..count], limits, directory).map_err(Ungathered::Room)?;
                if self.remaining > 0 && pace.is_too_slow(monotonic_us(), gathering.length()) {
                    return Err(Ungathered::of(self.fail(ErrorKind::TimedOut).kind()));
                }
            }
        }
        gathering.finish().map_err(Ungathered::Room)
    }

    /// Takes one that has become whole elsewhere.
    pub(crate) fn take_over(&mut self, gathered: Gathered) {
        self.remaining = gathered.length();
        self.gathered = Some(gathered);
    }

    /// Goes to a place in the whole body, which is the new position. `None`: it is read as it comes.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a place that is not in it.
    pub fn seek(&mut self, to: SeekFrom) -> Option<io::Result<u64>> {
        let gathered = self.gathered.as_mut()?;
        let place = gathered.seek(to);
        if let Ok(place) = place {
            self.remaining = gathered.length() - place;
        }
        Some(place)
    }

    /// The file that the whole body is in, if it is in one.
    pub fn file(&self) -> Option<&File> {
        self.gathered.as_ref()?.file()
    }
}
