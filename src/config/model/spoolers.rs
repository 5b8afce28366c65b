//! Spoolers: directories of tasks, and the processes that run them (uWSGI's manual, "The uWSGI Spooler").
//!
//! A section of the configuration. Pure; built in the master, read in every process.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// All spool directories, and how their tasks are run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spoolers {
    /// In the order of the configuration; the first is where tasks go that name none.
    pub list: Vec<Spool>,
    /// Processes of each directory (`spooler-processes`).
    pub processes_each: usize,
    /// How many of them run while no task waits (`spooler-cheaper`, ours); `None`: all.
    pub fewest_each: Option<usize>,
    /// Whether tasks run in the order of their names, and numbered directories are priorities (`spooler-ordered`).
    pub ordered: bool,
    /// Where tasks run (`spooler-chdir`); `None`: in the spool directory.
    pub chdir: Option<PathBuf>,
    /// The longest sleep between two looks (`spooler-frequency`).
    pub frequency: Duration,
    /// Whether nothing is said of each task (`spooler-quiet`).
    pub quiet: bool,
    /// Tasks after which a process is replaced (`spooler-max-tasks`).
    pub max_tasks: Option<u64>,
    /// How long one task may run (`spooler-harakiri`).
    pub harakiri: Option<Duration>,
    /// What each process imports (`spooler-import`).
    pub imports: Vec<String>,
    /// How long a task that failed waits before it is run again, doubled each time (`spooler-retry-delay`, ours); zero: until
    /// the next look.
    pub retry_delay: Duration,
    /// Processes that a task may take with it before it is set aside (`spooler-max-crashes`, ours); 0: any number.
    pub max_crashes: u64,
    /// Whether a task is on the disk when it has been written (`spooler-sync`, ours).
    pub durable: bool,
}

/// A spool directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spool {
    /// Where tasks wait.
    pub directory: PathBuf,
    /// Whether others run them (`spooler-external`).
    #[serde(default)]
    pub external: bool,
}

impl Spoolers {
    /// The directory of each process, the first being that of spooler 1.
    pub fn processes(&self) -> impl Iterator<Item = &Path> {
        let own = self.list.iter().filter(|spool| !spool.external);
        own.flat_map(|spool| std::iter::repeat_n(spool.directory.as_path(), self.processes_each))
    }

    /// The numbers of the processes that run only while tasks wait.
    pub fn dormant(&self) -> impl Iterator<Item = u32> {
        let each = self.processes_each.max(1);
        let fewest = self.fewest_each.unwrap_or(each);
        (1..)
            .zip(self.processes().enumerate())
            .filter_map(move |(number, (place, _))| (place % each >= fewest).then_some(number))
    }
}

impl Default for Spoolers {
    fn default() -> Spoolers {
        Spoolers {
            list: Vec::new(),
            processes_each: 1,
            fewest_each: None,
            ordered: false,
            chdir: None,
            frequency: Duration::from_secs(30),
            quiet: false,
            max_tasks: None,
            harakiri: None,
            imports: Vec::new(),
            retry_delay: Duration::ZERO,
            max_crashes: 3,
            durable: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_directory_of_our_own_has_so_many_processes() {
        let spool = |name: &str, external| Spool { directory: name.into(), external };
        let list = vec![spool("/a", false), spool("/b", true), spool("/c", false)];
        let spoolers = Spoolers { list, processes_each: 2, ..Spoolers::default() };
        assert!(spoolers.processes().eq(["/a", "/a", "/c", "/c"].map(Path::new)));
        assert_eq!(spoolers.dormant().count(), 0);
        let cheaper = Spoolers { fewest_each: Some(1), ..spoolers };
        assert!(cheaper.dormant().eq([2, 4]));
    }
}
