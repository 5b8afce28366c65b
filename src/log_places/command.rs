//! A command that reads lines on its standard input (`pipe`): begun when there is a line for it, and again when it has ended,
//! but not more often than once a second. Collector only: there is one for all workers.

use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::sys::{pipe, process};

/// Least time between two beginnings.
const BETWEEN_US: u64 = 1_000_000;

/// Most bytes that wait for it here; the pipe holds as much once more.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// The command, and what it has not taken yet.
#[derive(Debug)]
pub(super) struct Reader {
    command: String,
    running: Option<(Child, Option<ChildStdin>)>,
    begun_us: Option<u64>,
    waiting: Vec<u8>,
}

impl Reader {
    pub(super) fn of(command: &str) -> Self {
        Self { command: command.to_owned(), running: None, begun_us: None, waiting: Vec::new() }
    }

    /// Writes a line, or keeps it for a moment.
    ///
    /// # Errors
    /// Why it is lost.
    pub(super) fn write(&mut self, line: &str, now_us: u64) -> io::Result<()> {
        self.begin_if_due(now_us)?;
        if self.waiting.len().saturating_add(line.len()) > WAITING_BYTES_MAX {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.waiting.extend(line.as_bytes());
        self.go_on()
    }

    fn begin_if_due(&mut self, now_us: u64) -> io::Result<()> {
        if let Some((child, _)) = &mut self.running
            && child.try_wait()?.is_some()
        {
            self.running = None;
            self.waiting.clear();
        }
        if self.running.is_some() {
            return Ok(());
        }
        if self.begun_us.is_some_and(|begun_us| now_us.saturating_sub(begun_us) < BETWEEN_US) {
            return Err(io::Error::other("the command has ended"));
        }
        self.begun_us = Some(now_us);
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(&self.command).stdin(Stdio::piped());
        let mut child = process::fresh_signals(&mut command).spawn()?;
        let input = child.stdin.take();
        if let Some(input) = &input {
            pipe::make_roomy(input)?;
        }
        self.running = Some((child, input));
        Ok(())
    }

    /// Hands over what it takes now.
    ///
    /// # Errors
    /// When it has ended.
    pub(super) fn go_on(&mut self) -> io::Result<()> {
        let Some((_, Some(input))) = &mut self.running else { return Ok(()) };
        while !self.waiting.is_empty() {
            match input.write(&self.waiting) {
                Ok(count) => drop(self.waiting.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.waiting.clear();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// What is waited for, if it has not taken everything.
    pub(super) fn waiting(&self) -> Option<BorrowedFd<'_>> {
        match &self.running {
            Some((_, Some(input))) if !self.waiting.is_empty() => Some(input.as_fd()),
            _ => None,
        }
    }

    /// Ends its input, once it has everything. Whether it has ended.
    pub(super) fn finish(&mut self) -> bool {
        // What it does not take is lost with it.
        let _ = self.go_on();
        let Some((child, input)) = &mut self.running else { return true };
        if self.waiting.is_empty() {
            *input = None;
        }
        child.try_wait().is_ok_and(|status| status.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_for(what: impl FnMut() -> bool) -> bool {
        let mut what = what;
        (0..10_000).any(|_| {
            std::thread::yield_now();
            what() || {
                std::thread::sleep(std::time::Duration::from_millis(1));
                false
            }
        })
    }

    #[test]
    fn a_command_gets_every_line_and_the_end_and_is_begun_again_after_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let mut reader = Reader::of(&format!("head -n 2 >> {}", out.display()));
        let read = || std::fs::read_to_string(&out).unwrap_or_default();
        reader.write("one\n", 0).unwrap();
        reader.write("two\n", 1).unwrap();
        assert!(wait_for(|| read() == "one\ntwo\n"));
        assert!(wait_for(|| reader.write("lost\n", 2).is_err()), "it has ended, and is not begun again at once");
        reader.write("three\n", BETWEEN_US + 1).unwrap();
        assert!(wait_for(|| reader.finish()));
        assert_eq!(read(), "one\ntwo\nthree\n");
    }

    #[test]
    fn a_command_that_reads_nothing_is_not_waited_for() {
        let mut reader = Reader::of("exec sleep 1000");
        let line = "x".repeat(10_000);
        let taken = (0..100_000).take_while(|_| reader.write(&line, 0).is_ok()).count();
        assert!((100..1_000).contains(&taken), "{taken}");
        assert!(reader.waiting().is_some() && !reader.finish());
        if let Some((child, _)) = &mut reader.running {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
