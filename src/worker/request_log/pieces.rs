//! A line put together of texts, numbers and bytes from outside, for each of which `write!` would take its time. Pure; worker
//! only.

use crate::escape::{Escape, push_escaped};

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Piece<'p> {
    Text(&'p str),
    Number(u64),
    /// What a client chose.
    Foreign(&'p [u8]),
}

pub(super) fn push_all(line: &mut String, pieces: &[Piece<'_>]) {
    for piece in pieces {
        match *piece {
            Piece::Text(text) => line.push_str(text),
            Piece::Number(number) => push_number(line, number),
            Piece::Foreign(bytes) => push_escaped(line, bytes, Escape::Bytes),
        }
    }
}

/// Appends a number in decimal digits.
pub(super) fn push_number(line: &mut String, number: u64) {
    /// Those of the largest one.
    const DIGITS: usize = 20;
    let (mut digits, mut first, mut rest) = ([b'0'; DIGITS], DIGITS, number);
    loop {
        first -= 1;
        digits[first] += (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    line.push_str(std::str::from_utf8(&digits[first..]).unwrap_or_default());
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
