//! The end of an instance: what it ends with, and what is left behind. Master only.

use super::driver::Driver;
use crate::config::model::HookPhase;
use crate::failure::StartFailure;
use crate::sys::listeners::BoundSocket;

impl Driver<'_> {
    /// What the instance ends with. A start that fails leaves nothing behind, also where it fails late: because of the configuration, or of an application that cannot be loaded.
    pub(super) fn end(mut self, code: i32) -> Result<i32, StartFailure> {
        let unfit = self.unfit.take().filter(|failure| i32::from(failure.exit.code()) == code);
        self.give_up_upgrade();
        self.give_up_reading("the instance has ended".to_owned());
        self.clean_up();
        self.in_force.sockets.iter().for_each(BoundSocket::end);
        if code != 0 && !self.has_served {
            self.in_force.withdraw();
            self.pid_files.withdraw();
        }
        self.finish_attendants();
        self.finish_collecting();
        unfit.map_or(Ok(code), Err)
    }

    /// Leaves nothing behind that `vacuum` is to remove.
    pub(super) fn clean_up(&mut self) {
        if let Err(failure) = crate::hooks::run(&self.in_force.config.hooks, HookPhase::AsUserAtexit) {
            log::error!("{failure}");
        }
        if self.in_force.config.vacuum {
            self.in_force.vacuum();
            self.pid_files.remove();
        }
    }
}
