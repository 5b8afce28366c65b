//! What may take for ever, done in a process of its own that the master forks, so that it waits for nobody itself. Master,
//! and its forked process.

use std::path::Path;

use super::machine::ProcessId;
use crate::config::model::HookAction;
use crate::hooks;
use crate::sys::process::{end_within, set_name};
use crate::sys::spawn::{fork_helper, signal_group};

/// A process that does something for the master, and all that it has begun.
#[derive(Debug)]
pub(super) struct Helper(ProcessId);

/// How long an action of a touched file may take. Those that wait give up before by themselves.
const ACTION_WITHIN_S: u32 = 65;

impl Helper {
    /// Has a process of its own live a life; it dies with the master. What is open in the master is open there.
    pub(super) fn begin(life: impl FnOnce() -> i32) -> std::io::Result<Self> {
        let life = || {
            set_name("rhinod helper");
            life()
        };
        fork_helper(life).map(Self)
    }

    /// Whether a process that has ended is this one.
    pub(super) fn is(&self, pid: ProcessId) -> bool {
        self.0 == pid
    }

    /// Ends it, and all that it has begun. Only while it is not reaped is its number its own.
    pub(super) fn kill(self) {
        if let Err(error) = signal_group(self.0, libc::SIGKILL) {
            log::error!("cannot kill process {}: {error}", self.0);
        }
    }
}

/// Does what a touched file sets off, and says in the log what came of it.
pub(super) fn perform(path: &Path, written: &str) {
    let action = hooks::action_of(written);
    let act = || follow(path, written, hooks::perform_written(written));
    // These never wait, or are about the master itself.
    if matches!(
        action,
        None | Some(
            HookAction::Exec
                | HookAction::Print
                | HookAction::Log
                | HookAction::Cd
                | HookAction::Chdir
                | HookAction::UnixSignal
                | HookAction::Exit
        )
    ) {
        return act();
    }
    let helper = Helper::begin(|| {
        end_within(ACTION_WITHIN_S);
        act();
        0
    });
    if let Err(error) = helper {
        follow(path, written, Err(error));
    }
}

/// Logs what a watched file has set off.
pub(super) fn follow(path: &Path, what: &str, done: std::io::Result<()>) {
    match done {
        Ok(()) => log::info!("*** {} has been touched... {what} ***", path.display()),
        Err(error) => log::error!("{} has been touched, but {what} failed: {error}", path.display()),
    }
}
