//! Routing variables: `${cookie[…]}` and its relatives. Pure; what is not of the request comes from the [`World`].

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use worker_protocol::http::date::imf_fixdate;

use super::error::RuleError;
use super::state::Request;
use super::world::{Figure, World};

/// A function of `${function[argument]}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    Cookie,
    Query,
    MediaType,
    Figure(Figure),
    Status,
    RunningUs,
    Uuid,
    UnixTime,
    MicrosTime,
    /// The date so many seconds from now.
    HttpTime,
    Base64,
    Hex,
    Metric,
}

/// Names of functions.
const NAMES: [&str; 9] = ["cookie", "qs", "mime", "uwsgi", "time", "httptime", "base64", "hex", "metric"];

impl Value {
    /// The function of a name and, where these are words, its argument.
    pub(super) fn named(function: &str, argument: &str) -> Result<Value, RuleError> {
        Ok(match function {
            "cookie" => Value::Cookie,
            "qs" => Value::Query,
            "mime" => Value::MediaType,
            "uwsgi" => of_uwsgi(argument)?,
            "time" => match argument {
                "unix" => Value::UnixTime,
                "micros" => Value::MicrosTime,
                _ => return Err(RuleError::unknown("time", argument, ["unix", "micros"].into_iter())),
            },
            "httptime" => Value::HttpTime,
            "base64" => Value::Base64,
            "hex" => Value::Hex,
            "metric" => Value::Metric,
            "upper" | "lower" | "math" | "geoip" | "xattr" | "xattr2" => {
                let problem = format!("${{{function}[…]}} is not of uWSGI's default build, and always empty there");
                return Err(RuleError::new(problem).advise("leave it to the application"));
            }
            _ => return Err(RuleError::unknown("routing variable", function, NAMES.into_iter())),
        })
    }

    /// Appends what it is for this argument.
    pub(super) fn push(self, text: &mut Vec<u8>, argument: &[u8], request: &Request<'_>, world: &dyn World) {
        let variable = || request.variable(argument);
        let mut number = |number: u64| {
            // A vector takes everything.
            let _ = write!(text, "{number}");
        };
        match self {
            Value::Cookie => text.extend_from_slice(cookie(request.variable(b"HTTP_COOKIE"), argument)),
            Value::Query => text.extend_from_slice(parameter(request.variable(b"QUERY_STRING"), argument)),
            Value::MediaType => text.extend(world.media_type(variable()).unwrap_or_default().bytes()),
            Value::Figure(figure) => number(world.figure(figure)),
            Value::Status => number(u64::from(request.status)),
            Value::RunningUs => number(world.epoch_us().saturating_sub(world.figure(Figure::StartedUs))),
            Value::Uuid => text.extend(uuid(world.random()).bytes()),
            Value::UnixTime => number(world.epoch_us() / 1_000_000),
            Value::MicrosTime => number(world.epoch_us()),
            Value::HttpTime => {
                let now_s = world.epoch_us() / 1_000_000;
                text.extend_from_slice(&imf_fixdate(now_s.saturating_add_signed(leading_integer(argument))));
            }
            Value::Base64 => text.extend(STANDARD.encode(variable()).bytes()),
            Value::Hex => variable().iter().for_each(|byte| {
                let _ = write!(text, "{byte:02X}");
            }),
            Value::Metric => {
                number(std::str::from_utf8(argument).ok().and_then(|name| world.metric(name)).unwrap_or(0))
            }
        }
    }
}

fn of_uwsgi(argument: &str) -> Result<Value, RuleError> {
    Ok(match argument {
        "wid" => Value::Figure(Figure::Worker),
        "pid" => Value::Figure(Figure::Process),
        "lq" => Value::Figure(Figure::Queue),
        "rsize" => Value::Figure(Figure::SentBytes),
        "sor" => Value::Figure(Figure::StartedUs),
        "status" => Value::Status,
        "rtime" => Value::RunningUs,
        "uuid" => Value::Uuid,
        _ => {
            let known = ["wid", "pid", "uuid", "status", "rtime", "lq", "rsize", "sor"];
            return Err(RuleError::unknown("figure uwsgi", argument, known.into_iter()));
        }
    })
}

/// The value of the first cookie of exactly this name.
fn cookie<'h>(header: &'h [u8], name: &[u8]) -> &'h [u8] {
    let mut pairs = header.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix(b"=")).unwrap_or_default()
}

/// The value of the first parameter of this name, as it was sent.
fn parameter<'q>(query: &'q [u8], name: &[u8]) -> &'q [u8] {
    let mut pairs = query.split(|byte| *byte == b'&');
    pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix(b"=")).unwrap_or_default()
}

/// A random one (RFC 9562 section 5.4).
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (number, byte) in bytes.iter().enumerate() {
        if matches!(number, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// The number that a text begins with, as C reads it; 0 without one.
pub(super) fn leading_integer(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text.first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let number = digits.fold(0_i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    if negative { -number } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_and_a_parameter_are_of_exactly_that_name() {
        assert_eq!(cookie(b"a=1; b=2;c = 3", b"b"), b"2");
        assert_eq!(cookie(b"ab=1; b=2", b"b"), b"2");
        assert_eq!(cookie(b"a=1;c = 3", b"c"), b"");
        assert_eq!(parameter(b"x=1&xy=2&x=3&e", b"x"), b"1");
        assert_eq!(parameter(b"x=1&e", b"e"), b"");
    }

    #[test]
    fn numbers_are_read_as_far_as_they_go() {
        for (text, number) in
            [("12ab", 12), (" -3", -3), ("", 0), ("x", 0), ("+7", 7), ("99999999999999999999", i64::MAX)]
        {
            assert_eq!(leading_integer(text.as_bytes()), number, "{text}");
        }
    }

    #[test]
    fn a_uuid_has_its_form() {
        assert_eq!(uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
