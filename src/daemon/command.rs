//! What is executed for a command of the configuration: the program itself where the command is plain words, else the
//! shell, which is told to make way for the program where that is possible.
//!
//! So the process that is supervised is the program and not a shell around it, whose end says nothing and which passes
//! no signal on. Pure; used in the master.

/// What to execute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Program {
    /// A program and its arguments.
    Words(Vec<String>),
    /// A line for `/bin/sh -c`.
    Shell(String),
}

/// Words that mean something to the shell itself when they stand first.
const SHELL_WORDS: &[&str] = &[
    "!", ".", ":", "[", "[[", "alias", "bg", "break", "case", "cd", "command", "continue", "declare", "do", "done",
    "elif", "else", "esac", "eval", "exec", "exit", "export", "fg", "fi", "for", "function", "getopts", "hash", "if",
    "in", "jobs", "let", "local", "read", "readonly", "return", "select", "set", "shift", "source", "test", "then",
    "time", "times", "trap", "type", "typeset", "ulimit", "umask", "unalias", "unset", "until", "wait", "while", "{",
    "}",
];

impl Program {
    /// The program of a command as it was written.
    #[must_use]
    pub(crate) fn of(command: &str) -> Program {
        let first = command.split_whitespace().next().unwrap_or_default();
        if SHELL_WORDS.contains(&first) || first.contains('=') {
            return Program::Shell(command.to_owned());
        }
        match split(command) {
            Some(words) if !words.is_empty() => Program::Words(words),
            _ if is_single(command) => Program::Shell(format!("exec {}", command.trim_start())),
            _ => Program::Shell(command.to_owned()),
        }
    }

    /// What is executed.
    #[must_use]
    pub(crate) fn words(self) -> Vec<String> {
        match self {
            Program::Words(words) => words,
            Program::Shell(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line],
        }
    }

    /// What the program is called, as far as that can be known: to recognise its process by.
    #[must_use]
    pub(crate) fn name(&self) -> Option<&str> {
        let first = match self {
            Program::Words(words) => words.first()?.as_str(),
            Program::Shell(line) => line.strip_prefix("exec ").unwrap_or(line).split_whitespace().next()?,
        };
        first.rsplit('/').next().filter(|name| !name.is_empty())
    }
}

/// The words of a command in which nothing is for the shell to do; `None` if anything is.
fn split(command: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = command.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => {
                let text = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '\'' => break,
                        quoted => text.push(quoted),
                    }
                }
            }
            '"' => {
                let text = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '"' => break,
                        '$' | '`' | '\\' => return None,
                        quoted => text.push(quoted),
                    }
                }
            }
            plain if plain.is_alphanumeric() || "-_./:,=@%+^".contains(plain) => {
                word.get_or_insert_default().push(plain);
            }
            _ => return None,
        }
    }
    words.extend(word);
    Some(words)
}

/// Whether a line is one command, so that the shell need not stay. Errs on the side of no.
fn is_single(command: &str) -> bool {
    let without_copies = command.replace(">&", "> ").replace("<&", "< ");
    !without_copies.contains([';', '|', '&', '(', ')', '{', '}', '`', '\n', '#'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &str) -> Vec<String> {
        match Program::of(command) {
            Program::Words(words) => words,
            Program::Shell(line) => panic!("{command} is for the shell: {line}"),
        }
    }

    #[test]
    fn plain_words_need_no_shell() {
        assert_eq!(words("celery -A site worker  -l info"), ["celery", "-A", "site", "worker", "-l", "info"]);
        assert_eq!(words("/usr/bin/redis-server --port 0"), ["/usr/bin/redis-server", "--port", "0"]);
        assert_eq!(words("./manage.py run --at='a b' \"c d\" ''"), ["./manage.py", "run", "--at=a b", "c d", ""]);
    }

    #[test]
    fn what_the_shell_must_do_is_left_to_it_and_it_makes_way() {
        for (command, line) in [
            ("redis-server $HOME/redis.conf", "exec redis-server $HOME/redis.conf"),
            ("run > log 2>&1", "exec run > log 2>&1"),
            ("run *.conf", "exec run *.conf"),
            ("run \"$A\"", "exec run \"$A\""),
        ] {
            assert_eq!(Program::of(command), Program::Shell(line.to_owned()));
        }
    }

    #[test]
    fn what_is_more_than_one_command_is_as_it_was_written() {
        for command in [
            "cd /srv && run",
            "a; b",
            "a | b",
            "A=1 run",
            "(a)",
            "exec run",
            "while true; do run; done",
            "run &",
            "test -f x",
            "echo `date`",
            "run # now",
        ] {
            assert_eq!(Program::of(command), Program::Shell(command.to_owned()));
        }
    }

    #[test]
    fn a_program_is_known_by_its_name() {
        for (command, name) in [
            ("/usr/bin/redis-server x", Some("redis-server")),
            ("memcached", Some("memcached")),
            ("exec $HOME/bin/run", Some("run")),
            ("", None),
        ] {
            assert_eq!(Program::of(command).name(), name, "{command}");
        }
    }
}
