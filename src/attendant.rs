//! How a process begins that the master forks to do something for the instance as a whole (`master::attendants`): its name, what
//! it must not keep of the master, and what ties it to it. Attendants, and the master for the other ends.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use worker_protocol::control::ToWorker;

use crate::logging;
use crate::sys::control::{ControlSocket, Received};
use crate::sys::process::{close_all_but, log_to, set_name};

/// Exit code of one that cannot do what it is for.
pub(crate) const UNFIT: i32 = 1;

/// What ties an attendant to the master: one end of each, two for the master and two for it.
#[derive(Debug)]
pub(crate) struct Ties {
    /// On which it asks and is answered; the end of it says that it is over.
    pub(crate) control: UnixStream,
    /// On which it hears that the log has moved.
    ear: ControlSocket,
}

impl Ties {
    /// The master's ends, where nothing waits, and the attendant's.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn pair() -> io::Result<(Self, Self)> {
        let (own, others) = UnixStream::pair()?;
        own.set_nonblocking(true)?;
        let (mouth, ear) = ControlSocket::pair()?;
        Ok((Self { control: own, ear: mouth }, Self { control: others, ear }))
    }

    /// Master: has it write its log to a file from now on.
    ///
    /// # Errors
    /// It does not hear.
    pub(crate) fn log_to(&self, file: BorrowedFd<'_>) -> io::Result<()> {
        self.ear.send_record(&ToWorker::LogTo, &[file])
    }

    /// Attendant: what is readable when there is something to heed.
    pub(crate) fn ear(&self) -> BorrowedFd<'_> {
        self.ear.as_fd()
    }

    /// Attendant: follows the log, if it has moved.
    pub(crate) fn heed(&self) {
        while let Ok(Received::Message(word, beside)) = self.ear.receive::<ToWorker>() {
            if word == ToWorker::LogTo {
                log_to(&beside);
            }
        }
    }
}

/// Begins as this, with standard input, output and error, its ties and these descriptors.
pub(crate) fn begin(name: &str, ties: &Ties, kept: &[BorrowedFd<'_>]) {
    set_name(name);
    // The master's way to the log is a descriptor as well.
    logging::forget_way();
    close_all_but(&[&[ties.control.as_fd(), ties.ear()], kept].concat());
    logging::wait_for_nobody();
}
