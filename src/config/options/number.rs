//! How numbers, sizes, times, modes and switches are read.
//!
//! The rules are those of uWSGI's manual, "uWSGI Options", with a few deviations: a number keeps its numeric prefix; a
//! value without any digit is 0, and a remark says so, but an error where 0 is out of bounds; `0660` is a mode; a switch
//! with an unusual word is on, and a remark says so. Pure; runs wherever a configuration is read.

use super::parsed::{Parsed, Unfit};

/// Off for `false`, `off`, `no` in any case and for `0`; on for all else.
pub(super) fn parse_flag(text: &str) -> Parsed<'_> {
    let word = text.to_ascii_lowercase();
    let number = i64::from(!matches!(word.as_str(), "false" | "off" | "no" | "0"));
    let usual = matches!(word.as_str(), "" | "true" | "on" | "yes" | "1" | "false" | "off" | "no" | "0");
    let remark = (!usual).then(|| format!("`{text}` counts as true; use true or false"));
    Parsed { remark, ..Parsed::new(text, number) }
}

/// The leading digits of a text after blanks and a sign, as C's `atoi` reads them; `None` without any digit.
pub(super) fn leading_number(text: &str) -> Option<(i64, &str)> {
    let trimmed = text.trim_start();
    let (negative, digits) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    if digits.is_empty() {
        return None;
    }
    let number = digits.parse::<i64>().unwrap_or(i64::MAX);
    Some((if negative { -number } else { number }, rest))
}

pub(super) fn parse_int<'a>(value: Option<&'a str>, min: i64, max: i64, what: &str) -> Result<Parsed<'a>, Unfit> {
    let Some(text) = value else {
        // An option whose value may be left out on the command line: uWSGI reads 1.
        return Ok(Parsed::new("", 1.clamp(min, max)));
    };
    let expected = if max >= i64::from(i32::MAX) {
        format!("{what} from {min} on")
    } else {
        format!("{what} from {min} to {max}")
    };
    let Some((number, rest)) = leading_number(text) else {
        return as_zero(text, min <= 0 && max >= 0, expected);
    };
    if number < min || number > max {
        return Err(Unfit::new(expected));
    }
    let remark = (!rest.trim().is_empty()).then(|| format!("read as {number}; `{}` is ignored", rest.trim()));
    Ok(Parsed { remark, ..Parsed::new(text, number) })
}

/// What is no number is 0 to uWSGI, whose configurations are full of `harakiri =` and `post-buffering = true`.
fn as_zero(text: &str, fits: bool, expected: String) -> Result<Parsed<'_>, Unfit> {
    let hint = number_hint(text);
    if !fits {
        return Err(Unfit { expected, hint });
    }
    let what = if text.is_empty() { "nothing".to_owned() } else { format!("`{text}`") };
    let why = hint.filter(|_| !text.is_empty()).map_or(String::new(), |hint| format!(" ({hint})"));
    let remark = Some(format!("{what} is read as 0, as uWSGI reads it{why}; expected {expected}"));
    Ok(Parsed { remark, ..Parsed::new(text, 0) })
}

fn number_hint(text: &str) -> Option<String> {
    if text.is_empty() {
        Some("the value is missing".to_owned())
    } else if text.contains("$(") {
        Some("the environment variable is not set".to_owned())
    } else if text.contains("%(") {
        Some("no key of this name defines the placeholder".to_owned())
    } else {
        None
    }
}

/// Times end at 68 years, so that no clock can overflow by adding one.
pub(super) fn parse_time<'a>(value: Option<&'a str>, unit: i64, what: &str) -> Result<Parsed<'a>, Unfit> {
    let mut parsed = parse_int(value, 0, i64::from(i32::MAX) * 1000 / unit, what)?;
    parsed.number *= unit;
    Ok(parsed)
}

pub(super) fn parse_scaled<'a>(value: Option<&'a str>, unit: i64, what: &str) -> Result<Parsed<'a>, Unfit> {
    let mut parsed = parse_int(value, 0, i64::MAX / unit, what)?;
    if let (Some(remark), Some(text)) = (&mut parsed.remark, value)
        && text.trim().ends_with(['k', 'K', 'm', 'M', 'g', 'G'])
    {
        remark.push_str("; there are no unit suffixes");
    }
    parsed.number *= unit;
    Ok(parsed)
}

