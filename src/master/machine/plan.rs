//! The numbers of the configuration that the master's decisions need.
//!
//! Not the configuration itself: sockets, paths and programs are the driver's. Pure; used in the master.

use super::identity::{Post, Role};
use super::recipe::Recipe;
use crate::config::model::{Bounds, Config, Portion};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long the workers of a new generation must have been ready before the old ones are let go, in microseconds.
/// Long enough that a worker which dies with its first requests is seen, short enough not to be felt in a deploy.
pub const PROBATION_US: u64 = 50_000;

/// More programs beside the workers than anyone has; keeps what is gone over at each event small.
const EXECUTED_MAX: usize = 1_000;

/// What the machine needs to know of a configuration. Times are microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Between how many workers the instance moves. Of the most, N, the numbers are 1 to N.
    pub bounds: Bounds,
    /// Whether it starts with none (`cheap`), to wake at the first [`Target`](super::Event::Target).
    pub asleep: bool,
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
    /// The children that are executed beside the workers, in the order in which they are started.
    pub executed: Vec<Recipe>,
    /// The posts beside the workers whose children the zygote forks: mules and spoolers.
    #[serde(default)]
    pub companions: Vec<Post>,
    /// Those of them that are not wanted until [`Want`](super::Event::Want) says so.
    #[serde(default)]
    pub dormant: Vec<Post>,
    /// How long a companion may take to finish what it does (`mule-reload-mercy`).
    #[serde(default)]
    pub companion_mercy_us: u64,
    /// How long new workers must be ready before they replace the old generation, see [`PROBATION_US`].
    pub probation_us: u64,
    /// How much of it serves until there is a verdict on it (`reload-canary`); `None`: it is not tried.
    #[serde(default)]
    pub canary: Option<Portion>,
}

impl Plan {
    /// The plan of a configuration, with the fewest seats that do.
    #[must_use]
    pub fn of(config: &Config) -> Plan {
        let bounds = config.bounds();
        let companions = companions(config);
        Plan {
            bounds,
            asleep: config.scaling.cheap,
            threads: u32::try_from(config.threads).unwrap_or(u32::MAX),
            seats: Plan::seats_for(bounds.maximum()).saturating_add(seats_of(&companions)),
            mercy_us: microseconds(config.patience.mercy),
            respawn_delay_max_us: microseconds(config.patience.respawn_delay_max),
            load_timeout_us: config.patience.load_timeout.map(microseconds),
            executed: executed(config),
            companions,
            dormant: config.spoolers.dormant().map(|number| Post { role: Role::Spooler, number }).collect(),
            companion_mercy_us: microseconds(config.mules.mercy),
            probation_us: PROBATION_US,
            canary: config.canary.portion,
        }
    }

    /// The plan of a start: with seats for reloads that ask for more workers. Untouched ones cost no memory.
    #[must_use]
    pub fn of_start(config: &Config) -> Plan {
        const ROOM: u32 = 256;
        let plan = Plan::of(config);
        Plan { seats: plan.seats.max(Plan::seats_for(ROOM)), ..plan }
    }

    /// The fewest seats that a plan of so many workers needs.
    #[must_use]
    pub fn seats_for(workers: u32) -> u32 {
        workers.saturating_mul(2).saturating_add(2)
    }

    /// Workers at start.
    pub(super) fn at_start(&self) -> u32 {
        if self.asleep { 0 } else { self.bounds.initial() }
    }

    /// Whether the seats do; if not, the sentence that says what is wrong.
    pub(super) fn check(&self) -> Result<(), String> {
        let (workers, seats) = (self.bounds.maximum(), self.seats);
        if self.executed.len() > EXECUTED_MAX {
            return Err(format!("there can be {EXECUTED_MAX} daemons, not {}", self.executed.len()));
        }
        let companions = self.companions.len();
        if seats < Plan::seats_for(workers).saturating_add(seats_of(&self.companions)) {
            return Err(format!("{seats} seats are too few for {workers} workers and {companions} others"));
        }
        Ok(())
    }
}

/// The posts of mules and spooler processes.
fn companions(config: &Config) -> Vec<Post> {
    let posts = |role, count: usize| (1..).take(count).map(move |number| Post { role, number });
    let mules = posts(Role::Mule, config.mules.list.len());
    mules.chain(posts(Role::Spooler, config.spoolers.processes().count())).collect()
}

/// One for each, and one more for who takes its time to leave a post that is given to another one.
fn seats_of(companions: &[Post]) -> u32 {
    u32::try_from(companions.len()).unwrap_or(u32::MAX).saturating_mul(2)
}

/// Daemons first, in the order of the configuration; the routers behind them.
fn executed(config: &Config) -> Vec<Recipe> {
    let daemons = config.daemons.list.iter().map(|daemon| Recipe::of(daemon, config.daemons.mercy));
    daemons.chain(Recipe::of_routers(config)).collect()
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
