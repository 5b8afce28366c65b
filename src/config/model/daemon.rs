//! Programs that the master runs beside the workers (uWSGI's manual, "Managing external daemons/services with uWSGI").
//!
//! A section of the configuration. Not for running them (`master::children`, `daemon`). Pure; the master reads it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Programs beside the workers, and what holds for all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Daemons {
    /// In the order in which they are started (`attach-daemon` and its relatives).
    pub list: Vec<Daemon>,
    /// How long one may take to leave (`reload-mercy`, 3 s).
    pub mercy: Duration,
}

impl Default for Daemons {
    fn default() -> Daemons {
        Daemons { list: Vec::new(), mercy: Duration::from_secs(3) }
    }
}

/// A program beside the workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Daemon {
    /// What is executed: words, or anything that the shell understands.
    pub command: String,
    /// The file that says which process it is; with one it outlives the instance and is found again.
    pub pidfile: Option<PathBuf>,
    /// Whether it stays in the foreground and is to have its pid file written for it. Otherwise it writes that itself.
    pub daemonize: bool,
    /// How long a program with a pid file may take to name itself there.
    pub freq: Duration,
    /// Whether its end is the end of the instance.
    pub control: bool,
    /// The signal that tells it to go.
    pub stop_signal: i32,
    /// The signal that tells it to go at a reload, if another.
    pub reload_signal: Option<i32>,
    /// Of one with a pid file: whether it is told of reloads and of the end of the instance, which it outlives.
    pub notify: bool,
    /// Whoever touches one of these restarts it.
    pub touch: Vec<PathBuf>,
    /// The user that it runs as, if another than the instance.
    pub uid: Option<String>,
    /// The group that it runs as, if another than the instance.
    pub gid: Option<String>,
    /// Where it runs, if elsewhere than the instance.
    pub chdir: Option<PathBuf>,
    /// Whether it has the standard input that the instance was started with.
    pub keeps_stdin: bool,
    /// Whether it sees no other processes than its own.
    pub own_pid_namespace: bool,
    /// The longest wait between deaths at once.
    pub throttle_max: Duration,
}

/// The signal that tells a process to go.
const SIGTERM: i32 = 15;

impl Default for Daemon {
    fn default() -> Daemon {
        Daemon {
            command: String::new(),
            pidfile: None,
            daemonize: false,
            freq: Duration::from_secs(10),
            control: false,
            stop_signal: SIGTERM,
            reload_signal: None,
            notify: false,
            touch: Vec::new(),
            uid: None,
            gid: None,
            chdir: None,
            keeps_stdin: false,
            own_pid_namespace: false,
            throttle_max: Duration::from_secs(300),
        }
    }
}

impl Daemon {
    /// What the log calls it: its command on one line.
    pub fn title(&self) -> String {
        crate::escape::on_one_line(&self.command)
    }

    /// Whether it goes on when the instance ends, and is found again.
    pub fn outlives(&self) -> bool {
        self.pidfile.is_some()
    }

    /// Whether the program leaves to the background by itself, or at least names itself in the pid file.
    pub fn names_itself(&self) -> bool {
        self.pidfile.is_some() && !self.daemonize
    }
}
