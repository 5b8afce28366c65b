//! Tasks of spoolers (uWSGI's manual, "The uWSGI Spooler"): what their files are called and hold, in which order they are run,
//! and what becomes of those that fail or kill whoever runs them. Pure; used in whoever writes tasks, and in spoolers.

mod order;
mod runs;
mod task;
mod wanted;

use std::time::Duration;

pub use self::order::by_version;
pub use self::runs::Runs;
pub use self::task::{Malformed, Task, Unfit, packed};
pub use self::wanted::Wanted;

/// What the name of each task begins with.
const PREFIX: &str = "uwsgi_spoolfile_on_";

/// Where a task goes that cannot be run, or takes each process with it that runs it.
pub const ASIDE: &str = "set_aside";

/// A task as it is being written, which nobody runs.
const WRITTEN: &str = ".uwsgi_spoolfile_written_";

/// What is known of the runs of one, which nobody takes for a task.
const RUNS: &str = ".uwsgi_spoolfile_runs_";

/// How tasks are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// Whether they run in the order of their names, and numbered directories are priorities.
    pub is_ordered: bool,
    /// The longest time between two looks.
    pub frequency: Duration,
    /// How long one that is to be run again waits, doubled each time; zero: until the next look.
    pub retry_delay: Duration,
    /// Processes that one may take with it before it is set aside; 0: any number.
    pub crashes_max: u64,
    /// Which of how many processes of the directory this is, from 0.
    pub share: (usize, usize),
}

/// Names that tasks of one place and moment have: as it is written, and as it is found.
pub fn names_of_new(host: &str, process: u32, nth: u32, random: u32, now_us: u64) -> [String; 2] {
    let (seconds, rest) = (now_us / 1_000_000, now_us % 1_000_000);
    let own = format!("{host}_{process}_{nth}_{random}_{seconds}_{rest}");
    [format!("{WRITTEN}{own}"), format!("{PREFIX}{own}")]
}

/// The name of what is known of a task's runs.
pub fn name_of_runs(task: &[u8]) -> Vec<u8> {
    [RUNS.as_bytes(), task.strip_prefix(PREFIX.as_bytes()).unwrap_or(task)].concat()
}

/// Whether this is the name of a task as it is being written.
pub fn is_being_written(name: &[u8]) -> bool {
    name.starts_with(WRITTEN.as_bytes())
}

/// The task that a file tells of whose name is that of [`name_of_runs`].
pub fn task_of_runs(name: &[u8]) -> Option<Vec<u8>> {
    name.strip_prefix(RUNS.as_bytes()).map(|task| [PREFIX.as_bytes(), task].concat())
}

/// Whether this is the name of a task.
pub fn is_task(name: &[u8]) -> bool {
    name.starts_with(PREFIX.as_bytes())
}

/// Whether a directory of this name holds tasks of a priority.
pub fn is_priority(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_task_that_is_whole_has_the_name_of_one() {
        let [written, found] = names_of_new("host", 7, 1, 9, 1_600_000_000_000_042);
        assert_eq!(found, "uwsgi_spoolfile_on_host_7_1_9_1600000000_42");
        assert!(is_task(found.as_bytes()) && !is_task(written.as_bytes()));
        assert!(is_being_written(written.as_bytes()) && !is_being_written(found.as_bytes()));
        assert_eq!(task_of_runs(&name_of_runs(found.as_bytes())).as_deref(), Some(found.as_bytes()));
        assert_eq!(task_of_runs(written.as_bytes()), None);
        assert_eq!(name_of_runs(found.as_bytes()), b".uwsgi_spoolfile_runs_host_7_1_9_1600000000_42");
        assert_eq!(["10", "", "1a", ASIDE].map(|name| is_priority(name.as_bytes())), [true, false, false, false]);
    }
}
