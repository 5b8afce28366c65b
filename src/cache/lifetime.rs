//! How long entries live, as applications say it.

/// When something expires that lives for so many seconds from now on; 0 is never, and what is below zero is over already, as in
/// uWSGI.
pub fn expiry(seconds: i64, now_us: u64) -> u64 {
    match u64::try_from(seconds) {
        Ok(0) => 0,
        Ok(seconds) => now_us.saturating_add(seconds.saturating_mul(1_000_000)),
        Err(_) => 1,
    }
}
