//! What of the machine the processes below the master may take, and with which standing.
//!
//! A section of the configuration. Not for taking it on (`sys::resources`), and not for what has a worker replaced
//! (`recycling`). Pure; every process reads it.

use serde::{Deserialize, Serialize};

/// Limits and standing of processes. `None` leaves what was inherited.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// `limit-as`: most address space of a zygote and of each worker, in bytes.
    pub address_space: Option<u64>,
    /// `limit-nproc`: most processes and threads of the user.
    pub processes: Option<u64>,
    /// `max-fd`: most open descriptors of each process, the master included.
    pub descriptors: Option<u64>,
    /// `prio`: the nice value of all processes.
    pub priority: Option<i32>,
    /// `cpu-affinity`: so many processors for each worker; 0 leaves all to all.
    pub cpus_each: usize,
    /// `oom-score-adj` (ours): of a zygote and of each worker.
    pub oom_score: Option<i32>,
    /// `ksm`: whether the kernel may keep equal pages of a zygote and its workers once.
    pub merges_memory: bool,
    /// `thread-stacksize`: of each thread that takes requests, in bytes.
    pub thread_stack: Option<usize>,
}

impl Resources {
    /// What was taken on with the rights of the start stays as it was, whatever a reload says.
    pub(crate) fn stay(&mut self, started: &Resources) {
        self.descriptors = started.descriptors;
        self.priority = started.priority;
    }
}
