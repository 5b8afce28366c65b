//! One line on a terminal that says how far a reload is, while a command waits for its end. The operator's process only.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// How often it is drawn anew.
pub(super) const SHOWN_EVERY: Duration = Duration::from_millis(500);

/// To the beginning of the line, and everything behind it gone (ECMA-48, EL).
const ANEW: &str = "\r\x1b[K";

/// Most of it that is drawn: a line that is broken is not drawn over.
const COLUMNS_MAX: usize = 119;

/// The line; it is gone when it is dropped.
pub(super) struct Progress(());

impl Progress {
    /// Where standard error is a terminal.
    pub(super) fn on_terminal() -> Option<Self> {
        // Not made where there is none: its end is drawn as well.
        io::stderr().is_terminal().then(|| Self(()))
    }

    /// What it says from now on.
    pub(super) fn show(&self, text: &str) {
        draw(&format!("{ANEW}{}", text.chars().take(COLUMNS_MAX).collect::<String>()));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        draw(ANEW);
    }
}

fn draw(text: &str) {
    // A terminal that is gone shows nothing.
    let _ = io::stderr().write_all(text.as_bytes());
}
