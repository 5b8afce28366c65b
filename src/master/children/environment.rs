//! The environment of what the master executes. Master only.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::config::model::EnvironmentChange;
use crate::supervision::vassal::EMPEROR_FD;

/// The words of the init system and of an Emperor, which are for the master alone.
pub(super) const FOR_THE_MASTER: [&str; 7] =
    [EMPEROR_FD, "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];

/// The master's own, changed as the configuration says.
pub(in crate::master) fn for_children(changes: &[EnvironmentChange]) -> Vec<(OsString, OsString)> {
    let mut variables: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    for name in FOR_THE_MASTER {
        variables.remove(&OsString::from(name));
    }
    for change in changes {
        match change {
            EnvironmentChange::Set(name, value) => variables.insert(name.into(), value.into()),
            EnvironmentChange::Unset(name) => variables.remove(&OsString::from(name)),
        };
    }
    variables.into_iter().collect()
}
