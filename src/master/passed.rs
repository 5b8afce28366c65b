//! Descriptors that pass through an exec by their numbers, from one image of the master to the next. Master only.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use serde::{Deserialize, Serialize};

use crate::sys::process;

/// A descriptor on its way to the next image: its number there and here.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Passed(RawFd);

impl Passed {
    /// Lets a descriptor pass through the exec that is to come.
    pub(super) fn on(descriptor: &impl AsFd) -> io::Result<Self> {
        let descriptor = descriptor.as_fd();
        process::inherit(descriptor)?;
        Ok(Self(descriptor.as_raw_fd()))
    }

    /// What was passed under a number.
    pub(super) fn numbered(number: RawFd) -> Self {
        Self(number)
    }

    /// Takes over what the image before has passed.
    ///
    /// # Errors
    /// When there is no such descriptor.
    pub(super) fn take(self) -> io::Result<OwnedFd> {
        process::adopt_descriptor(self.0)
    }
}
