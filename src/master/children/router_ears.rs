//! What the master tells routers while they run: where they write their log from now on, and which certificates they show.
//! Master only.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use serde::{Deserialize, Serialize};
use worker_protocol::control::ToWorker;

use super::super::machine::Seat;
use super::super::passed::Passed;
use crate::sys::control::ControlSocket;
use crate::sys::shared_memory::memory_file;

/// Of each seat, the end of the socket to the router that last took it.
#[derive(Debug, Default)]
pub(in crate::master) struct RouterEars(BTreeMap<Seat, ControlSocket>);

/// The same, for the next image of the master.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::master) struct RouterEarsHandover(Vec<(Seat, Passed)>);

impl RouterEars {
    /// A router is about to take a seat.
    pub(in crate::master) fn note(&mut self, seat: Seat, control: ControlSocket) {
        self.0.insert(seat, control);
    }

    /// Has them write their log to a file.
    pub(super) fn log_to(&self, file: BorrowedFd<'_>) -> impl Iterator<Item = io::Result<()>> {
        self.0.values().map(move |control| control.send_record(&ToWorker::LogTo, &[file]))
    }

    /// Has them show other certificates to whoever connects from now on.
    pub(in crate::master) fn certify(&self, certificates: &[u8]) -> impl Iterator<Item = io::Result<()>> {
        // A file for each: readers of one would have its position in common.
        self.0
            .values()
            .map(move |control| control.send_record(&ToWorker::Certificates, &[memory_file(certificates)?.as_fd()]))
    }

    pub(super) fn hand_over(&self) -> io::Result<RouterEarsHandover> {
        let passed = self.0.iter().map(|(seat, control)| Ok((*seat, Passed::on(control)?)));
        Ok(RouterEarsHandover(passed.collect::<io::Result<_>>()?))
    }

    pub(super) fn adopt(handover: RouterEarsHandover) -> io::Result<RouterEars> {
        let taken =
            handover.0.into_iter().map(|(seat, control)| Ok((seat, ControlSocket::from_owned(control.take()?))));
        Ok(RouterEars(taken.collect::<io::Result<_>>()?))
    }
}
