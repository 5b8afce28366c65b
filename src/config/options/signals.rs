//! What the options of signals and timers set. Their rows are in `tasks`.
//!
//! Read in the master before anything else, and by the commands.

use super::draft::Draft;
use super::parsed::Parsed;
use crate::config::model::{Watch, WatchEffect};

/// `signal-timer`: `SIGNAL SECONDS`.
pub(super) fn timer(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let parts = value.text.trim().split_once(char::is_whitespace);
    match parts.map(|(signal, seconds)| (signal.parse(), seconds.trim().parse())) {
        Some((Ok(signal), Ok(seconds @ 1..=SECONDS_MAX))) => draft.config.signal_timers.push((signal, seconds)),
        _ => draft.refuse("expected the number of a signal (0 to 255), a blank and seconds", "for example 17 60"),
    }
}

/// `touch-signal` and `fs-signal`: `PATH SIGNAL`.
pub(super) fn watch(draft: &mut Draft<'_>, value: &Parsed<'_>, any_event: bool) {
    let parts = value.text.trim().rsplit_once(char::is_whitespace);
    match parts.map(|(path, signal)| (path.trim_end(), signal.parse())) {
        Some((path, Ok(signal))) => {
            draft.config.watches.push(Watch { path: path.into(), effect: WatchEffect::Signal(signal), any_event });
        }
        _ => draft.refuse("expected a path, a blank and the number of a signal (0 to 255)", "for example /tmp/x 17"),
    }
}

/// No timer is longer than a clock can bear.
const SECONDS_MAX: u64 = i32::MAX as u64;
