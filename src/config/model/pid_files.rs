//! Files that hold the master's pid.
//!
//! A section of the configuration. Not for writing them (`master::files`). Pure; the master reads it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Files that hold the master's pid.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PidFiles {
    /// `pidfile`: early, as root, relative to the start directory.
    pub pidfile: Option<PathBuf>,
    /// `pidfile2`: after privileges are dropped and `chdir`.
    pub pidfile2: Option<PathBuf>,
    /// `safe-pidfile`: only once workers serve.
    pub safe_pidfile: Option<PathBuf>,
    /// `safe-pidfile2`.
    pub safe_pidfile2: Option<PathBuf>,
}
