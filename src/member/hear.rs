//! What a process hears from outside: records on its control socket, and signals. Zygote, and every process below it.

use std::fmt::Debug;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::Signal;
use worker_protocol::control::{self, FromWorker, Message, ToWorker};
use worker_protocol::ids::Generation;

use crate::sys::control::{ControlSocket, Received, Unfit};
use crate::sys::{process, signals};

/// The way to the master.
#[derive(Debug)]
pub(super) struct Line<'z> {
    control: &'z ControlSocket,
    later: LaterKinds,
}

impl<'z> Line<'z> {
    pub(super) fn new(control: &'z ControlSocket) -> Self {
        Self { control, later: LaterKinds::default() }
    }

    /// Takes in what the master sent: most records only say that the order word has changed; signals of the application are
    /// handed over, and what the process is to become. False: the master is gone.
    pub(super) fn hear(&self, mut signalled: impl FnMut(u8), mut becomes: impl FnMut(Generation)) -> io::Result<bool> {
        loop {
            match self.later.receive(self.control)? {
                Received::Message(ToWorker::LogTo, beside) => process::log_to(&beside),
                Received::Message(ToWorker::Signal { number }, _) => signalled(number),
                Received::Message(ToWorker::Mold { generation }, _) => becomes(generation),
                Received::Message(ToWorker::Retire | ToWorker::Pause | ToWorker::Resume, _) => {}
                // That is for routers.
                Received::Message(ToWorker::Certificates, _) => {}
                Received::Unfit(unfit) => log::error!("the master sent what is no order: {unfit}"),
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

/// Kinds of records that a master of a later version sends: they are left undone, and the first one is told. Such a
/// master sends only what may be left undone (docs/PROTOCOL.md, control records).
#[derive(Debug, Default)]
pub(crate) struct LaterKinds {
    told: AtomicBool,
}

impl LaterKinds {
    /// The next record that is known.
    pub(crate) fn receive<M: Message + Debug>(&self, control: &ControlSocket) -> io::Result<Received<M>> {
        loop {
            match control.receive()? {
                Received::Unfit(Unfit::Record(control::Error::Kind(kind))) => self.tell(kind),
                other => return Ok(other),
            }
        }
    }

    fn tell(&self, kind: u16) {
        if !self.told.swap(true, Ordering::Relaxed) {
            log::warn!(
                "the master is of a later version: a control record of kind {kind} is unknown here and left undone, as \
                 others will be"
            );
        }
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
