//! Why a child had to go, and how times are written in lines about children. Pure; used in the master.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a worker had to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Farewell {
    /// It wanted to.
    Itself,
    /// There are to be fewer.
    Scaled,
    /// Its successor is ready.
    Replaced,
    /// It belonged to something that was called off.
    CalledOff,
    /// It could not serve.
    Unfit,
    /// It does not mind the deadlines of its requests.
    Harakiri,
    /// It takes more memory than it may.
    Overgrown,
    /// The instance stops.
    Stop,
}

impl Farewell {
    /// Whether the instance has no use for it any more, rather than for this one process.
    #[must_use]
    pub fn is_parting(self) -> bool {
        matches!(self, Farewell::Scaled | Farewell::Stop)
    }
}

/// Microseconds, shown as seconds with three places.
pub(super) struct Seconds(pub(super) u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000_000, self.0 / 1_000 % 1_000)
    }
}
