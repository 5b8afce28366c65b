//! The numbers of the configuration that the master's decisions need.
//!
//! Not the configuration itself: sockets, paths and programs are the driver's. Pure; used in the master.

use crate::config::model::Config;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long the workers of a new generation must have been ready before the old ones are let go, in microseconds.
/// Long enough that a worker which dies with its first requests is seen, short enough not to be felt in a deploy.
pub const PROBATION_US: u64 = 50_000;

/// More workers than any machine can use; keeps the picture of them small.
pub const WORKERS_MAX: u32 = 10_000;

/// What the machine needs to know of a configuration. Times are microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Most workers at once, N: the slots are 1 to N. 1 to [`WORKERS_MAX`].
    pub workers: u32,
    /// Fewest workers while the instance is awake, 1 to N.
    pub minimum: u32,
    /// Workers at start; 0 starts asleep (`cheap`) and wakes at the first [`Target`](super::Event::Target).
    pub initial: u32,
    /// Threads of a worker; only told in the log.
    pub threads: u32,
    /// Seats of the shared memory. At least those of every plan before, and 2 N + 2, so that a whole generation fits
    /// beside another and two places are left for those that take their time to leave.
    pub seats: u32,
    /// How long a worker may take to finish what it holds (`worker-reload-mercy`).
    pub mercy_us: u64,
    /// The longest step of the back-off between deaths at once (`forkbomb-delay`); 0 never waits.
    pub respawn_delay_max_us: u64,
    /// How long a zygote may load and a worker may take to be ready (`load-timeout`); `None` waits for ever.
    pub load_timeout_us: Option<u64>,
    /// How long new workers must be ready before they replace the old generation, see [`PROBATION_US`].
    pub probation_us: u64,
}

impl Plan {
    /// The plan of a configuration, with the fewest seats that do.
    #[must_use]
    pub fn of(config: &Config) -> Plan {
        let workers = count(config.workers).max(1);
        let scaling = &config.scaling;
        let minimum = if scaling.enabled { count(scaling.minimum).clamp(1, workers) } else { workers };
        let initial = if scaling.enabled { count(scaling.initial).clamp(minimum, workers) } else { workers };
        Plan {
            workers,
            minimum,
            initial: if scaling.cheap { 0 } else { initial },
            threads: count(config.threads),
            seats: Plan::seats_for(workers),
            mercy_us: microseconds(config.patience.mercy),
            respawn_delay_max_us: microseconds(config.patience.respawn_delay_max),
            load_timeout_us: config.patience.load_timeout.map(microseconds),
            probation_us: PROBATION_US,
        }
    }

    /// The fewest seats that a plan of so many workers needs.
    #[must_use]
    pub fn seats_for(workers: u32) -> u32 {
        workers.saturating_mul(2).saturating_add(2)
    }

    /// Whether its numbers fit together; if not, the sentence that says what is wrong.
    pub(super) fn check(&self) -> Result<(), String> {
        let Plan { workers, minimum, initial, seats, .. } = *self;
        if workers == 0 || workers > WORKERS_MAX {
            return Err(format!("there can be 1 to {WORKERS_MAX} workers, not {workers}"));
        }
        if minimum > workers || initial > workers {
            return Err(format!("{minimum} workers at least and {initial} at start do not fit into {workers}"));
        }
        if seats < Plan::seats_for(workers) {
            return Err(format!("{seats} seats are too few for {workers} workers"));
        }
        Ok(())
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
