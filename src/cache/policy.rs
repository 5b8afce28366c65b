//! What a cache does that is not written in its memory.

use super::settings::Settings;

const SECOND_US: u64 = 1_000_000;

/// What is done when it is full, and when expired entries go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// When full, the entry goes that was used least recently.
    pub(super) purges: bool,
    /// When full, all go.
    pub(super) clears: bool,
    /// How long expired entries may stay that are in nobody's way; `None`: for ever.
    pub(super) sweep_every_us: Option<u64>,
    /// What a counter starts from.
    pub(super) math_initial: i64,
    /// Whether the time of the last change is kept.
    pub(super) dates: bool,
    /// Whether nobody wants to know that it is full.
    pub(super) quiet: bool,
}

impl Policy {
    /// What is configured. `every_s`: how long expired entries may stay (`cache-expire-freq`).
    pub fn of(settings: &Settings, every_s: u64) -> Self {
        Self {
            purges: settings.purge_lru,
            clears: settings.clear_on_full,
            sweep_every_us: (!settings.no_expire && !settings.lazy_expire).then(|| every_s.saturating_mul(SECOND_US)),
            math_initial: settings.math_initial,
            dates: settings.lastmod,
            quiet: settings.ignore_full,
        }
    }
}
