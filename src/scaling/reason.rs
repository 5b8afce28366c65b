//! Why a decision was made: one variant a rule, with the inputs that mattered. The log line, the JSON log and the
//! metrics are all made from it, so a test of the reason is a test of the line.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why. Times are microseconds, counts are of workers unless the name says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Reason {
    /// Nothing calls for a change.
    Steady,
    /// [`Pace::Ticks`](super::Pace): not yet time.
    BetweenTicks,
    /// adaptive: so many requests in hand or waiting need more workers to keep the target wait.
    Waiting { jobs: u32, workers: u32, needed: u32, waited_us: u64, service_us: u64, target_us: u64 },
    /// adaptive: fewer workers than the load asks for where starts are slow.
    Reserve { workers: u32, reserve: u32, load_milli: u64 },
    /// adaptive: more would only compete for the cores.
    CoresBusy { needed: u32, useful: u32, cpus: u32, cpu_permille: u32, delayed_permille: u32 },
    /// adaptive: no moment of the last while needed so many.
    Surplus { workers: u32, keep: u32, for_us: u64 },
    /// spare: every worker busy for so long.
    AllBusy { busy: u32, for_us: u64 },
    /// spare, spare2: more idle workers than are kept.
    TooManyIdle { idle: u32, keep: u32 },
    /// spare2: fewer idle workers than are kept.
    TooFewIdle { idle: u32, keep: u32 },
    /// backlog: more connections wait than `cheaper-overload`.
    QueueLong { queue: u32, limit: u64 },
    /// backlog: fewer connections wait than `cheaper-overload`.
    QueueShort { queue: u32, limit: u64 },
    /// busyness: average over a window above the maximum.
    Busyness { average_percent: u64, max_percent: u64 },
    /// busyness: average below the minimum for the whole cool-down.
    NotBusy { average_percent: u64, min_percent: u64 },
    /// busyness: a window with nothing to do.
    Average { average_percent: u64 },
    /// busyness: emergency workers, since so many connections wait.
    QueueAlert { queue: u32, alert: u64 },
    /// busyness: emergency workers, since connections have waited all the time for so long.
    QueueStanding { queue: u32, for_us: u64 },
    /// The operator asked through the master fifo.
    Asked { pending: i32 },
    /// So many workers asked to go themselves (`uwsgi.cheap()`).
    Volunteered { volunteers: u32 },
    /// Fewer workers than the minimum.
    BelowMinimum { workers: u32, minimum: u32 },
    /// Fewer workers than the schedule keeps at this time (`cheaper-schedule`).
    Scheduled { workers: u32, baseline: u32 },
    /// More workers than the maximum.
    AboveMaximum { workers: u32, maximum: u32 },
    /// More workers than the Emperor allows, since others need the memory (`emperor-memory`).
    AboveAllowance { workers: u32, allowance: u32 },
    /// `cheaper-rss-limit-hard` exceeded.
    HardLimit { rss_bytes: u64, limit_bytes: u64 },
    /// No request for `idle` seconds: no workers are needed (`ends`: `die-on-idle`, the instance stops).
    Idle { for_us: u64, ends: bool },
    /// A connection came while there were no workers.
    Awakened { queue: u32 },
}

