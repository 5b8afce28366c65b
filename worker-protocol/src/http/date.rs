//! The value of the `Date` header (RFC 9110 section 5.6.7). Pure: the time comes in, and whoever calls keeps the text
//! for a second.
//!
//! ```
//! let mut date = worker_protocol::http::date::DateText::default();
//! assert_eq!(date.at(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT");
//! ```

use std::time::{Duration, UNIX_EPOCH};

/// Bytes of a date.
pub const BYTES: usize = 29;

/// `Sun, 06 Nov 1994 08:49:37 GMT` for a time in seconds since the epoch. Times from the year 10000 on, which the form
/// has no room for, are the last second before it.
pub fn imf_fixdate(epoch_s: u64) -> [u8; BYTES] {
    const LAST: u64 = 253_402_300_799;
    let date = httpdate::HttpDate::from(UNIX_EPOCH + Duration::from_secs(epoch_s.min(LAST)));
    // Of this form there is one length only.
    let mut text = [b' '; BYTES];
    text.iter_mut().zip(date.to_string().bytes()).for_each(|(place, byte)| *place = byte);
    text
}

/// A date as HTTP writes it, made once a second.
#[derive(Debug)]
pub struct DateText {
    epoch_s: u64,
    text: [u8; BYTES],
}

impl Default for DateText {
    fn default() -> Self {
        Self { epoch_s: 0, text: imf_fixdate(0) }
    }
}

impl DateText {
    /// The text for a time in seconds since the epoch.
    pub fn at(&mut self, epoch_s: u64) -> &[u8; BYTES] {
        if epoch_s != self.epoch_s {
            (self.epoch_s, self.text) = (epoch_s, imf_fixdate(epoch_s));
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_of_the_form_that_http_wants() {
        for (epoch_s, text) in [
            (0, b"Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, b"Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_399, b"Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, b"Tue, 29 Feb 2000 00:00:00 GMT"),
            (253_402_300_799, b"Fri, 31 Dec 9999 23:59:59 GMT"),
            (u64::MAX, b"Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(imf_fixdate(epoch_s), *text);
        }
    }
}
