//! What the master does about workers that do not mind the deadlines of their requests: their process is stopped, or out of
//! its mind. They are killed, and replaced like any that dies. Master only.

use super::driver::Driver;
use super::machine::{Condition, Event};
use crate::sys::clock::monotonic_us;

impl Driver<'_> {
    /// Kills the workers that do not mind their deadlines.
    pub(super) fn mind_deadlines(&mut self) {
        let now_us = monotonic_us();
        if !self.second_line.is_due(now_us) {
            return;
        }
        let Some(board) = self.children.board() else { return };
        let serving = self.machine.workers().filter(|worker| worker.condition != Condition::Starting);
        let promised = serving.filter_map(|worker| Some((worker.seat, board.master(worker.seat)?.look_due_us()?)));
        let stuck = self.second_line.look(now_us, promised);
        for seat in stuck {
            let name = self.machine.workers().find(|worker| worker.seat == seat).map(|worker| worker.post.to_string());
            let name = name.unwrap_or_default();
            log::warn!("{name} does not mind the deadlines of its requests (harakiri), as if it were stopped: killed");
            self.handle(Event::Stuck { seat });
        }
    }
}
