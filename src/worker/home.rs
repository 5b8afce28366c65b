//! Where connections come back to whose answers are sent elsewhere (`offloading`): the thread that they belong to. Worker only.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};

use super::connection::Patient;
use super::offloading::Carried;
use super::reply::Moved;
use crate::sys::stream::Stream;
use crate::sys::wait::Doorbell;

/// The place of one thread.
#[allow(clippy::vec_box, reason = "they are boxed where they come from and where they go")]
#[derive(Debug)]
pub(super) struct Home {
    back: Mutex<Vec<Box<Patient>>>,
    bell: Doorbell,
}

/// A connection on its way, and where it belongs.
#[derive(Debug)]
pub(super) struct Traveller {
    pub(super) patient: Box<Patient>,
    pub(super) home: Arc<Home>,
}

impl Home {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { back: Mutex::default(), bell: Doorbell::new()? })
    }

    /// Those that are back.
    #[allow(clippy::vec_box, reason = "the same")]
    pub(super) fn take(&self) -> Vec<Box<Patient>> {
        self.bell.silence();
        std::mem::take(&mut *self.back.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AsFd for Home {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

impl Carried for Traveller {
    fn stream(&self) -> &Stream {
        self.patient.stream()
    }

    fn carry_on(&mut self) -> io::Result<Moved> {
        self.patient.carry_on()
    }

    fn break_off(&mut self) {
        self.patient.break_off();
    }

    fn come_home(self: Box<Self>) {
        let Self { patient, home } = *self;
        home.back.lock().unwrap_or_else(PoisonError::into_inner).push(patient);
        home.bell.ring();
    }
}
