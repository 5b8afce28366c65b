//! The end of a connection on which nothing is answered any more: what still comes is read and forgotten, or it is kept
//! silent. Worker only.

use std::io::ErrorKind;

use super::{Next, Patient, Phase, SILENCE_US};
use crate::sys::clock::monotonic_us;
use crate::worker::connection::buffers::Buffers;
use crate::worker::connection::finish::LINGER_US;
use crate::worker::parking::Owes;

impl Patient {
    /// Nothing is answered any more; but the peer, which may still be sending, must get to read the answer.
    pub(super) fn forget_the_rest(&mut self, bytes_left: u64) -> Next {
        if self.stream.finish_writing().is_err() {
            return Next::Ended;
        }
        (self.phase, self.carried) = (Phase::Rest { bytes_left }, Vec::new());
        self.since_us = monotonic_us();
        Next::Waits { owes: Owes::End, until_us: self.since_us + LINGER_US }
    }

    /// An answer broke off, and the connection's end would be taken for that of the answer: it is kept, silent, until the
    /// other side's patience ends.
    pub(crate) fn fall_silent(&mut self) -> Next {
        (self.phase, self.carried) = (Phase::Silent, Vec::new());
        self.since_us = monotonic_us();
        Next::Waits { owes: Owes::End, until_us: self.since_us + SILENCE_US }
    }

    pub(super) fn read_and_forget(&mut self, buffers: &mut Buffers, bytes_left: u64, patience_us: u64) -> Next {
        match self.stream.read(&mut buffers.received) {
            Ok(count) if count > 0 && count as u64 <= bytes_left => {
                if let Phase::Rest { bytes_left } = &mut self.phase {
                    *bytes_left -= count as u64;
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            _ => return Next::Ended,
        }
        Next::Waits { owes: Owes::End, until_us: self.since_us + patience_us }
    }
}
