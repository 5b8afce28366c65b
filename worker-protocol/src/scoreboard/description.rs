//! What a request under way is about, as bytes in shared words: written by the thread that has it, read by the master at any
//! moment.
//!
//! The first word is the header: in its upper half a number that is odd while the bytes change, in the lower half their
//! length. Who reads the header before and after the bytes, and finds the same even number, has bytes that belong
//! together. Pure; a worker's threads and the master.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::layout::DESCRIPTION_WORDS;

const WORD_BYTES: usize = 8;
const NUMBER_SHIFT: u32 = 32;
const LENGTH_MASK: u64 = (1 << NUMBER_SHIFT) - 1;

/// Most bytes of a description; the rest is left out.
pub const DESCRIPTION_BYTES_MAX: usize = (DESCRIPTION_WORDS - 1) * WORD_BYTES;

/// Writes the bytes of all pieces, as far as there is room.
pub(super) fn write<'p>(words: &[AtomicU64], pieces: impl IntoIterator<Item = &'p [u8]>) {
    let Some((header, room)) = words.split_first() else { return };
    let number = begin(header);
    let mut bytes = pieces.into_iter().flatten().copied();
    let mut length = 0;
    for word in room {
        let mut eight = [0; WORD_BYTES];
        let filled = eight.iter_mut().zip(&mut bytes).map(|(place, byte)| *place = byte).count();
        word.store(u64::from_le_bytes(eight), Ordering::Relaxed);
        length += filled;
        if filled < WORD_BYTES {
            break;
        }
    }
    header.store(number << NUMBER_SHIFT | length as u64, Ordering::Release);
}

/// There is no request any more.
pub(super) fn clear(words: &[AtomicU64]) {
    let Some(header) = words.first() else { return };
    let before = header.load(Ordering::Relaxed);
    if before & LENGTH_MASK != 0 {
        header.store(before & !LENGTH_MASK, Ordering::Release);
    }
}

/// The bytes; `None` if there are none, or if they were just changing.
pub(super) fn read(words: &[AtomicU64]) -> Option<Vec<u8>> {
    let (header, room) = words.split_first()?;
    let before = header.load(Ordering::Acquire);
    let length = (before & LENGTH_MASK) as usize;
    if (before >> NUMBER_SHIFT) & 1 == 1 || length == 0 || length > room.len() * WORD_BYTES {
        return None;
    }
    let taken = &room[..length.div_ceil(WORD_BYTES)];
    let mut bytes: Vec<u8> = taken.iter().flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()).collect();
    fence(Ordering::Acquire);
    bytes.truncate(length);
    (header.load(Ordering::Relaxed) == before).then_some(bytes)
}

/// Says that the bytes change from here on. The even number that is to say that they stand again.
fn begin(header: &AtomicU64) -> u64 {
    let number = header.load(Ordering::Relaxed) >> NUMBER_SHIFT & !1;
    header.store((number | 1) << NUMBER_SHIFT, Ordering::Relaxed);
    fence(Ordering::Release);
    (number + 2) & LENGTH_MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Vec<AtomicU64> {
        (0..DESCRIPTION_WORDS).map(|_| AtomicU64::new(0)).collect()
    }

    #[test]
    fn what_was_written_is_read_until_it_is_cleared() {
        let words = words();
        assert_eq!(read(&words), None);
        for text in [&b"GET"[..], b"12345678", b"123456789", &[7; DESCRIPTION_BYTES_MAX]] {
            write(&words, [&text[..1], &text[1..]]);
            assert_eq!(read(&words).as_deref(), Some(text));
        }
        clear(&words);
        assert_eq!(read(&words), None);
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let words = words();
        write(&words, [&[1; DESCRIPTION_BYTES_MAX + 9][..]]);
        assert_eq!(read(&words).map(|bytes| bytes.len()), Some(DESCRIPTION_BYTES_MAX));
    }

    #[test]
    fn a_header_that_nobody_of_ours_has_written_gives_nothing() {
        let words = words();
        for header in [u64::MAX, LENGTH_MASK, 1 << NUMBER_SHIFT | 8] {
            words[0].store(header, Ordering::Relaxed);
            assert_eq!(read(&words), None, "{header:#x}");
        }
    }

    #[test]
    fn no_reader_sees_half_of_one_and_half_of_another() {
        let words = words();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for round in 0..20_000_u32 {
                    let byte = u8::try_from(round % 251).expect("below 251") + 1;
                    write(&words, [&vec![byte; 8 + usize::from(byte)][..]]);
                }
            });
            while !writer.is_finished() {
                if let Some(bytes) = read(&words) {
                    assert!(bytes.iter().all(|byte| byte == &bytes[0]) && bytes.len() == 8 + usize::from(bytes[0]));
                }
            }
        });
    }
}
