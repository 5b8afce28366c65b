//! A server's log as it grows: read by a thread, line by line, and waited on.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::PATIENCE;

/// Lines of a log that the message of a failure shows.
const TAIL_LINES: usize = 40;

/// A log that grows. Clones look at the same log.
#[derive(Debug, Clone)]
pub(crate) struct Log(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<Line>,
    ended: bool,
}

/// One line of a log.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// When it was read.
    pub at: Instant,
    /// What it says, without its end.
    pub text: String,
}

impl Log {
    /// Reads `source` until its end in a thread of its own.
    pub(crate) fn of(source: impl Read + Send + 'static) -> Self {
        let log = Self(Arc::default());
        let shared = Arc::clone(&log.0);
        std::thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut bytes = Vec::new();
            while source.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
                let text = String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned();
                bytes.clear();
                shared.change(|state| state.lines.push(Line { at: Instant::now(), text }));
            }
            shared.change(|state| state.ended = true);
        });
        log
    }

    /// How many lines there are; for [`Log::wait_for_after`].
    pub(crate) fn position(&self) -> usize {
        self.0.lock().lines.len()
    }

    /// Whether a line from number `position` on contains `needle` by now.
    pub(crate) fn has_after(&self, position: usize, needle: &str) -> bool {
        self.0.lock().lines.iter().skip(position).any(|line| line.text.contains(needle))
    }

    /// Waits for a line that contains `needle`.
    pub(crate) fn wait_for(&self, needle: &str) -> Line {
        self.wait_for_after(0, needle)
    }

    /// Waits for a line that contains `needle`, from line number `position` on.
    pub(crate) fn wait_for_after(&self, position: usize, needle: &str) -> Line {
        let found = self
            .wait(PATIENCE, |state| state.lines.iter().skip(position).find(|line| line.text.contains(needle)).cloned());
        found.unwrap_or_else(|| panic!("no line with {needle:?} in this log:\n{}", self.tail()))
    }

    /// Waits until `count` lines contain `needle`; returns them.
    pub(crate) fn wait_for_count(&self, count: usize, needle: &str) -> Vec<Line> {
        let found = self.wait(PATIENCE, |state| {
            let lines: Vec<Line> = state.lines.iter().filter(|line| line.text.contains(needle)).cloned().collect();
            (lines.len() >= count).then_some(lines)
        });
        found.unwrap_or_else(|| panic!("fewer than {count} lines with {needle:?} in this log:\n{}", self.tail()))
    }

    /// Waits for the end: every process that could write to it has gone. False: the time is over.
    pub(crate) fn wait_for_end(&self, within: Duration) -> bool {
        self.wait(within, |state| state.ended.then_some(())).is_some()
    }

    /// Waits for a line that contains `needle`, or for the end of the log.
    pub(crate) fn wait_for_or_end(&self, needle: &str) -> Option<Line> {
        let found = self.wait(PATIENCE, |state| {
            let line = state.lines.iter().find(|line| line.text.contains(needle)).cloned();
            (line.is_some() || state.ended).then_some(line)
        });
        found.unwrap_or_else(|| panic!("neither {needle:?} nor an end in this log:\n{}", self.tail()))
    }

    /// The lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().lines.iter().map(|line| line.text.clone()).collect()
    }

    /// The lines so far that contain `needle`.
    pub(crate) fn lines_with(&self, needle: &str) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.contains(needle)).collect()
    }

    /// Fails if there is a remarkable line in which none of the `expected` texts is.
    pub(crate) fn assert_clean(&self, is_remarkable: fn(&str) -> bool, expected: &[String]) {
        let is_unexpected = |line: &String| is_remarkable(line) && !expected.iter().any(|text| line.contains(text));
        let unexpected: Vec<String> = self.lines().into_iter().filter(is_unexpected).collect();
        assert!(unexpected.is_empty(), "unexpected in the log: {unexpected:#?}");
    }

    /// The last lines so far, for messages of failures.
    pub(crate) fn tail(&self) -> String {
        let lines = self.lines();
        let last = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        last.iter().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "    {line}");
            text
        })
    }

    fn wait<T>(&self, within: Duration, look: impl Fn(&State) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + within;
        let mut state = self.0.lock();
        loop {
            if let Some(found) = look(&state) {
                return Some(found);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}
