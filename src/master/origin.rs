//! Where the configuration of an instance comes from, as the master sees it. Master, and the process that reads for it.

use serde::{Deserialize, Serialize};

use crate::config::Directive;
use crate::config::model::Config;
use crate::failure::StartFailure;

/// Where the configuration comes from.
pub trait Origin {
    /// Reads it anew, for a reload, and logs the remarks that are new. Called in a process of its own, so that it may take
    /// its time, and nothing that it notes is there afterwards.
    ///
    /// # Errors
    /// Why it cannot be used, for people.
    fn read(&self) -> Result<Account, String>;

    /// Takes note of what was read elsewhere.
    fn learn(&self, account: &Account);

    /// The same failure, with the place where the option was written that it is about, as the last reading found it.
    fn locate(&self, failure: StartFailure) -> StartFailure;
}

/// What a reading has found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// What the instance is to be.
    pub config: Config,
    /// What was written for that, and where.
    pub written: Vec<Directive>,
}
