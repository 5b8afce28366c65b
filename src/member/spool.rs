//! Tasks for spoolers as a process of the instance has them run: for the application, or for another instance. Every process
//! below a zygote, and that.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Instance;
use crate::config::model::mailboxes;
use crate::escape;
use crate::spool::{Unfit, Wanted};
use crate::spooling;

/// Why a task was not written.
#[derive(Debug, Error)]
pub enum NotSpooled {
    /// It is none.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The system did not let it be.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl Instance<'_> {
    /// Has a task run: names and values, of which `spooler`, `at`, `priority` and `body` say where, when and with what. The path of
    /// its file.
    ///
    /// # Errors
    /// Why it will not be run.
    pub fn spool(&self, variables: &[[&[u8]; 2]]) -> Result<PathBuf, NotSpooled> {
        let spoolers = &self.config().spoolers;
        let wanted = Wanted::of(variables).inspect_err(|unfit| {
            if *unfit == Unfit::All {
                log::error!("[uwsgi-spooler] args buffer is limited to 64k, use the 'body' for bigger values");
            }
        })?;
        let mut directories = spoolers.list.iter().map(|spool| spool.directory.as_path());
        let directory = match wanted.directory {
            Some(name) => directories.find(|own| own.as_os_str() == OsStr::from_bytes(name)),
            None => directories.next(),
        };
        let unknown = || Unfit::NoSpooler(escape::value(wanted.directory.unwrap_or_default()));
        let directory = directory.ok_or_else(unknown)?;
        let path = spooling::write(directory, &wanted, spoolers.durable)?;
        if !spoolers.quiet {
            let bytes = wanted.block.len() + wanted.body.len();
            log::info!("[spooler] written {bytes} bytes to file {}", path.display());
        }
        self.wake_spoolers(directory);
        Ok(path)
    }

    /// Has a process of this directory look, and the master if all are busy. The byte stands for a task that nobody has seen.
    fn wake_spoolers(&self, directory: &Path) {
        if let Some(mailbox) = self.mailbox(&mailboxes::spooler(directory)) {
            // In a full one enough of them wait.
            let _ = mailbox.post(b"1");
        }
        self.call_for_spoolers(directory);
    }
}
