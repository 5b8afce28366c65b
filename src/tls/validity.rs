//! From when until when a certificate is valid, read out of its bytes (RFC 5280, section 4.1).
//!
//! Only that: whether it is trusted is for clients to say. Pure.

use super::der::{SEQUENCE, any, element};

/// Seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    /// The first moment.
    pub(crate) not_before_s: i64,
    /// The last one.
    pub(crate) not_after_s: i64,
}

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The tag of the version, which is left out for version 1.
const VERSION: u8 = 0xa0;

impl Validity {
    /// Of a certificate; `None` if it is not of the form.
    #[must_use]
    pub(crate) fn of(certificate: &[u8]) -> Option<Validity> {
        let (outer, _) = element(certificate, SEQUENCE)?;
        let (signed, _) = element(outer, SEQUENCE)?;
        let mut rest = signed;
        if rest.first() == Some(&VERSION) {
            rest = any(rest)?.2;
        }
        // Serial number, signature, issuer.
        for _ in 0..3 {
            rest = any(rest)?.2;
        }
        let (validity, _) = element(rest, SEQUENCE)?;
        let (tag, not_before, rest) = any(validity)?;
        let not_before_s = seconds(tag, not_before)?;
        let (tag, not_after, _) = any(rest)?;
        Some(Validity { not_before_s, not_after_s: seconds(tag, not_after)? })
    }
}

/// The day of a moment, as people write it.
pub(super) fn day(seconds: i64) -> String {
    match jiff::Timestamp::from_second(seconds) {
        Ok(moment) => moment.strftime("%Y-%m-%d").to_string(),
        Err(_) => "a day that no calendar has".to_owned(),
    }
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`.
fn seconds(tag: u8, text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i16 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    let date = jiff::civil::Date::new(year, part(0)?, part(2)?).ok()?;
    let time = jiff::civil::Time::new(part(4)?, part(6)?, part(8)?, 0).ok()?;
    let moment = date.to_datetime(time).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(moment.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_two_forms() {
        assert_eq!(seconds(UTC_TIME, b"200101000000Z"), Some(1_577_836_800));
        assert_eq!(seconds(UTC_TIME, b"990101000000Z"), Some(915_148_800));
        assert_eq!(seconds(GENERALIZED_TIME, b"20200101000000Z"), Some(1_577_836_800));
        for (tag, text) in
            [(UTC_TIME, &b"200101000000"[..]), (UTC_TIME, b"201301000000Z"), (GENERALIZED_TIME, b"Z"), (2, b"1Z")]
        {
            assert_eq!(seconds(tag, text), None);
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_validity() {
        for bytes in [&b""[..], b"0", b"0\x84\xff\xff\xff\xff", b"0\x85\0\0\0\0\0", b"0\x02\x30\x00", b"\x31\x00"] {
            assert_eq!(Validity::of(bytes), None);
        }
    }
}
