//! What the processes of the application may not do, whatever their user may (`seccomp`, `landlock`).
//!
//! A section of the configuration. Not for taking it on (`sys::sandbox`, `zygote::standing`). Pure; the zygote reads it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What is kept from a zygote and all that it makes. Nothing without these options.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Sandbox {
    /// `seccomp`: system calls that no application needs are refused.
    pub refuses_calls: bool,
    /// `landlock`: all files that may be reached; empty for no bounds.
    pub files: Vec<Reach>,
}

/// A file, or all that is below a directory, and what may be done there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// Where.
    pub path: PathBuf,
    /// Whether it may also be changed.
    pub may_change: bool,
}

/// A text says nothing of the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoReach;

impl FromStr for Reach {
    type Err = NoReach;

    fn from_str(text: &str) -> Result<Reach, NoReach> {
        let (what, path) = text.split_once(':').ok_or(NoReach)?;
        let may_change = match what {
            "ro" => false,
            "rw" => true,
            _ => return Err(NoReach),
        };
        if path.is_empty() { Err(NoReach) } else { Ok(Reach { path: path.into(), may_change }) }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", if self.may_change { "rw" } else { "ro" }, self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_says_what_may_be_done_there() {
        for text in ["ro:/", "rw:/srv/app/media", "rw:relative:with a colon"] {
            assert_eq!(text.parse::<Reach>().map(|reach| reach.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "/srv", "ro:", "rx:/srv", "RW:/srv", "ro"] {
            assert_eq!(text.parse::<Reach>(), Err(NoReach), "{text}");
        }
    }
}
