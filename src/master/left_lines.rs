//! Request lines of workers that died before they had written them: they are the master's to write, so that none is lost
//! whatever a worker dies of. Master only.

use super::driver::Driver;
use super::machine::Seat;
use crate::logging;

impl Driver<'_> {
    /// Writes what the worker in a seat has left, which is dead. What it was just writing may be in the log already; where
    /// the log cannot be read, it is there twice rather than not at all.
    pub(super) fn write_left_lines(&self, seat: Seat) {
        let Some(left) = self.in_force.memories.take_lines(seat) else { return };
        let end = if left.was_under_way { logging::end_of_log().unwrap_or_default() } else { Vec::new() };
        logging::put_for(left.missing_in(&end));
    }
}
