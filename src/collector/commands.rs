//! Commands of alarms (`cmd`): executed by the shell with the message as their input, a few at a time, waited for by nobody.
//! Collector only.

use std::io::{self, Write};
use std::process::{Child, Command, Stdio};

use crate::sys::process;

/// Most that run at once.
const AT_ONCE_MAX: usize = 16;

/// Those that run.
#[derive(Debug, Default)]
pub(super) struct Commands {
    running: Vec<Child>,
}

impl Commands {
    /// Executes one. What comes from clients is in its input and never in its words.
    ///
    /// # Errors
    /// When it cannot be executed, or too many run already.
    pub(super) fn run(&mut self, command: &str, message: &str) -> io::Result<()> {
        self.bury();
        if self.running.len() >= AT_ONCE_MAX {
            return Err(io::Error::other(format!("{AT_ONCE_MAX} commands of alarms run already")));
        }
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(command).stdin(Stdio::piped());
        let mut child = process::fresh_signals(&mut shell).spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // There is room for all of it in a new pipe, so that nobody waits. A command that does not read it does not want it.
            let _ = input.write_all(format!("{message}\n").as_bytes());
        }
        self.running.push(child);
        Ok(())
    }

    /// Whether any runs, as far as it is known.
    pub(super) fn run_now(&self) -> bool {
        !self.running.is_empty()
    }

    /// Takes leave of those that have ended.
    pub(super) fn bury(&mut self) {
        self.running.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    }
}
