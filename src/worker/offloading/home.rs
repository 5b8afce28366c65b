//! Where connections come back to whose answers were sent elsewhere: the thread that they belong to. Worker only.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};

use crate::sys::wait::Doorbell;
use crate::worker::connection::Patient;

/// The place of one thread.
#[derive(Debug)]
pub(in crate::worker) struct Home {
    back: Mutex<Vec<Box<Patient>>>,
    bell: Doorbell,
}

impl Home {
    pub(in crate::worker) fn new() -> io::Result<Self> {
        Ok(Self { back: Mutex::default(), bell: Doorbell::new()? })
    }

    /// One is back.
    pub(super) fn welcome(&self, patient: Box<Patient>) {
        self.back.lock().unwrap_or_else(PoisonError::into_inner).push(patient);
        self.bell.ring();
    }

    /// Those that are back.
    pub(in crate::worker) fn take(&self) -> Vec<Box<Patient>> {
        self.bell.silence();
        std::mem::take(&mut *self.back.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AsFd for Home {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}