impl Reason {
    /// One word for it, the same as in records.
    pub fn name(&self) -> &'static str {
        use Reason::*;
        match self {
            Steady => "steady",
            BetweenTicks => "between_ticks",
            Waiting { .. } => "waiting",
            Reserve { .. } => "reserve",
            CoresBusy { .. } => "cores_busy",
            Surplus { .. } => "surplus",
            AllBusy { .. } => "all_busy",
            TooManyIdle { .. } => "too_many_idle",
            TooFewIdle { .. } => "too_few_idle",
            QueueLong { .. } => "queue_long",
            QueueShort { .. } => "queue_short",
            Busyness { .. } => "busyness",
            NotBusy { .. } => "not_busy",
            Average { .. } => "average",
            QueueAlert { .. } => "queue_alert",
            QueueStanding { .. } => "queue_standing",
            Asked { .. } => "asked",
            Volunteered { .. } => "volunteered",
            BelowMinimum { .. } => "below_minimum",
            Scheduled { .. } => "scheduled",
            AboveMaximum { .. } => "above_maximum",
            AboveAllowance { .. } => "above_allowance",
            HardLimit { .. } => "hard_limit",
            Idle { .. } => "idle",
            Awakened { .. } => "awakened",
        }
    }

    /// Whether the instance should stop (`die-on-idle`).
    pub fn ends_instance(&self) -> bool {
        matches!(self, Reason::Idle { ends: true, .. })
    }

    /// Whether a window of `busyness` has just ended (`cheaper-busyness-verbose` tells of each).
    pub fn ends_window(&self) -> bool {
        matches!(self, Reason::Busyness { .. } | Reason::NotBusy { .. } | Reason::Average { .. })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Reason::*;
        match self {
            Steady => write!(f, "steady"),
            BetweenTicks => write!(f, "between two ticks"),
            Waiting { jobs, workers, needed, waited_us, service_us, target_us } => write!(
                f,
                "{jobs} requests on {workers} workers, {needed} needed to keep the wait under {} (waited {}, a request \
                 takes {})",
                Ms(*target_us),
                Ms(*waited_us),
                Ms(*service_us)
            ),
            Reserve { workers, reserve, load_milli } => write!(
                f,
                "{workers} workers, a load of {}.{:03} asks for {reserve} since starts are slow",
                load_milli / 1000,
                load_milli % 1000
            ),
            CoresBusy { needed, useful, cpus, cpu_permille, delayed_permille } => write!(
                f,
                "{needed} wanted, but {cpus} cores can use {useful}: requests compute {}.{} % of their time and wait \
                 for a core {}.{} %",
                cpu_permille / 10,
                cpu_permille % 10,
                delayed_permille / 10,
                delayed_permille % 10
            ),
            Surplus { workers, keep, for_us } => write!(f, "{workers} workers, {keep} sufficed for {}", Ms(*for_us)),
            AllBusy { busy, for_us } => write!(f, "all {busy} workers busy for {}", Ms(*for_us)),
            TooManyIdle { idle, keep } => write!(f, "{idle} idle workers, {keep} are kept"),
            TooFewIdle { idle, keep } => write!(f, "only {idle} idle workers, {keep} are kept"),
            QueueLong { queue, limit } => write!(f, "{queue} connections wait, more than {limit}"),
            QueueShort { queue, limit } => write!(f, "{queue} connections wait, less than {limit}"),
            Busyness { average_percent, max_percent } => write!(f, "{average_percent} % busy, above {max_percent} %"),
            NotBusy { average_percent, min_percent } => write!(f, "{average_percent} % busy, below {min_percent} %"),
            Average { average_percent } => write!(f, "{average_percent} % busy in this window"),
            QueueAlert { queue, alert } => write!(f, "emergency: {queue} connections wait, more than {alert}"),
            QueueStanding { queue, for_us } => {
                write!(f, "emergency: connections have waited for {}, now {queue}", Ms(*for_us))
            }
            Asked { pending } => write!(f, "asked for {pending:+} by the operator"),
            Volunteered { volunteers: 1 } => f.write_str("a worker asked to go"),
            Volunteered { volunteers } => write!(f, "{volunteers} workers asked to go"),
            BelowMinimum { workers, minimum } => write!(f, "{workers} workers, at least {minimum} are kept"),
            Scheduled { workers, baseline } => {
                write!(f, "{workers} workers, the schedule keeps {baseline} at this time")
            }
            AboveMaximum { workers, maximum } => write!(f, "{workers} workers, at most {maximum} may run"),
            AboveAllowance { workers, allowance } => {
                write!(f, "{workers} workers, the Emperor allows {allowance}: others need the memory")
            }
            HardLimit { rss_bytes, limit_bytes } => {
                write!(f, "{rss_bytes} bytes resident, the hard limit is {limit_bytes}")
            }
            Idle { for_us, ends } => {
                // uWSGI's words, which operators grep for.
                write!(f, "workers have been inactive for more than {} seconds", for_us / 1_000_000)?;
                if *ends { f.write_str(", the instance ends") } else { Ok(()) }
            }
            Awakened { queue } => write!(f, "{queue} connections wait and no worker runs"),
        }
    }
}

/// Microseconds as milliseconds with one digit.
struct Ms(u64);

impl fmt::Display for Ms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} ms", self.0 / 1000, self.0 % 1000 / 100)
    }
}