/// Three octal digits, a leading zero allowed; `1` and no value at all are 666.
pub(super) fn parse_mode(value: Option<&str>) -> Result<Parsed<'_>, Unfit> {
    let text = value.unwrap_or("");
    if value.is_none() || text == "1" {
        return Ok(Parsed::new(text, 0o666));
    }
    let digits = if text.len() == 4 { text.strip_prefix('0').unwrap_or(text) } else { text };
    match i64::from_str_radix(digits, 8) {
        Ok(mode) if digits.len() == 3 && !digits.starts_with(['+', '-']) => Ok(Parsed::new(text, mode)),
        _ => Err(Unfit::new("three octal digits, for example 660")),
    }
}

pub(super) fn parse_octal(text: &str) -> Result<Parsed<'_>, Unfit> {
    match i64::from_str_radix(text, 8) {
        Ok(mask) if (0..=0o777).contains(&mask) => Ok(Parsed::new(text, mask)),
        _ => Err(Unfit::new("octal digits up to 777, for example 022")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::kind::Kind;
    use super::*;

    fn parse(kind: Kind, text: &str) -> Result<Parsed<'_>, Unfit> {
        kind.parse(Some(text))
    }

    fn number(kind: Kind, text: &str) -> Option<i64> {
        parse(kind, text).ok().map(|parsed| parsed.number)
    }

    #[test]
    fn numbers_keep_their_prefix_and_need_a_digit() {
        // The inputs of uWSGI's manual, "uWSGI Options".
        let int = Kind::Int { min: 0, max: 10_000 };
        for (text, expected) in [
            ("4 ; four", Some(4)),
            ("4.9", Some(4)),
            ("1k", Some(1)),
            ("1,000", Some(1)),
            ("0x10", Some(0)),
            ("08", Some(8)),
            (" 7", Some(7)),
            ("auto", Some(0)),
            ("", Some(0)),
            ("-1", None),
            ("10001", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(number(int, text), expected, "{text:?}");
        }
        for text in ["true", "", "$(WORKERS)"] {
            let remark = parse(int, text).map(|parsed| parsed.remark);
            assert!(remark.is_ok_and(|text| text.is_some_and(|text| text.contains("read as 0"))), "{text:?}");
            assert_eq!(number(Kind::Int { min: 1, max: 9 }, text), None, "0 is out of bounds");
        }
        assert!(parse(int, "4 ; four").is_ok_and(|parsed| parsed.remark.is_some()));
        assert_eq!(int.parse(None).map(|parsed| parsed.number), Ok(1));
        assert_eq!(number(Kind::Int { min: -20, max: 19 }, "-5"), Some(-5));
    }

    #[test]
    fn sizes_and_times_come_in_one_unit() {
        assert_eq!(number(Kind::Megabytes, "2"), Some(2 << 20));
        assert_eq!(number(Kind::Kilobytes, "2"), Some(2 << 10));
        assert_eq!(number(Kind::Bytes, "32k"), Some(32));
        assert!(parse(Kind::Bytes, "32k").is_ok_and(|v| v.remark.is_some_and(|text| text.contains("unit suffixes"))));
        assert_eq!(parse(Kind::Seconds, "3").map(|v| v.duration()), Ok(Duration::from_secs(3)));
        assert_eq!(parse(Kind::Milliseconds, "3").map(|v| v.duration()), Ok(Duration::from_millis(3)));
        assert_eq!(number(Kind::Megabytes, "9223372036854775807"), None, "too large to be bytes");
    }

    #[test]
    fn switches_are_off_for_four_words_only() {
        for off in ["false", "FALSE", "off", "no", "0"] {
            assert_eq!(number(Kind::Flag, off), Some(0), "{off}");
        }
        for (on, unusual) in [("", false), ("true", false), ("1", false), ("false ; note", true), ("none", true)] {
            let parsed = parse(Kind::Flag, on);
            assert_eq!(parsed.as_ref().map(Parsed::on), Ok(true), "{on}");
            assert_eq!(parsed.is_ok_and(|parsed| parsed.remark.is_some()), unusual, "{on}");
        }
    }

    #[test]
    fn modes_are_three_octal_digits() {
        for (text, expected) in [
            ("660", Some(0o660)),
            ("0660", Some(0o660)),
            ("1", Some(0o666)),
            ("", None),
            ("true", None),
            ("1777", None),
            ("66", None),
            ("+66", None),
            ("680", None),
            ("660 # x", None),
        ] {
            assert_eq!(number(Kind::Mode, text), expected, "{text:?}");
        }
        assert_eq!(Kind::Mode.parse(None).map(|parsed| parsed.number), Ok(0o666));
        assert_eq!(number(Kind::Octal, "022"), Some(0o022));
        assert_eq!(number(Kind::Octal, "9"), None);
    }
}
