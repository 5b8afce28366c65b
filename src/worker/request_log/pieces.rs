//! A line put together of texts, numbers and bytes from outside, for each of which `write!` would take its time. Pure; worker
//! only.

use worker_protocol::decimal;

use crate::escape::{Escape, push_escaped};
use crate::logging::push_local;

/// A line in the making.
pub(super) struct Line<'l>(pub(super) &'l mut String);

impl Line<'_> {
    /// Appends a text of ours.
    #[inline]
    pub(super) fn text(self, text: &str) -> Self {
        self.0.push_str(text);
        self
    }

    /// Appends a number in decimal digits.
    #[inline]
    pub(super) fn number(self, number: u64) -> Self {
        push_number(self.0, number);
        self
    }

    /// Appends a moment, in microseconds since the epoch, in a strftime(3) pattern and local time.
    pub(super) fn moment(self, pattern: &str, epoch_us: u64) -> Self {
        push_local(self.0, pattern, epoch_us);
        self
    }

    /// Appends what a client chose.
    pub(super) fn foreign(self, bytes: &[u8]) -> Self {
        push_escaped(self.0, bytes, Escape::Bytes);
        self
    }
}

/// Appends a number in decimal digits.
pub(super) fn push_number(line: &mut String, number: u64) {
    // One by one, as they are few.
    for digit in decimal::format(number, &mut [0; 20]) {
        line.push(char::from(*digit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_everywhere() {
        for number in (0..64).flat_map(|bits| [1 << bits, (1_u64 << bits) - 1]).chain([10, 99, 100, u64::MAX]) {
            let mut line = String::from("n=");
            push_number(&mut line, number);
            assert_eq!(line, format!("n={number}"));
        }
    }
}
