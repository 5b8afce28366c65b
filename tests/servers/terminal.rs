//! A terminal for programs that draw on one: what they have drawn, and keys for them.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};

use crate::harness::{PATIENCE, await_exit};

/// A program on a terminal of 40 rows and 160 columns.
pub(crate) struct Terminal {
    side: File,
    drawn: Vec<u8>,
    program: Child,
}

impl Terminal {
    /// Begins a program.
    pub(crate) fn running(command: &mut Command) -> Self {
        let size = Winsize { ws_row: 40, ws_col: 160, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(Some(&size), None).expect("a terminal");
        let copy = || Stdio::from(pair.slave.try_clone().expect("another descriptor"));
        command.env("TERM", "xterm").stdin(copy()).stdout(copy()).stderr(copy());
        let program = command.spawn().expect("execute the program");
        // The command keeps descriptors of its own, with which the terminal would never end.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        drop(pair.slave);
        Self { side: File::from(pair.master), drawn: Vec::new(), program }
    }

    /// Reads what comes next; 0 at the end, and when nothing comes until then.
    fn read(&mut self, until: Instant) -> usize {
        let left = until.saturating_duration_since(Instant::now());
        let mut side = [PollFd::new(self.side.as_fd(), PollFlags::POLLIN)];
        let mut bytes = [0; 4096];
        match poll(&mut side, PollTimeout::try_from(left).expect("less than 24 days")) {
            Ok(1..) => {}
            _ => return 0,
        }
        let count = self.side.read(&mut bytes).unwrap_or(0);
        self.drawn.extend_from_slice(&bytes[..count]);
        count
    }

    /// Reads on until the program has drawn all of this, in any order, since the last time.
    pub(crate) fn wait_for(&mut self, all: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = String::from_utf8_lossy(&self.drawn);
            if all.iter().all(|part| text.contains(part)) {
                return self.drawn.clear();
            }
            assert!(self.read(deadline) > 0, "no {all:?} in time: {}", String::from_utf8_lossy(&self.drawn));
        }
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.side.write_all(keys.as_bytes()).expect("press a key");
    }

    /// Waits for the end of the program, which must be a success.
    pub(crate) fn ends_well(mut self) {
        // Whoever draws until the end needs somebody who takes it.
        let deadline = Instant::now() + PATIENCE;
        while self.read(deadline) > 0 {}
        let in_time = await_exit(self.program.id().cast_signed()).within(PATIENCE);
        assert!(in_time, "it does not end: {}", String::from_utf8_lossy(&self.drawn));
        let ended = self.program.wait().expect("our child");
        assert!(ended.success(), "{ended}: {}", String::from_utf8_lossy(&self.drawn));
    }
}
