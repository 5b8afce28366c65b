//! Descriptors that Python code names by number. Worker.

use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

/// A descriptor of our own for what `number` refers to, so that closing the number meanwhile does no harm.
pub(crate) fn duplicate(number: RawFd) -> Option<OwnedFd> {
    if number < 0 {
        return None;
    }
    // SAFETY: borrowed for one `fcntl(2)`, which fails with EBADF if there is no such descriptor.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    borrowed.try_clone_to_owned().ok()
}
