//! Whether a new generation proves itself on a part of the requests before it takes over.
//!
//! A section of the configuration. Pure; the master reads it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::word::words;

/// Whether and how a new generation is tried (`reload-canary` and relatives, ours).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Canary {
    /// How much of it serves meanwhile; `None`: it takes over as soon as its workers are ready.
    pub portion: Option<Portion>,
    /// How long the trial lasts (`reload-canary-time`, 60 s).
    pub time: Duration,
    /// Requests below which the trial tells nothing (`reload-canary-requests`, 500).
    pub requests: u64,
    /// What becomes of it then (`reload-canary-verdict`).
    pub undecided: Undecided,
}

impl Default for Canary {
    fn default() -> Canary {
        Canary { portion: None, time: Duration::from_secs(60), requests: 500, undecided: Undecided::default() }
    }
}

/// A part of the workers, and so of the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Portion {
    /// So many workers, beside all those of the old generation.
    Workers(u32),
    /// So many of a hundred requests, and as large a part of the workers that there are with it, rounded up.
    Percent(u32),
}

impl Portion {
    /// How many workers of a new generation are tried where `wanted` serve: at least one, if there are any.
    pub fn workers(self, wanted: u32) -> u32 {
        let some = match self {
            Portion::Workers(workers) => workers,
            Portion::Percent(100) => wanted,
            Portion::Percent(percent) => {
                let beside = 100_u64.saturating_sub(percent.into()).max(1);
                u32::try_from((u64::from(wanted) * u64::from(percent)).div_ceil(beside)).unwrap_or(u32::MAX)
            }
        };
        some.max(1).min(wanted)
    }

    /// Their part of all requests: so many of so many.
    pub fn requests(self, wanted: u32) -> (u32, u32) {
        match self {
            Portion::Percent(percent) => (percent, 100),
            Portion::Workers(_) => {
                let tried = self.workers(wanted);
                (tried, wanted.saturating_add(tried))
            }
        }
    }
}

words! {
    /// What becomes of a new generation of which too few requests tell.
    #[derive(Default)]
    Undecided, "verdict on a canary" {
        /// It takes over.
        #[default]
        Commit = "commit",
        /// It is tried on until there were enough.
        KeepWaiting = "keep-waiting",
        /// It goes.
        Rollback = "rollback",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portion_is_at_least_one_worker_and_never_more_than_there_are() {
        let workers = |portion: Portion| [0, 1, 4, 20].map(|wanted| portion.workers(wanted));
        assert_eq!(workers(Portion::Workers(1)), [0, 1, 1, 1]);
        assert_eq!(workers(Portion::Workers(9)), [0, 1, 4, 9]);
        assert_eq!(workers(Portion::Percent(10)), [0, 1, 1, 3]);
        assert_eq!(workers(Portion::Percent(50)), [0, 1, 4, 20]);
        assert_eq!(workers(Portion::Percent(100)), [0, 1, 4, 20]);
    }

    #[test]
    fn workers_take_their_part_beside_the_old_ones_and_percent_are_what_they_say() {
        assert_eq!(Portion::Workers(1).requests(4), (1, 5));
        assert_eq!(Portion::Workers(1).requests(1), (1, 2));
        assert_eq!(Portion::Percent(10).requests(4), (10, 100));
    }
}
