//! Signals of the application that come to a worker: for it alone, over its control socket, or for the first worker that has
//! time, in a mailbox of all. They are handled between requests, by the thread that hears the master. Worker only.

use std::os::fd::{AsFd, AsRawFd, RawFd};

use super::exchange::Service;
use super::process::Worker;
use crate::config::model::mailboxes;
use crate::sys::mailbox::Mailbox;

impl Worker<'_> {
    /// The mailbox of all workers, if there are signals.
    pub(super) fn common_signals(&self) -> Option<&Mailbox> {
        self.member().instance().mailbox(&mailboxes::signals("worker"))
    }

    /// The next signal for this worker.
    pub fn take_signal(&self) -> Option<u8> {
        self.member().take_signal().or_else(|| self.take_common_signal())
    }

    /// Descriptors that are readable when one may have come.
    pub fn signal_sources(&self) -> Vec<RawFd> {
        let common = self.common_signals().map(|mailbox| mailbox.outlet().as_raw_fd());
        common
            .into_iter()
            .chain([self.member().control().as_raw_fd(), self.member().bell().as_fd().as_raw_fd()])
            .collect()
    }

    fn take_common_signal(&self) -> Option<u8> {
        let taken = self.common_signals()?.take().unwrap_or_else(|error| {
            log::error!("{}: signals cannot be heard: {error}", self.member().name());
            None
        });
        taken.and_then(|message| message.first().copied())
    }

    /// Handles those that have come for this worker alone, and one of those of all: others may have time for the next.
    pub(super) fn handle_signals<S: Service + ?Sized>(&self, service: &S) {
        while let Some(number) = self.member().take_signal() {
            service.on_signal(number);
        }
        if !self.member().is_leaving()
            && let Some(number) = self.take_common_signal()
        {
            service.on_signal(number);
        }
    }
}
