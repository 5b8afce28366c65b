//! What a collector says to what it was sent, and when it is to be sent again
//! (<https://opentelemetry.io/docs/specs/otlp/#otlphttp-response>). Pure; the exporter.

use std::time::Duration;

use super::protobuf::{Value, fields};

/// What is to be done after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was taken.
    Taken,
    /// It may be taken later, perhaps not before this time is over.
    Later(Option<Duration>),
    /// It never will be.
    Never,
}

/// Longest time for which a collector is left alone because it asks for that.
const LATER_MAX: Duration = Duration::from_secs(300);

/// What a status says, and the header `Retry-After`. Of its two forms only the number of seconds is heeded.
pub fn verdict(status: u16, retry_after: Option<&[u8]>) -> Verdict {
    let seconds = || std::str::from_utf8(retry_after?).ok()?.trim().parse().ok();
    match status {
        200..=299 => Verdict::Taken,
        429 | 502 | 503 | 504 => Verdict::Later(seconds().map(|seconds| Duration::from_secs(seconds).min(LATER_MAX))),
        _ => Verdict::Never,
    }
}

/// How long is waited before the how many-th try again: a second, twice as long each time, up to half a minute; less a part
/// by chance (0 to 255), so that not everybody comes back at once.
pub fn pause(tries: u32, chance: u8) -> Duration {
    let longest = Duration::from_secs(1_u64 << tries.saturating_sub(1).min(5)).min(Duration::from_secs(30));
    longest.mul_f64(1.0 - f64::from(chance) / 1_024.0)
}

/// How much of it a collector has rejected although it took it, and why: `partial_success` of its answer.
pub fn rejected(body: &[u8]) -> Option<(u64, String)> {
    let partial = fields(body)?.into_iter().find_map(|(field, value)| match value {
        Value::Bytes(bytes) if field == 1 => Some(bytes),
        _ => None,
    })?;
    let (mut count, mut why) = (0, String::new());
    for field in fields(partial)? {
        match field {
            (1, Value::Number(number)) => count = number,
            (2, Value::Bytes(text)) => why = String::from_utf8_lossy(text).into_owned(),
            _ => {}
        }
    }
    (count > 0 || !why.is_empty()).then_some((count, why))
}

#[cfg(test)]
mod tests {
    use super::super::protobuf::Message;
    use super::*;

    #[test]
    fn only_what_the_specification_names_is_sent_again() {
        assert_eq!(verdict(200, None), Verdict::Taken);
        for status in [429, 502, 503, 504] {
            assert_eq!(verdict(status, None), Verdict::Later(None));
        }
        for status in [400, 401, 404, 413, 500, 501, 301] {
            assert_eq!(verdict(status, Some(b"5")), Verdict::Never);
        }
        assert_eq!(verdict(503, Some(b" 7 ")), Verdict::Later(Some(Duration::from_secs(7))));
        assert_eq!(verdict(503, Some(b"999999")), Verdict::Later(Some(LATER_MAX)));
        assert_eq!(verdict(429, Some(b"Wed, 21 Oct 2026 07:28:00 GMT")), Verdict::Later(None));
    }

    #[test]
    fn pauses_grow_to_half_a_minute_and_no_further() {
        let longest: Vec<u64> = (1..9).map(|tries| pause(tries, 0).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert!(pause(u32::MAX, 255) < Duration::from_secs(30) && pause(1, 255) > Duration::from_millis(700));
    }

    #[test]
    fn what_was_rejected_is_counted_and_an_answer_that_is_none_says_nothing() {
        let mut partial = Message::new();
        partial.number(1, 3).text(2, "too old");
        let body = Message::new().message(1, &partial).clone().into_bytes();
        assert_eq!(rejected(&body), Some((3, "too old".to_owned())));
        assert_eq!(rejected(b""), None);
        assert_eq!(rejected(b"{\"partialSuccess\":{}}"), None);
        assert_eq!(rejected(&[0x0a, 0x00]), None);
    }
}
