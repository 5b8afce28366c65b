//! Whole numbers as decimal digits, read and written without a detour through text. Pure; used where requests are read
//! and where response heads are written.

/// The number that the digits spell: no sign, no blank. 0 for none at all; `None` for any other byte, and beyond 64 bits.
pub fn parse(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |number, &byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// The digits of a number, written at the end of `room`.
#[inline]
pub fn format(mut number: u64, room: &mut [u8; 20]) -> &[u8] {
    let mut start = room.len();
    loop {
        start -= 1;
        room[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &room[start..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_are_a_number() {
        assert_eq!(parse(b""), Some(0));
        assert_eq!(parse(b"007"), Some(7));
        for text in ["+1", "-1", " 1", "1 ", "1_0", "0x1", "\u{661}"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn the_largest_number_is_the_last() {
        for number in [0, 9, 10, u64::MAX] {
            assert_eq!(parse(format(number, &mut [0; 20])), Some(number));
            assert_eq!(format(number, &mut [0; 20]), number.to_string().as_bytes());
        }
        assert_eq!(parse(b"18446744073709551616"), None);
        assert_eq!(parse(b"99999999999999999999999"), None);
    }
}
