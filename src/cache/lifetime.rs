//! How long entries live, as applications say it, and what time it is: asked only where it counts, since most entries never
//! expire, and the clock takes as long as a good part of a look.

use std::cell::Cell;

/// What time it is, in microseconds since the epoch.
pub trait Clock {
    /// The moment; the same whenever it is asked.
    fn now_us(&self) -> u64;
}

impl Clock for u64 {
    fn now_us(&self) -> u64 {
        *self
    }
}

impl<C: Clock> Clock for &C {
    fn now_us(&self) -> u64 {
        (*self).now_us()
    }
}

/// The moment at which it is asked first.
#[derive(Debug)]
pub struct Asked<F> {
    ask: F,
    known: Cell<Option<u64>>,
}

impl<F: Fn() -> u64> Asked<F> {
    /// By whom.
    pub fn by(ask: F) -> Self {
        Self { ask, known: Cell::new(None) }
    }
}

impl<F: Fn() -> u64> Clock for Asked<F> {
    fn now_us(&self) -> u64 {
        self.known.get().unwrap_or_else(|| {
            let now_us = (self.ask)();
            self.known.set(Some(now_us));
            now_us
        })
    }
}

/// When something expires that lives for so many seconds from now on; 0 is never, and what is below zero is over already, as in
/// uWSGI.
pub fn expiry(seconds: i64, now: impl Clock) -> u64 {
    match u64::try_from(seconds) {
        Ok(0) => 0,
        Ok(seconds) => now.now_us().saturating_add(seconds.saturating_mul(1_000_000)),
        Err(_) => 1,
    }
}

/// Whether something of a time is over.
pub(super) fn is_over(expiry: u64, now: impl Clock) -> bool {
    expiry != 0 && expiry <= now.now_us()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_asked_once_and_only_where_it_counts() {
        let count = Cell::new(0);
        let clock = Asked::by(|| {
            count.set(count.get() + 1);
            7_000_000
        });
        assert_eq!((expiry(0, &clock), expiry(-1, &clock), is_over(0, &clock)), (0, 1, false));
        assert_eq!(count.get(), 0);
        assert_eq!(
            (expiry(3, &clock), is_over(7_000_000, &clock), is_over(7_000_001, &clock)),
            (10_000_000, true, false)
        );
        assert_eq!(count.get(), 1);
    }
}
