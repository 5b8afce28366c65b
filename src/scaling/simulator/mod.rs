//! The model that tries policies out: a server with a listen queue, workers, a zygote that forks them and cores they
//! compute on, driven by discrete events and a fake clock. It runs the same [`step`](super::step) as the master.
//!
//! Not for predicting the absolute throughput of an application: what a request costs is an input. It runs in the
//! `simulate` command, in tests and in the benchmark, never in a server. One seed, one outcome.
//!
//! The model: a connection is taken at once by the first idle worker in slot order (epoll wakes the most recently added
//! waiter, so the first workers stay busy and the last ones stay visibly idle), else it joins the queue; beyond
//! `queue_max + 1` it is refused, as Linux does. A request computes first, sharing the cores evenly with all others that
//! compute, and then waits for something else (a database, a disk). Forks are made one after the other; what a worker
//! does until it is ready runs beside them. A look of the master happens `reaction_us` after the event that woke it.

pub mod chart;
mod cores;
mod engine;
pub mod load;
mod outcome;
pub mod picture;
pub mod report;
pub mod rivals;
pub mod traces;
mod trial;

pub use engine::run;
pub use load::{Job, Load};
pub use outcome::{Histogram, Outcome};
pub use rivals::Scaler;
pub use trial::Trial;

/// The machine and the server, apart from the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    /// How long the zygote is occupied by one fork.
    pub fork_us: u64,
    /// From the fork to the worker's being ready; several workers do this at once.
    pub boot_us: u64,
    /// From an event to the master's look at it.
    pub reaction_us: u64,
    /// Cores that requests compute on.
    pub cores: u32,
    /// Connections that may wait.
    pub queue_max: u32,
    /// Requests that one worker handles at once.
    pub threads: u32,
    /// Memory that one worker takes, in bytes.
    pub worker_rss_bytes: u64,
    /// A request that waits longer than this counts as late.
    pub late_us: u64,
}

impl Default for World {
    /// Two cores, a fork of 1 ms and half a millisecond until ready, a queue of 1024.
    fn default() -> Self {
        World {
            fork_us: 1_000,
            boot_us: 500,
            reaction_us: 100,
            cores: 2,
            queue_max: 1024,
            threads: 1,
            worker_rss_bytes: 40 << 20,
            late_us: 10_000,
        }
    }
}
