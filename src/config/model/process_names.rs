//! What the processes are called in `ps`.
//!
//! A section of the configuration. Not for setting titles (`sys::title`). Pure; every process reads it.

use serde::{Deserialize, Serialize};

/// Names of the processes in `ps`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessNames {
    /// `auto-procname`, or any of the others: the master has a title too, instead of its command line.
    pub auto: bool,
    /// `procname-requests` (ours): those of workers say what they are doing.
    pub requests: bool,
    /// `procname`.
    pub name: Option<String>,
    /// `procname-master`.
    pub master: Option<String>,
    /// `procname-prefix`.
    pub prefix: String,
    /// `procname-append`.
    pub append: String,
}

impl ProcessNames {
    /// A title with what stands before and after every one.
    pub fn decorated(&self, title: &str) -> String {
        format!("{}{title}{}", self.prefix, self.append)
    }

    /// The master's title; `None`: it keeps its command line.
    pub fn master(&self) -> Option<String> {
        let title = self.master.as_deref().or(self.name.as_deref()).unwrap_or("rhinod master");
        self.auto.then(|| self.decorated(title))
    }

    /// The title of a zygote or worker; `own` is what it is called unless all have one name.
    pub fn below_master(&self, own: &str) -> String {
        self.decorated(self.name.as_deref().unwrap_or(own))
    }
}
