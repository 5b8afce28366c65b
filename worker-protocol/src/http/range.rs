//! Which bytes of a file a `Range` asks for (RFC 9110 section 14). Pure.
//!
//! ```
//! use worker_protocol::http::range::{Wanted, wanted};
//!
//! assert_eq!(wanted(b"bytes=0-9", 100), Wanted::Parts(vec![0..10]));
//! assert_eq!(wanted(b"bytes=-10", 100), Wanted::Parts(vec![90..100]));
//! assert_eq!(wanted(b"bytes=100-", 100), Wanted::Nothing);
//! assert_eq!(wanted(b"lines=1-2", 100), Wanted::Whole);
//! ```

use std::ops::Range;

/// Most parts of one answer: who asks for more gets the whole.
pub const PARTS_MAX: usize = 16;

/// What a `Range` comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The whole: there is no range that could be understood, it is all there is, or it asks for more than there is.
    Whole,
    /// These parts, in the order in which they were asked for. Never empty, each within the file.
    Parts(Vec<Range<u64>>),
    /// Nothing that is there: 416.
    Nothing,
}

/// Reads a `Range` header for a file of `length` bytes.
pub fn wanted(header: &[u8], length: u64) -> Wanted {
    let Some(specs) = bytes_specs(header) else { return Wanted::Whole };
    let specs = specs.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|spec| !spec.is_empty());
    let parts: Option<Vec<_>> = specs.map(|spec| read(spec, length)).collect();
    let Some(mut parts) = parts.filter(|parts| !parts.is_empty()) else { return Wanted::Whole };
    parts.retain(|part| !part.is_empty());
    let total = parts.iter().try_fold(0_u64, |sum, part| sum.checked_add(part.end - part.start));
    match total {
        Some(0) => Wanted::Nothing,
        // All of it, or overlapping parts that come to more work than all of it.
        Some(total) if total < length && parts.len() <= PARTS_MAX => Wanted::Parts(parts),
        _ => Wanted::Whole,
    }
}

fn bytes_specs(header: &[u8]) -> Option<&[u8]> {
    let equals = header.iter().position(|byte| *byte == b'=')?;
    let (unit, specs) = (header[..equals].trim_ascii(), &header[equals + 1..]);
    (unit.eq_ignore_ascii_case(b"bytes") && !specs.trim_ascii().is_empty()).then_some(specs)
}

/// One range; empty if there is nothing of it. `None`: it is none.
fn read(spec: &[u8], length: u64) -> Option<Range<u64>> {
    let dash = spec.iter().position(|byte| *byte == b'-')?;
    let (first, last) = (&spec[..dash], &spec[dash + 1..]);
    match (first.is_empty(), last.is_empty()) {
        (true, true) => None,
        (true, false) => Some(length.saturating_sub(number(last)?)..length),
        (false, true) => Some(number(first)?.min(length)..length),
        (false, false) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then(|| first.min(length)..last.saturating_add(1).min(length))
        }
    }
}

/// A decimal number; one that is too large for a file is larger than every file.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(crate::decimal::parse(digits).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::mutation::{mutate_with, try_mutants};
    use testkit::seeds::Seeds;

    /// What is sent lies within the file, is not empty, and is less than the whole.
    fn exercise(header: &[u8]) {
        for length in [0, 1, 23, u64::MAX - 1, u64::MAX] {
            let Wanted::Parts(parts) = wanted(header, length) else { continue };
            assert!((1..=PARTS_MAX).contains(&parts.len()), "{} parts", parts.len());
            assert!(parts.iter().all(|part| part.start < part.end && part.end <= length), "{parts:?} of {length}");
            let sum: u128 = parts.iter().map(|part| u128::from(part.end - part.start)).sum();
            assert!(sum < u128::from(length), "{parts:?} are more than {length}");
        }
    }

    #[test]
    fn parts_of_mutants_lie_within_the_file_and_are_less_than_the_whole() {
        const PIECES: [&str; 13] = [
            "bytes",
            "=",
            "-",
            ",",
            " ",
            "0",
            "9",
            "22",
            "18446744073709551615",
            "18446744073709551614",
            "1-1,",
            "-5",
            "\t",
        ];
        let originals = ["bytes=0-4", "bytes=-4", "bytes=5-", "bytes=0-0,-1, 7-9"].map(|text| text.as_bytes().to_vec());
        let seeds = Seeds::of_this_run(10);
        let parts = seeds.try_all(|parts: &mut u32, seed| {
            let mutate = |random: &mut fastrand::Rng, header: &mut Vec<u8>| mutate_with(random, header, &PIECES);
            try_mutants(seed, &originals, mutate, exercise, |header| {
                *parts += u32::from(matches!(wanted(header, 23), Wanted::Parts(_)));
            })
        });
        assert!(!seeds.are_usual() || parts.iter().sum::<u32>() > 200, "{parts:?}: they are all too far off");
    }

    #[test]
    fn ranges_are_read_as_the_standard_has_them() {
        let parts = |all: &[(u64, u64)]| Wanted::Parts(all.iter().map(|(start, end)| *start..*end).collect());
        for (header, expected) in [
            ("bytes=0-4", parts(&[(0, 5)])),
            ("Bytes = 5-", parts(&[(5, 23)])),
            ("bytes=-4", parts(&[(19, 23)])),
            ("bytes=22-1000", parts(&[(22, 23)])),
            ("bytes=0-0,-1", parts(&[(0, 1), (22, 23)])),
            ("bytes=5-6, 99-,1-2", parts(&[(5, 7), (1, 3)])),
            ("bytes=0-99999999999999999999,", Wanted::Whole),
            ("bytes=0-22", Wanted::Whole),
            ("bytes=-1000", Wanted::Whole),
            ("bytes=0-20,1-20", Wanted::Whole),
            ("bytes=23-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=99999999999999999999-", Wanted::Nothing),
            // What cannot be understood is as if it were not there.
            ("bytes=4-2", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=1-2,x", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("bytes=,", Wanted::Whole),
            ("lines=1-2", Wanted::Whole),
            ("bytes 1-2", Wanted::Whole),
            ("", Wanted::Whole),
        ] {
            assert_eq!(wanted(header.as_bytes(), 23), expected, "{header}");
        }
        assert_eq!(wanted(b"bytes=0-", 0), Wanted::Nothing);
        let many = |count: u64| (0..count).map(|at| format!("{at}-{at}")).collect::<Vec<_>>().join(",");
        assert!(matches!(wanted(format!("bytes={}", many(16)).as_bytes(), 23), Wanted::Parts(_)));
        assert_eq!(wanted(format!("bytes={}", many(17)).as_bytes(), 23), Wanted::Whole);
    }
}
