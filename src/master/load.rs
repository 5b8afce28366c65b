//! The load and the number of workers: when to look, and what may wake us. The looking itself is the [`super::scaler`]'s.
//! Master only.

use super::driver::Driver;
use super::machine::{Event, Order};
use super::sight::Scene;
use super::wake::{Wake, no_more};
use crate::stats::Decision;
use crate::sys::clock::{epoch_us, monotonic_us};

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
        let scene = Scene { now_us, machine: &self.machine, board, allowance: self.allowance() };
        if let Some(event) = self.scaler.look(&scene, &mut self.in_force) {
            if event == Event::Order(Order::Stop) {
                self.tell_emperor_idle();
            }
            self.handle(event);
        }
        self.tell_emperor_load();
        if let Some((direction, reason)) = self.scaler.take_change() {
            let workers = self.machine.target();
            let (direction, reason) = (direction.to_owned(), reason.to_owned());
            self.ledger.note_decision(Decision { at_us: epoch_us(), direction, workers, reason });
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
        // Where a router takes the connections, no worker can.
        for socket in self.in_force.sockets.iter().filter(|socket| !socket.listener.is_routed()) {
            let changed =
                if wanted { Wake::Queue.when_readable(socket, &self.poll) } else { no_more(socket, &self.poll) };
            if let Err(error) = changed {
                log::warn!("cannot watch the queue of {}: {error}", socket.name);
            }
        }
    }
}
