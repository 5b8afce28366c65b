//! Mules: processes beside the workers that run code of the application, and farms, groups of them (uWSGI's manual, "uWSGI
//! Mules").
//!
//! A section of the configuration. Pure; built in the master, read in every process.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// All mules, and the groups that they form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mules {
    /// What each does; the first is mule 1 (`mule`, `mules`).
    pub list: Vec<MuleWork>,
    /// Groups (`farm`).
    pub farms: Vec<Farm>,
    /// How long one may take to finish what it does (`mule-reload-mercy`).
    pub mercy: Duration,
    /// How long the handler of a signal may run in one (`mule-harakiri`).
    pub harakiri: Option<Duration>,
    /// Bytes of each queue of messages (`mule-msg-size`); `None`: what the kernel gives.
    pub queue_bytes: Option<usize>,
}

/// What a mule does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MuleWork {
    /// Waits for messages and signals.
    Messages,
    /// Runs this file as a program.
    File(PathBuf),
    /// Calls what this names: `module:callable`.
    Callable(String),
}

/// A group of mules with a queue of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Farm {
    /// What it is called.
    pub name: String,
    /// The numbers of its mules.
    pub mules: Vec<u32>,
}

impl Default for Mules {
    fn default() -> Mules {
        Mules { list: Vec::new(), farms: Vec::new(), mercy: Duration::from_secs(60), harakiri: None, queue_bytes: None }
    }
}
