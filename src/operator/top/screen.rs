//! The terminal of `rhinod top`: put into a state in which keys come one by one, drawn on, and left as it was. The operator's
//! process only.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use super::draw::{Line, Style};
use crate::sys::machine::terminal_size;
use crate::sys::wait::{Interest, wait_ready};

/// Another screen without a cursor, and back (ECMA-48 and xterm's control sequences).
const BEGIN: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";
const END: &str = "\x1b[?25h\x1b[?1049l";

/// A size for terminals that do not tell theirs.
const USUAL: (usize, usize) = (24, 80);

/// The terminal, as long as it is ours.
pub(super) struct Screen {
    before: Termios,
}

impl Screen {
    /// Takes the terminal over; `None` where there is none.
    pub(super) fn open() -> io::Result<Option<Self>> {
        let (input, output) = (io::stdin(), io::stdout());
        if !input.is_terminal() || !output.is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(&input)?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(&input, SetArg::TCSAFLUSH, &raw)?;
        let screen = Self { before };
        output.lock().write_all(BEGIN.as_bytes())?;
        Ok(Some(screen))
    }

    /// Rows and columns.
    pub(super) fn size(&self) -> (usize, usize) {
        terminal_size(io::stdout()).unwrap_or(USUAL)
    }

    /// Draws all rows.
    pub(super) fn show(&self, lines: &[Line]) -> io::Result<()> {
        let mut text = String::from("\x1b[H");
        for (row, line) in lines.iter().enumerate() {
            if row > 0 {
                text += "\r\n";
            }
            line.iter().for_each(|(style, part)| text += &painted(*style, part));
            text += "\x1b[K";
        }
        let mut output = io::stdout().lock();
        output.write_all(text.as_bytes())?;
        output.flush()
    }

    /// The next key, if one is pressed within this time.
    pub(super) fn key(&self, within: Duration) -> io::Result<Option<u8>> {
        let within_us = u64::try_from(within.as_micros()).unwrap_or(u64::MAX);
        if !wait_ready(&io::stdin().as_fd(), Interest::Readable, within_us)? {
            return Ok(None);
        }
        let mut key = [0];
        // Past the buffer of the standard library: what waits there nothing would tell of.
        match nix::unistd::read(io::stdin(), &mut key)? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            _ => Ok(Some(key[0])),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that has gone needs nothing any more.
        let _ = io::stdout().lock().write_all(END.as_bytes());
        let _ = tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &self.before);
    }
}

fn painted(style: Style, text: &str) -> String {
    let code = match style {
        Style::Plain => return text.to_owned(),
        Style::Strong => "1",
        Style::Faint => "2",
        Style::Good => "32",
        Style::Bad => "31",
        Style::Title => "7",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}
