//! What a trial is tried in: the machine and the server, apart from the policy. Pure.

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
