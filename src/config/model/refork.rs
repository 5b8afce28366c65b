//! Whether workers are forked from one that has served, in the place of what was only loaded.
//!
//! A section of the configuration. Pure; master and workers read it.

use serde::{Deserialize, Serialize};

/// When a worker becomes the mold of others (`refork`, ours).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refork {
    /// All are forked from what was loaded.
    #[default]
    Never,
    /// When it has answered so many requests; once for each loading of the application.
    After(u64),
    /// When, and as often as, the memory of workers says that it saves enough.
    Auto,
}
