//! What somebody may do on the machine that a configuration is for: who a name is, and where that user may go.
//!
//! Foresight asks through [`Ground`] and nowhere else, so that it is pure: `sys::ground` is the real machine, tests bring
//! their own. Runs in `rhinod check`, and in the master where it says what stood in the way.

use std::io;
use std::path::Path;

use super::model::{Identity, Protocol, Tls};

/// Whose rights are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who<'a> {
    /// Whoever starts the instance, which is who asks.
    Starter,
    /// Whom it becomes by `uid`, `gid` and `add-gid`.
    Server(&'a Identity),
}

/// What is to be done with a file or a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To read it.
    Read,
    /// To write to it; to make files in a directory.
    Write,
    /// To execute it; to go through a directory.
    Execute,
}

/// Why an instance cannot become whom it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The option that says so.
    pub option: &'static str,
    /// What is wrong.
    pub problem: String,
}

/// What the machine grants to whom. All paths are absolute.
pub trait Ground {
    /// Whether the binary has an application of its own.
    fn embeds_application(&self) -> bool;

    /// Whether whoever starts the instance can become whom it names.
    ///
    /// # Errors
    /// What stands against it.
    fn judge_identity(&self, identity: &Identity) -> Result<(), Misfit>;

    /// Whether somebody is meant by `user`, `user:group` or numbers.
    ///
    /// # Errors
    /// Which of them is nobody.
    fn judge_owner(&self, owner: &str) -> Result<(), String>;

    /// What somebody is called.
    fn name_of(&self, who: Who<'_>) -> String;

    /// Whether somebody may do something with what stands at a path.
    ///
    /// # Errors
    /// What the system says.
    fn access(&self, who: Who<'_>, path: &Path, access: Access) -> io::Result<()>;

    /// Whether a socket can speak TLS with its certificate and key, which are read from the directory that rhinod is started
    /// in, by whoever starts it; and what should be said of them if it can.
    ///
    /// # Errors
    /// What is wrong with them.
    fn judge_tls(&self, _tls: &Tls, _protocol: Protocol, _start: &Path) -> Result<Option<String>, String> {
        Ok(None)
    }

    /// Whether somebody may listen on a TCP port.
    fn may_bind(&self, who: Who<'_>, port: u16) -> bool;
}
