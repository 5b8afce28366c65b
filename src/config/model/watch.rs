//! Files and descriptors that set something off.
//!
//! Part of the configuration. Not for watching them (`master::watches`, `master::descriptors`). Pure; the master reads
//! it.

use std::os::fd::RawFd;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a change of a file sets off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// The file or directory, relative to `chdir`.
    pub path: PathBuf,
    /// What happens.
    pub effect: WatchEffect,
    /// Whether any event of the path counts (`fs-*`), not only a newer time stamp (`touch-*`).
    #[serde(default)]
    pub any_event: bool,
}

/// What a watched file sets off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WatchEffect {
    /// A new generation.
    Reload,
    /// A new generation at once, requests are cut.
    BrutalReload,
    /// Every worker anew.
    WorkersReload,
    /// One worker after the other.
    ChainReload,
    /// The log is opened anew by its name.
    ReopenLog,
    /// The log is moved away, and goes on in a new file of its name.
    RotateLog,
    /// A command for the shell.
    Execute(String),
    /// A hook action.
    Hook(String),
    /// This signal of the application is raised.
    Signal(u8),
    /// Every mule anew.
    MulesReload,
    /// Every spooler process anew.
    SpoolersReload,
    /// The program at this place of [`Daemons::list`](super::Daemons::list) is started anew.
    RenewDaemon(usize),
    /// The certificates of sockets are read anew. No option asks for it: they are watched because they are there.
    RenewCertificates,
}

/// An inherited descriptor that asks for a reload, or raises an alarm, when it becomes readable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedDescriptor {
    /// Its number at the start.
    pub number: RawFd,
    /// Most bytes to read of it each time; an eventfd needs 8.
    #[serde(default = "one_byte")]
    pub bytes: usize,
    /// What to say in the log.
    #[serde(default)]
    pub message: Option<String>,
    /// Whether old workers are killed.
    #[serde(default)]
    pub brutal: bool,
    /// The alarm that it raises instead.
    #[serde(default)]
    pub alarm: Option<String>,
}

impl WatchedDescriptor {
    /// The option that names it.
    pub fn option(&self) -> &'static str {
        match self {
            Self { alarm: Some(_), .. } => "alarm-fd",
            Self { brutal: true, .. } => "brutal-reload-on-fd",
            Self { .. } => "reload-on-fd",
        }
    }
}

fn one_byte() -> usize {
    1
}
