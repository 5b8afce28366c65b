//! The order of names in which runs of digits count as numbers (strverscmp(3), but for leading zeros, which mean nothing).
//! Pure; used in spoolers.

use std::cmp::Ordering;

/// Compares two names: `2` comes before `10`, and digits before everything else.
pub fn by_version(one: &[u8], other: &[u8]) -> Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        let (Some((ours, rest)), Some((theirs, others))) = (first_part(one), first_part(other)) else {
            return one.len().cmp(&other.len());
        };
        let order = match (is_number(ours), is_number(theirs)) {
            (true, true) => compare_numbers(ours, theirs),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => ours.cmp(theirs),
        };
        if order.is_ne() {
            return order;
        }
        (one, other) = (rest, others);
    }
}

/// The digits or the other characters that a name begins with, and the rest.
fn first_part(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let is_digit = name.first()?.is_ascii_digit();
    let end = name.iter().position(|byte| byte.is_ascii_digit() != is_digit).unwrap_or(name.len());
    Some(name.split_at(end))
}

fn is_number(part: &[u8]) -> bool {
    part.first().is_some_and(u8::is_ascii_digit)
}

/// However long they are.
fn compare_numbers(one: &[u8], other: &[u8]) -> Ordering {
    let zeros = |digits: &[u8]| digits.iter().take_while(|digit| **digit == b'0').count();
    let [one, other] = [one, other].map(|digits| &digits[zeros(digits)..]);
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_digits_count_as_numbers_however_long_they_are() {
        let long = format!("a{}", "9".repeat(50));
        let longer = format!("a1{}", "0".repeat(50));
        let sorted = ["", "2", "10", "10a2", "10a10", "a", "a1", "a002b", "a2c", "a10", &long, &longer, "b"];
        for (place, name) in sorted.iter().enumerate() {
            for (other_place, other) in sorted.iter().enumerate() {
                assert_eq!(
                    by_version(name.as_bytes(), other.as_bytes()),
                    place.cmp(&other_place),
                    "{name:?} and {other:?}"
                );
            }
        }
        assert_eq!(by_version("é2".as_bytes(), "é10".as_bytes()), Ordering::Less);
    }
}
