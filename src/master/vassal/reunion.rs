//! A vassal whose Emperor is gone, and which is to outlive it (`emperor-survive`): it serves on, and looks whether the next one is
//! there. Master only.

use super::super::driver::Driver;
use super::line::Vassal;
use super::orphan::{LOOK_LAST_US, Orphan};
use super::ours::Ours;
use crate::supervision::record::{Kind, record};
use crate::sys::clock::monotonic_us;
use crate::sys::line::Line;

impl Driver<'_> {
    /// The image before may have lost its Emperor.
    pub(in crate::master) fn go_on_without_emperor(&mut self) {
        if self.vassal.is_none() {
            self.orphan = Orphan::of_environment();
        }
    }

    /// Looks for the next Emperor, if it is time.
    pub(in crate::master) fn look_for_emperor(&mut self) {
        let now_us = monotonic_us();
        let Some(orphan) = self.orphan.as_mut().filter(|orphan| orphan.due_us <= now_us) else { return };
        if self.machine.is_stopping() {
            self.orphan = None;
            return;
        }
        orphan.due_us = now_us.saturating_add(orphan.after_us);
        orphan.after_us = orphan.after_us.saturating_mul(2).min(LOOK_LAST_US);
        let Ok(line) = Line::connect(&orphan.path) else { return };
        let said = line.say_all(&record(Kind::Returns, orphan.name.as_bytes()));
        let vassal = Vassal::with(line, Ours::after_reunion());
        if let Err(error) = vassal.watch(&self.poll) {
            return log::warn!("cannot hear the next Emperor: {error}");
        }
        if said {
            log::info!("there is an Emperor again");
            self.orphan = None;
            self.vassal = Some(vassal);
            self.tell_emperor_ready();
            self.tell_emperor_load();
        }
    }
}
