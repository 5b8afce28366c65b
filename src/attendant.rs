//! How a process begins that the master forks to do something for the instance as a whole (`master::attendants`): its name, and
//! what it must not keep of the master. Attendants only.

use std::os::fd::BorrowedFd;

use crate::logging;
use crate::sys::process::{close_all_but, set_name};

/// Exit code of one that cannot do what it is for.
pub(crate) const UNFIT: i32 = 1;

/// Begins as this, with standard input, output and error and these descriptors.
pub(crate) fn begin(name: &str, kept: &[BorrowedFd<'_>]) {
    set_name(name);
    // The master's way to the log is a descriptor as well.
    logging::forget_way();
    close_all_but(kept);
    logging::wait_for_nobody();
}
