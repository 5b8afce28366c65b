//! How long the application may take for a request, and what comes then.
//!
//! A section of the configuration. Pure; the workers read it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The deadline of each request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Harakiri {
    /// `harakiri`: from the end of a request's head to the end of its answer.
    pub limit: Option<Duration>,
    /// `harakiri-verbose`: what the kernel says of every busy thread goes to the log.
    pub verbose: bool,
    /// `harakiri-graceful-timeout`: the worker gets a signal first, and so much time.
    pub grace: Option<Duration>,
    /// `harakiri-graceful-signal`: its number.
    pub signal: i32,
    /// `harakiri-queue-threshold`: only while so many connections wait on the sockets.
    pub queue_min: u64,
    /// `harakiri-no-arh`: what the application does after its answer has no deadline.
    pub spares_hooks: bool,
}

impl Default for Harakiri {
    fn default() -> Harakiri {
        Harakiri { limit: None, verbose: false, grace: None, signal: 15, queue_min: 0, spares_hooks: false }
    }
}
