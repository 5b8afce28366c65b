//! Which lines of the log belong together: a message and the lines behind it that are indented, as ours are and those of a
//! traceback. Pure; collector only.
//!
//! A message of ours comes with one write, so that it has ended when there is nothing more to read. A traceback that Python
//! prints comes line by line, and ends with the first line that is not indented.

/// Longest message, in bytes; what is longer goes on as another one.
const MESSAGE_BYTES_MAX: usize = 128 * 1_024;

/// How the tracebacks of Python begin.
const TRACEBACK: &str = "Traceback (most recent call last):";

/// A message that has begun.
#[derive(Debug, Default)]
pub(super) struct Messages {
    begun: Option<String>,
    /// Whether it is a traceback whose last line is still to come.
    open: bool,
}

impl Messages {
    /// Takes a line, and hands over the message before it if that is whole now.
    pub(super) fn take(&mut self, line: &str, mut each: impl FnMut(&str)) {
        let is_last = self.open && ends_traceback(line);
        match &mut self.begun {
            Some(begun) if (is_last || line.starts_with("  ")) && begun.len() + line.len() < MESSAGE_BYTES_MAX => {
                begun.push('\n');
                begun.push_str(line);
            }
            _ => {
                self.finish(&mut each);
                self.begun = Some(line.to_owned());
                self.open = line == TRACEBACK;
                return;
            }
        }
        if is_last {
            self.finish(each);
        }
    }

    /// There is nothing more to read for now: what is no traceback has ended.
    pub(super) fn pause(&mut self, each: impl FnMut(&str)) {
        if !self.open {
            self.finish(each);
        }
    }

    /// Whether the rest of a traceback is waited for.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Nothing more comes: what has begun is a message.
    pub(super) fn finish(&mut self, mut each: impl FnMut(&str)) {
        self.open = false;
        if let Some(message) = self.begun.take() {
            each(&message);
        }
    }
}

/// Whether a line can be the last one of a traceback: the name of an exception begins it. Other lines of the log that come in
/// between begin with a bracket or a digit, or have nothing that a name is followed by.
fn ends_traceback(line: &str) -> bool {
    let name: &str = line.split([':', ' ']).next().unwrap_or_default();
    let is_name = !name.is_empty()
        && name.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '.' | '<' | '>'));
    is_name
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && (name.len() == line.len() || line[name.len()..].starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `None` stands for nothing more to read.
    fn read(lines: &[Option<&str>]) -> Vec<String> {
        let (mut messages, mut read) = (Messages::default(), Vec::new());
        for line in lines {
            match line {
                Some(line) => messages.take(line, |message| read.push(message.to_owned())),
                None => messages.pause(|message| read.push(message.to_owned())),
            }
        }
        messages.finish(|message| read.push(message.to_owned()));
        read
    }

    #[test]
    fn what_is_indented_belongs_to_the_line_before_it() {
        let lines = ["ready", "[error] GET / failed", "  Traceback", "    File", "  E: x", "[pid: 1] GET /", "  alone"];
        let whole = ["ready", "[error] GET / failed\n  Traceback\n    File\n  E: x", "[pid: 1] GET /\n  alone"];
        assert_eq!(read(&lines.map(Some)), whole);
        assert_eq!(read(&[Some("a"), None, Some("  b")]), ["a", "  b"]);
    }

    #[test]
    fn a_traceback_that_comes_line_by_line_is_one_message() {
        let printed = [Some(TRACEBACK), None, Some("  File \"a\", line 1"), None, Some("app.Error: x"), Some("next")];
        assert_eq!(read(&printed), [format!("{TRACEBACK}\n  File \"a\", line 1\napp.Error: x").as_str(), "next"]);
        let bare = [Some(TRACEBACK), Some("  File"), Some("KeyboardInterrupt"), Some("  other")];
        assert_eq!(read(&bare), [format!("{TRACEBACK}\n  File\nKeyboardInterrupt").as_str(), "  other"]);
    }

    #[test]
    fn lines_of_others_do_not_end_a_traceback() {
        for other in ["[pid: 7|app: 0] GET /", "127.0.0.1 - - GET /", "spawned uWSGI worker 1 (pid: 3)", ""] {
            assert_eq!(read(&[Some(TRACEBACK), Some("  File"), Some(other)]), [&format!("{TRACEBACK}\n  File"), other]);
        }
    }

    #[test]
    fn a_message_without_an_end_is_cut() {
        let long = format!("  {}", "x".repeat(60 * 1_024));
        let read = read(&[Some("a"), Some(&long), Some(&long), Some(&long)]);
        assert_eq!(read.iter().map(|message| message.lines().count()).collect::<Vec<_>>(), [3, 1]);
    }
}
