//! The end of an instance: what it ends with, and what is left behind. Master only.

use super::Driver;
use crate::config::model::HookPhase;
use crate::failure::StartFailure;

impl Driver<'_> {
    /// What the instance ends with. A start that fails leaves nothing behind, also
    /// where it fails late: because of the configuration, or of an application that cannot be loaded.
    pub(super) fn end(mut self, code: i32) -> Result<i32, StartFailure> {
        let unfit = self.unfit.take().filter(|failure| i32::from(failure.exit.code()) == code);
        self.clean_up();
        if code != 0 && !self.has_served {
            self.withdraw_files();
        }
        unfit.map_or(Ok(code), Err)
    }

    /// Removes what a start has made that does not succeed.
    fn withdraw_files(&mut self) {
        for socket in &self.sockets {
            // Best effort: the failure itself is what the operator must read.
            let _ = socket.remove_file();
        }
        self.pid_files.withdraw();
        self.fifos.withdraw();
        if let Some(decisions) = self.scaler.record_to(None) {
            decisions.withdraw();
        }
    }

    /// Leaves nothing behind that `vacuum` is to remove.
    pub(super) fn clean_up(&mut self) {
        if let Err(failure) = crate::hooks::run(&self.config.hooks, HookPhase::AsUserAtexit) {
            log::error!("{failure}");
        }
        if self.config.vacuum {
            for socket in &self.sockets {
                match socket.remove_file() {
                    Ok(true) => log::info!("VACUUM: unix socket {} removed.", socket.name),
                    Ok(false) => {}
                    Err(error) => log::warn!("VACUUM: cannot remove {}: {error}", socket.name),
                }
            }
            self.pid_files.remove();
            self.fifos.remove();
        }
    }
}
