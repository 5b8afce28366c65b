//! Who the instance runs as, where, and with which environment.
//!
//! A section of the configuration. Not for becoming that (`sys::identity`, `master::startup`). Pure; the master reads it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::capabilities::Capabilities;

/// Who the instance runs as, and where.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// `uid`: name or number.
    pub uid: Option<String>,
    /// `gid`: name or number.
    pub gid: Option<String>,
    /// `add-gid`, in order.
    pub add_gids: Vec<String>,
    /// `no-initgroups`: none of the groups that the user database has for the user.
    pub no_initgroups: bool,
    /// `umask`.
    pub umask: Option<u32>,
    /// `chdir`.
    pub chdir: Option<PathBuf>,
    /// `chdir2`: in each worker, after the application is loaded.
    pub chdir2: Option<PathBuf>,
    /// `master-as-root`.
    pub master_as_root: bool,
    /// `no-orphans`.
    pub no_orphans: bool,
    /// `cap`: what it keeps of root's rights; `None` leaves them as the change of user does.
    pub capabilities: Option<Capabilities>,
    /// `no-new-privs` (ours): workers and what they execute never get more rights than they have.
    pub no_new_privileges: bool,
}

impl Identity {
    /// Who the instance is stays as it was at the start, whatever a reload says.
    pub(crate) fn stay(&mut self, started: &Identity) {
        self.uid.clone_from(&started.uid);
        self.gid.clone_from(&started.gid);
        self.add_gids.clone_from(&started.add_gids);
        self.no_initgroups = started.no_initgroups;
        self.master_as_root = started.master_as_root;
        self.umask = started.umask;
        self.capabilities = started.capabilities;
    }
}

/// One change of the process environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnvironmentChange {
    /// `env = NAME=VALUE`.
    Set(String, String),
    /// `unenv = NAME`.
    Unset(String),
}
