//! When the web server received a request, by what it and those before it say. Runs in the worker.

use crate::decimal;

/// What tells it, as received.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival<'a> {
    pub(super) request_msec: &'a [u8],
    pub(super) x_request_start: &'a [u8],
}

impl Arrival<'_> {
    /// See [`super::RequestHead::arrival_us`].
    pub(super) fn epoch_us(self, trust_forwarded: bool) -> Option<u64> {
        epoch_us(self.request_msec).or_else(|| trust_forwarded.then(|| epoch_us(self.x_request_start)).flatten())
    }
}

/// A time since the epoch, in microseconds: `t=` optional, then seconds with a fraction, or a whole number of seconds
/// (up to 11 digits), milliseconds (12 to 14), microseconds (15 to 17) or nanoseconds (18 and 19).
fn epoch_us(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let text = text.strip_prefix(b"t=").unwrap_or(text);
    if let Some(point) = text.iter().position(|&byte| byte == b'.') {
        let (seconds, fraction) = (&text[..point], &text[point + 1..]);
        if seconds.is_empty() || seconds.len() > 11 {
            return None;
        }
        return Some(decimal::parse(seconds)? * 1_000_000 + fraction_us(fraction)?);
    }
    let number = decimal::parse(text)?;
    match text.len() {
        1..=11 => Some(number * 1_000_000),
        12..=14 => Some(number * 1_000),
        15..=17 => Some(number),
        18..=19 => Some(number / 1_000),
        _ => None,
    }
}

/// The digits after the decimal point of a second, in microseconds; finer digits are cut.
fn fraction_us(text: &[u8]) -> Option<u64> {
    let (kept, cut) = text.split_at(text.len().min(6));
    if !cut.iter().all(u8::is_ascii_digit) {
        return None;
    }
    (kept.len()..6).try_fold(decimal::parse(kept)?, |number, _| number.checked_mul(10))
}
