//! The one line that stands for a reason of several: what status lines show of a reload that failed. Pure; master only.

/// How a traceback of Python's begins.
const TRACEBACK: &str = "Traceback (most recent call last):";

/// The line of the exception, where the reason holds a traceback: the first one behind its frames, since a message may
/// go on over many lines. Of exceptions that follow each other the last. Else the first line.
pub(super) fn in_one_line(reason: &str) -> &str {
    // Lines behind the first one are indented, so that they cannot pass for lines of the log.
    let lines: Vec<&str> = reason.split('\n').map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
    let traceback = lines.iter().rposition(|line| line.ends_with(TRACEBACK));
    let behind_frames = |line: &&&str| !line.is_empty() && !line.starts_with(' ');
    let exception = traceback.and_then(|start| lines[start + 1..].iter().find(behind_frames));
    exception.or(lines.first()).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::in_one_line;

    #[test]
    fn of_a_traceback_it_is_the_line_of_the_last_exception() {
        let one = "unable to load app: Traceback (most recent call last):\n    File \"app.py\", line 1\n      x()\n  \
                   ValueError: the first line\n  and a second one\n    and a third one";
        assert_eq!(in_one_line(one), "ValueError: the first line");
        let two = format!(
            "{one}\n  \n  During handling of the above exception, another exception occurred:\n  \n  \
                           Traceback (most recent call last):\n    File \"b.py\"\n  KeyError: 'b'"
        );
        assert_eq!(in_one_line(&two), "KeyError: 'b'");
    }

    #[test]
    fn else_it_is_the_first_line() {
        assert_eq!(
            in_one_line("app.ini:3: workers = x: expected a number\napp.ini:4: too"),
            "app.ini:3: workers = x: expected a number"
        );
        assert_eq!(in_one_line(""), "");
        assert_eq!(
            in_one_line("cut off: Traceback (most recent call last):"),
            "cut off: Traceback (most recent call last):"
        );
    }
}
