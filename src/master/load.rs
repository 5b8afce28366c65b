//! The load and the number of workers: when to look, what may wake us, and whether what serves is too large. The looking
//! itself is the [`super::scaler`]'s. Master only.

use super::Driver;
use super::machine::{Event, Seat};
use super::wake::{Wake, no_more};
use crate::failure::StartFailure;
use crate::scaling::Settings;
use crate::sys::clock::monotonic_us;
use crate::sys::memory::resident_bytes;

impl Driver<'_> {
    /// Looks at the load if there is a reason to, and has the machine follow what is decided.
    pub(super) fn scale(&mut self) {
        let now_us = monotonic_us();
        let timer = self.scaler.next_look_us().is_some_and(|look| look <= now_us);
        if !(self.look_due || timer) || !self.may_scale() {
            return;
        }
        self.look_due = false;
        let Some(board) = self.children.board() else { return };
        if let Some(event) = self.scaler.look(now_us, &self.machine, board, &self.sockets) {
            self.handle(event);
        }
        if self.scaler.has_miscounted() {
            self.children.recount();
        }
        self.watch_queue(self.scaler.wakes_on_queue());
    }

    /// Whether the number of workers may change.
    pub(super) fn may_scale(&self) -> bool {
        !self.machine.is_stopping() && !self.machine.is_paused()
    }

    /// Begins or ends watching the listening sockets.
    pub(super) fn watch_queue(&mut self, wanted: bool) {
        if wanted == self.watching_queue {
            return;
        }
        self.watching_queue = wanted;
        for socket in &self.sockets {
            let changed =
                if wanted { Wake::Queue.when_readable(socket, &self.poll) } else { no_more(socket, &self.poll) };
            if let Err(error) = changed {
                log::warn!("cannot watch the queue of {}: {error}", socket.name);
            }
        }
    }

    /// Whether the first worker of a generation is so large that the fewest of them break the memory limit.
    pub(super) fn measure(&mut self, seat: Seat) -> Option<Event> {
        let (generation, pid) = self.children.accepting(seat)?;
        if generation <= self.measured {
            return None;
        }
        self.measured = generation;
        let config = match &self.candidate {
            Some(candidate) if generation != self.machine.current() => &candidate.config,
            _ => &self.config,
        };
        config.scaling.rss_soft?;
        let misfit = Settings::of(config).check_memory(resident_bytes(pid.get())).err()?;
        let failure = StartFailure::configuration(misfit).about("cheaper-rss-limit-soft");
        let (exit_code, reason) = (i32::from(failure.exit.code()), failure.message.clone());
        self.unfit = Some(failure);
        Some(Event::GenerationUnfit { generation, exit_code, reason })
    }
}
