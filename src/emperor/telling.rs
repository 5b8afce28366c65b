//! What the Emperor tells whoever connects to `emperor-stats`. Emperor only.

use std::os::fd::{AsFd, AsRawFd};

use mio::unix::SourceFd;
use mio::{Interest, Token};
use worker_protocol::ids::ProcessId;

use super::driver::{DOOR, Driver, KIND, VISITOR};
use super::report::{self, Now, Place};
use crate::supervision::time::Time;
use crate::sys::clock::{epoch_us, monotonic_us};
use crate::sys::memory;
use crate::sys::stream::accept;

/// Most who are let in before anything else gets its turn.
const WELCOMES_MAX: usize = 16;

impl Driver<'_> {
    /// Tells whoever has connected.
    pub(super) fn tell_visitors(&mut self) {
        for _ in 0..WELCOMES_MAX {
            let Some(Ok(Some(stream))) = self.door.as_ref().map(accept) else { break };
            let document = self.document().into_bytes();
            let Some((number, raw)) = self.visitors.tell(stream, document, None, monotonic_us()) else { continue };
            let token = Token(VISITOR << KIND | number as usize);
            if let Err(error) = self.poll.registry().register(&mut SourceFd(&raw), token, Interest::WRITABLE) {
                log::warn!("somebody is not told of all vassals: {error}");
            }
        }
        memory::forget_heap();
        // More may wait, of whom the event loop would not tell again by itself.
        let Some(raw) = self.door.as_ref().map(|door| door.as_fd().as_raw_fd()) else { return };
        if let Err(error) = self.poll.registry().reregister(&mut SourceFd(&raw), DOOR, Interest::READABLE) {
            log::error!("emperor-stats is not heard any more: {error}");
        }
    }

    fn document(&self) -> String {
        let emperor = report::Emperor {
            pid: std::process::id(),
            uid: nix::unistd::Uid::effective().as_raw(),
            gid: nix::unistd::Gid::effective().as_raw(),
            cwd: std::env::current_dir().map_or_else(|_| String::new(), |path| path.to_string_lossy().into_owned()),
            monitors: &self.config.emperor.monitors,
            tyrant: self.config.emperor.tyrant,
            memory: self.sharing.as_ref().map(|sharing| (sharing.budget.bytes(), sharing.budget.held_bytes())),
        };
        let seats = self.court.seats();
        let vassals = self.machine.vassals().iter().map(|(name, vassal)| {
            let seat = seats.get(name).map(|seat| Place {
                candidate: &seat.candidate,
                pid: seat.pid.map(ProcessId::get),
                stale: seat.stale.as_deref(),
                share: self.sharing.as_ref().and_then(|sharing| sharing.budget.of(seat.number)),
            });
            (name, vassal, seat)
        });
        let now_us = monotonic_us();
        report::document(&emperor, vassals, Now { now: Time(now_us), ahead_us: epoch_us().saturating_sub(now_us) })
    }
}
