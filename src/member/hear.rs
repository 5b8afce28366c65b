//! What a process hears from outside: records on its control socket, and signals. Zygote, and every process below it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nix::sys::signal::Signal;
use worker_protocol::control::{FromWorker, MESSAGE_BYTES_MAX, Message, ToWorker};

use crate::sys::control::{ControlSocket, Received};
use crate::sys::{process, signals};

/// The way to the master.
#[derive(Debug)]
pub(super) struct Line<'z> {
    control: &'z ControlSocket,
}

impl<'z> Line<'z> {
    pub(super) fn new(control: &'z ControlSocket) -> Self {
        Self { control }
    }

    /// Takes in what the master sent: most records only say that the order word has changed. False: the master is gone.
    pub(super) fn hear(&self) -> io::Result<bool> {
        let mut buffer = [0; MESSAGE_BYTES_MAX];
        loop {
            match self.control.receive(&mut buffer)? {
                Received::Message(length, beside) => {
                    if let Ok(ToWorker::LogTo) = ToWorker::decode(&buffer[..length]) {
                        log_to(&beside);
                    }
                }
                Received::Nothing => return Ok(true),
                Received::EndOfFile => return Ok(false),
            }
        }
    }

    /// Tells the master something.
    pub(super) fn tell(&self, record: &FromWorker) {
        // A master that is gone shows as end-of-file.
        let _ = self.control.send_record_waiting(record, &[]);
    }
}

impl AsFd for Line<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }
}

/// Writes the log where the master says from now on.
pub(crate) fn log_to(beside: &[OwnedFd]) {
    let moved = match beside.first() {
        Some(file) => process::redirect_output(file),
        None => Err(io::Error::other("the record came without the file")),
    };
    if let Err(error) = moved {
        log::error!("the log goes on where it was: {error}");
    }
}

/// Has signals set a flag, as far as the application has no use for them.
pub(crate) fn note_signals(which: &[Signal], flag: &Arc<AtomicBool>) {
    for signal in which {
        if let Err(error) = signals::note(*signal, flag) {
            log::warn!("{signal} ends this process: {error}");
        }
    }
}
