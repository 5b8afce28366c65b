//! The only place where time is read. Every process; the monotonic clock is common to all of them.

use nix::time::{ClockId, clock_gettime};

/// Microseconds of the monotonic clock: for every duration and deadline. Comparable between processes of one machine.
pub fn monotonic_us() -> u64 {
    microseconds(ClockId::CLOCK_MONOTONIC)
}

/// Microseconds since the Unix epoch: for display, and for comparison with stamps that a web server made.
pub fn epoch_us() -> u64 {
    microseconds(ClockId::CLOCK_REALTIME)
}

/// Seconds since the Unix epoch as of the kernel's last tick, a few milliseconds ago at most: for dates that are told with each
/// answer. It costs a fraction of the exact time (clock_gettime(2), `CLOCK_REALTIME_COARSE`).
pub fn coarse_epoch_s() -> u64 {
    microseconds(ClockId::CLOCK_REALTIME_COARSE) / 1_000_000
}

/// Seconds since the Unix epoch: for what is valid until some day.
pub fn epoch_s() -> i64 {
    i64::try_from(epoch_us() / 1_000_000).unwrap_or(i64::MAX)
}

/// Microseconds since the machine was booted, sleep included: what the kernel dates processes by.
pub fn since_boot_us() -> u64 {
    microseconds(ClockId::CLOCK_BOOTTIME)
}

/// How many seconds local time is ahead of UTC at a moment; 0 if the system cannot tell.
pub fn utc_offset_s(epoch_s: i64) -> i64 {
    // SAFETY: a structure of numbers and a pointer, for which zeros stand; the call fills it in.
    let mut local: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live values of the types that the call asks for.
    let told = unsafe { libc::localtime_r(&epoch_s, &mut local) };
    if told.is_null() { 0 } else { local.tm_gmtoff }
}

fn microseconds(clock: ClockId) -> u64 {
    // These clocks exist on every Linux, so the call cannot fail.
    clock_gettime(clock).map_or(0, |time| time.tv_sec() as u64 * 1_000_000 + time.tv_nsec() as u64 / 1_000)
}
