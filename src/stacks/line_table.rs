//! Which line of a source an instruction is of: the three forms that tables of lines have had in CPython (`Objects/lnotab_notes.txt`
//! and `Objects/locations.md` of its source). Whatever is no such table ends the search. Pure; the operator's process.

/// A form of table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineTable {
    /// 3.9: pairs of so many bytes more, so many lines more.
    Increments,
    /// 3.10: the same, of ranges, some of which have no line.
    Ranges,
    /// From 3.11 on: entries with columns.
    Locations,
}

impl LineTable {
    /// The line of the instruction so many bytes behind the first one.
    pub(super) fn line(self, table: &[u8], first_line: i32, instruction: i64) -> Option<u32> {
        // A call that has not begun yet.
        if instruction < 0 {
            return u32::try_from(first_line).ok();
        }
        let line = match self {
            Self::Increments => in_increments(table, first_line.into(), instruction),
            Self::Ranges => in_ranges(table, first_line.into(), instruction),
            Self::Locations => in_locations(table, first_line.into(), instruction),
        };
        line.and_then(|line| u32::try_from(line).ok())
    }
}

/// A number of lines with its sign.
fn signed(byte: u8) -> i64 {
    byte.cast_signed().into()
}

fn in_increments(table: &[u8], first_line: i64, instruction: i64) -> Option<i64> {
    let (mut line, mut end) = (first_line, 0);
    for pair in table.chunks_exact(2) {
        end += i64::from(pair[0]);
        if end > instruction {
            break;
        }
        line += signed(pair[1]);
    }
    Some(line)
}

fn in_ranges(table: &[u8], first_line: i64, instruction: i64) -> Option<i64> {
    const NO_LINE: i64 = -128;
    let (mut line, mut end) = (first_line, 0);
    for pair in table.chunks_exact(2) {
        let by = signed(pair[1]);
        end += i64::from(pair[0]);
        if by != NO_LINE {
            line += by;
        }
        if instruction < end {
            return (by != NO_LINE).then_some(line);
        }
    }
    None
}

fn in_locations(table: &[u8], first_line: i64, instruction: i64) -> Option<i64> {
    const UNIT_BYTES: i64 = 2;
    let (mut line, mut end) = (first_line, 0);
    let mut bytes = table.iter().copied();
    while let Some(head) = bytes.next() {
        // The first byte of an entry, and no other one, has the highest bit.
        (head & 0x80 != 0).then_some(())?;
        end += (i64::from(head & 7) + 1) * UNIT_BYTES;
        let kind = (head >> 3) & 15;
        match kind {
            // Columns only.
            0..=9 => drop(bytes.next()?),
            10..=12 => {
                line += i64::from(kind) - 10;
                bytes.nth(1)?;
            }
            13 => line += number_with_sign(&mut bytes)?,
            14 => {
                line += number_with_sign(&mut bytes)?;
                for _ in 0..3 {
                    number(&mut bytes)?;
                }
            }
            _ => {}
        }
        if instruction < end {
            return (kind != 15).then_some(line);
        }
    }
    None
}

/// Six bits a byte, the lowest first.
fn number(bytes: &mut impl Iterator<Item = u8>) -> Option<i64> {
    const BITS_MAX: u32 = 36;
    let mut value = 0;
    for shift in (0..BITS_MAX).step_by(6) {
        let byte = bytes.next()?;
        value |= i64::from(byte & 0x3f) << shift;
        if byte & 0x40 == 0 {
            return Some(value);
        }
    }
    None
}

fn number_with_sign(bytes: &mut impl Iterator<Item = u8>) -> Option<i64> {
    let value = number(bytes)?;
    Some(if value & 1 == 1 { -(value >> 1) } else { value >> 1 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::seeds::Seeds;

    #[test]
    fn each_form_names_the_line_of_an_instruction() {
        let lines = |form: LineTable, table: &[u8], instructions: &[i64]| {
            instructions.iter().map(|at| form.line(table, 10, *at)).collect::<Vec<_>>()
        };
        let increments = [0, 1, 6, 2, 4, 0xff];
        assert_eq!(
            lines(LineTable::Increments, &increments, &[-1, 0, 5, 6, 9, 10]),
            [Some(10), Some(11), Some(11), Some(13), Some(13), Some(12)]
        );
        let ranges = [4, 1, 2, 0x80, 4, 0xff];
        assert_eq!(lines(LineTable::Ranges, &ranges, &[-1, 0, 4, 6, 10]), [Some(10), Some(11), None, Some(10), None]);
        // Two units one line on, one without a line, one by a number of lines, one with everything, one of the same line.
        let locations = [0xd9, 0, 0, 0xf8, 0xe8, 0x03, 0xf0, 0x44, 0x01, 0, 1, 2, 0x80, 0x35];
        assert_eq!(
            lines(LineTable::Locations, &locations, &[-2, 0, 3, 4, 6, 8, 10, 12]),
            [Some(10), Some(11), Some(11), None, Some(10), Some(44), Some(44), None]
        );
    }

    #[test]
    fn mutants_of_tables_are_answered_with_a_line_or_none() {
        Seeds::of_this_run(2_000).try_in_turn(|seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            let table: Vec<u8> = (0..random.usize(..64)).map(|_| random.u8(..)).collect();
            for form in [LineTable::Increments, LineTable::Ranges, LineTable::Locations] {
                form.line(&table, random.i32(..), random.i64(..200));
            }
        });
    }
}
