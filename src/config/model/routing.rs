//! Rules of routing, and headers of answers that they can ask for.
//!
//! A section of the configuration. Pure; compiled in the zygote, used by the workers.

use serde::{Deserialize, Serialize};

use crate::routing::WrittenRule;

/// What looks at requests and answers beside the application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Routing {
    /// The rules, in their order (`route` and its relatives).
    pub rules: Vec<WrittenRule>,
    /// Headers of the application's that become variables (`collect-header`, `pull-header`).
    pub collected: Vec<CollectedHeader>,
}

/// A header of the application's that becomes a variable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CollectedHeader {
    /// Its name.
    pub header: String,
    /// The variable.
    pub variable: String,
    /// Whether the client does not get it.
    pub is_pulled: bool,
}

impl Routing {
    /// Whether there is anything to do.
    pub fn is_wanted(&self) -> bool {
        !self.rules.is_empty() || !self.collected.is_empty()
    }
}
