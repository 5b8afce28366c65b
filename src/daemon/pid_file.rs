//! Which process a pid file names, and whether it is to be believed.
//!
//! A file outlives the process that it names, and the number may be another's by now; and whoever may write the file may
//! write any number into it, which the master would send signals to, perhaps as root. So a file is believed only if the
//! process is its owner's, unless that is root or we are; and only if the process is older than the file, unless it is
//! called like the program. Pure; used in the master.

use std::fmt;

use worker_protocol::ids::ProcessId;

/// What was found in a pid file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The file's text.
    pub(crate) text: String,
    /// Whose file it is.
    pub(crate) owner: u32,
    /// When it was last written, in microseconds of the wall clock.
    pub(crate) written_us: u64,
}

/// What the system says of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The user that it runs as.
    pub(crate) user: u32,
    /// When it began, in microseconds of the wall clock as that is now.
    pub(crate) began_us: u64,
    /// Its arguments, its own name first.
    pub(crate) arguments: Vec<String>,
}

/// Why a file names no process of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// There is no number in it.
    NoNumber,
    /// There is no such process.
    Dead(ProcessId),
    /// The process is another user's.
    Foreign {
        /// The process.
        pid: ProcessId,
        /// Its user.
        user: u32,
        /// The file's.
        owner: u32,
    },
    /// The process is younger than the file.
    Recycled(ProcessId),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::NoNumber => f.write_str("there is no process id in it"),
            Doubt::Dead(pid) => write!(f, "process {pid} is gone"),
            Doubt::Foreign { pid, user, owner } => {
                write!(f, "process {pid} is of user {user}, but the file of user {owner}")
            }
            Doubt::Recycled(pid) => {
                write!(f, "process {pid} began after the file was written: it is another one with that number")
            }
        }
    }
}

/// Clocks are read one after the other, and file systems round.
const SLACK_US: u64 = 2_000_000;

impl Found {
    /// The number in it, as uWSGI reads it: the first digits.
    pub(crate) fn number(&self) -> Result<ProcessId, Doubt> {
        let digits: String = self.text.trim_start().chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok().and_then(ProcessId::new).ok_or(Doubt::NoNumber)
    }

    /// Whether this process, whose number is in it, is the one that is meant. `own`: the user that we are. `program`:
    /// what the daemon's program is called.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn judge(
        &self,
        pid: ProcessId,
        facts: Option<&Facts>,
        own: u32,
        program: Option<&str>,
    ) -> Result<(), Doubt> {
        let facts = facts.ok_or(Doubt::Dead(pid))?;
        let entitled = self.owner == 0 || self.owner == own || self.owner == facts.user;
        if !entitled {
            return Err(Doubt::Foreign { pid, user: facts.user, owner: self.owner });
        }
        let is_older = facts.began_us <= self.written_us.saturating_add(SLACK_US);
        let is_called_so = program.is_some_and(|program| facts.is_called(program));
        if is_older || is_called_so { Ok(()) } else { Err(Doubt::Recycled(pid)) }
    }
}

impl Facts {
    /// Whether any argument is a path to a program of this name, as `python3 /usr/bin/celery` has it second.
    fn is_called(&self, program: &str) -> bool {
        self.arguments.iter().any(|argument| argument.rsplit('/').next() == Some(program))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn pid(number: i32) -> ProcessId {
        ProcessId::new(number).expect("positive")
    }

    fn found(owner: u32) -> Found {
        Found { text: "42\n".to_owned(), owner, written_us: 100 * SECOND }
    }

    fn facts(user: u32, began_s: u64) -> Facts {
        let arguments = ["/usr/bin/python3", "/srv/bin/celery", "worker"].map(str::to_owned).to_vec();
        Facts { user, began_us: began_s * SECOND, arguments }
    }

    #[test]
    fn the_number_is_the_first_digits() {
        for (text, number) in [("42\n", Some(42)), ("  7 8", Some(7)), ("9x", Some(9)), ("", None), ("-1", None)] {
            let found = Found { text: text.to_owned(), ..found(0) };
            assert_eq!(found.number().ok(), number.map(pid), "{text}");
        }
        for text in ["0", "99999999999", "pid 3"] {
            assert_eq!(Found { text: text.to_owned(), ..found(0) }.number(), Err(Doubt::NoNumber), "{text}");
        }
    }

    #[test]
    fn a_living_process_that_is_older_than_the_file_is_the_one() {
        assert_eq!(found(1000).judge(pid(42), Some(&facts(1000, 99)), 1000, None), Ok(()));
        assert_eq!(found(1000).judge(pid(42), None, 1000, None), Err(Doubt::Dead(pid(42))));
    }

    #[test]
    fn one_that_is_younger_is_another_one_unless_it_is_called_so() {
        let young = facts(1000, 500);
        assert_eq!(found(1000).judge(pid(42), Some(&young), 1000, Some("redis")), Err(Doubt::Recycled(pid(42))));
        assert_eq!(found(1000).judge(pid(42), Some(&young), 1000, Some("celery")), Ok(()));
    }

    #[test]
    fn who_may_not_touch_a_process_may_not_name_it() {
        let theirs = facts(33, 99);
        // Root's own file, or ours, or its own.
        for (owner, own) in [(0, 0), (0, 1000), (33, 0), (1000, 1000)] {
            assert_eq!(found(owner).judge(pid(42), Some(&theirs), own, None), Ok(()), "{owner} {own}");
        }
        // Someone else's file, read by root.
        let doubt = Doubt::Foreign { pid: pid(42), user: 33, owner: 1000 };
        assert_eq!(found(1000).judge(pid(42), Some(&theirs), 0, None), Err(doubt));
    }
}
