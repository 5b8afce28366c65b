//! What becomes of an option whose line has changed since the start: whether a reload brings it into force.
//!
//! A column of the option table. Pure; asked by the master at a reload, and printed in the manual.

use crate::config::model::{Address, Config, Listener};

/// What brings a changed option into force.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    /// What does.
    pub by: ChangeBy,
    /// For what that holds, when it does not for all that the option sets; empty else.
    pub note: &'static str,
}

/// What brings a changed option into force.
#[derive(Debug, Clone, Copy)]
pub enum ChangeBy {
    /// A reload.
    Reload,
    /// A restart; a reload leaves it as it was, and the log says so when the two configurations differ in it.
    Restart(Differs),
    /// The next start, since it is about starting: in an instance that runs there is nothing to change.
    Start,
}

/// Whether two configurations, the one in force and the one of a reload, differ in what only a restart changes.
pub type Differs = fn(&Config, &Config) -> bool;

impl Change {
    /// A reload brings all of it into force.
    pub(super) const RELOAD: Change = Change { by: ChangeBy::Reload, note: "" };

    /// Whether a reload to this configuration leaves something of the option as it was.
    pub fn needs_restart(&self, in_force: &Config, new: &Config) -> bool {
        matches!(self.by, ChangeBy::Restart(differs) if differs(in_force, new))
    }

    /// One word for tables.
    pub fn word(&self) -> &'static str {
        match self.by {
            ChangeBy::Reload => "reload",
            ChangeBy::Restart(_) => "restart",
            ChangeBy::Start => "start",
        }
    }
}

/// Listeners of both configurations at one address, which a reload keeps open as they are.
pub(super) fn kept<'c>(in_force: &'c Config, new: &'c Config) -> impl Iterator<Item = (&'c Listener, &'c Listener)> {
    let before = |listener: &Listener| in_force.sockets.iter().find(|other| other.address == listener.address);
    new.sockets.iter().filter_map(move |listener| Some((before(listener)?, listener)))
}

/// Whether a TCP socket stays open that was opened for the configuration in force.
pub(super) fn keeps_tcp_socket(in_force: &Config, new: &Config) -> bool {
    kept(in_force, new).any(|(listener, _)| matches!(listener.address, Address::Tcp(_)))
}

/// Whether a socket file stays that was made by the configuration in force.
pub(super) fn keeps_socket_file(in_force: &Config, new: &Config) -> bool {
    kept(in_force, new).any(|(listener, _)| matches!(listener.address, Address::Unix(_)))
}
