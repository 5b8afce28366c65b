//! The end of an instance: what it ends with, and what is left behind. Master only.

use super::Driver;
use crate::config::model::HookPhase;
use crate::failure::StartFailure;

impl Driver<'_> {
    /// What the instance ends with. A start that failed because of the configuration leaves nothing behind.
    pub(super) fn end(mut self, code: i32) -> Result<i32, StartFailure> {
        let unfit = self.unfit.take().filter(|failure| i32::from(failure.exit.code()) == code);
        self.clean_up();
        match unfit {
            Some(failure) => {
                for socket in &self.sockets {
                    // Best effort: the failure itself is what the operator must read.
                    let _ = socket.remove_file();
                }
                self.pid_files.withdraw();
                self.fifos.remove();
                Err(failure)
            }
            None => Ok(code),
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
