//! How long the master waits for what it asked for.
//!
//! A section of the configuration. Pure; the master reads it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long the master waits for what it asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Patience {
    /// For a worker to finish what it holds (`worker-reload-mercy`, 60 s).
    pub mercy: Duration,
    /// Between respawns of workers that die at once (`forkbomb-delay`, 2 s): the longest step of the back-off.
    pub respawn_delay_max: Duration,
    /// For a generation to load and get ready (`load-timeout`, ours); `None` waits for ever.
    pub load_timeout: Option<Duration>,
    /// Before an ordered stop begins, in which `/readyz` says already that it will (`stop-delay`, ours; none).
    pub stop_delay: Option<Duration>,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            mercy: Duration::from_secs(60),
            respawn_delay_max: Duration::from_secs(2),
            load_timeout: None,
            stop_delay: None,
        }
    }
}
