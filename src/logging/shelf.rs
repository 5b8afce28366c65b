//! Lines that a worker is about to write, as bytes in shared words: put there by the worker, taken by the master if the worker
//! dies before it has written them. A page for each seat. Pure; worker and master.
//!
//! The first word is the header: how many bytes stand behind it, and whether they are just being written. Who dies then may
//! have written them or not. The worker writes what it has in its own memory; what stands here is for the master alone, which
//! believes nothing of it but that it is short.

use std::sync::atomic::{AtomicU64, Ordering};

const WORD_BYTES: usize = 8;
const UNDER_WAY: u64 = 1 << 63;

/// What the memory is called in which all pages are.
pub(crate) const MEMORY: &str = "lines";

/// Words of a seat: a page of memory.
pub(crate) const WORDS: usize = 512;

/// Most bytes that wait. Not more than a pipe takes at once, so that nobody's lines come between them (pipe(7), `PIPE_BUF`).
pub(crate) const BYTES_MAX: usize = (WORDS - 1) * WORD_BYTES;

/// The page of a seat.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shelf<'m> {
    header: &'m AtomicU64,
    room: &'m [AtomicU64],
}

/// What a worker has left.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// Lines, each with its end.
    pub(crate) lines: Vec<u8>,
    /// Whether it died while it wrote them: they may be where they belong.
    pub(crate) was_under_way: bool,
}

impl<'m> Shelf<'m> {
    /// That of a seat; `None` where there is none.
    pub(crate) fn of(words: &'m [AtomicU64], seat: u32) -> Option<Self> {
        let start = (seat as usize).checked_mul(WORDS)?;
        let (header, room) = words.get(start..start.checked_add(WORDS)?)?.split_first()?;
        Some(Self { header, room })
    }

    /// Worker: `lines` is all that waits, and `before` how much of it stood here already.
    pub(crate) fn put(&self, lines: &[u8], before: usize) {
        let first = before / WORD_BYTES;
        for (word, bytes) in self.room.iter().zip(lines.chunks(WORD_BYTES)).skip(first) {
            let mut eight = [0; WORD_BYTES];
            eight[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_le_bytes(eight), Ordering::Relaxed);
        }
        self.header.store(lines.len() as u64, Ordering::Release);
    }

    /// Worker: what stands here is being written from now on.
    pub(crate) fn begin(&self) {
        self.header.store(self.header.load(Ordering::Relaxed) | UNDER_WAY, Ordering::Release);
    }

    /// Nothing stands here any more.
    pub(crate) fn clear(&self) {
        self.header.store(0, Ordering::Release);
    }

    /// Master, when the worker is dead: takes what it has left, if anything. What ends in the middle of a line has an end.
    pub(crate) fn take(&self) -> Option<Left> {
        let header = self.header.swap(0, Ordering::Acquire);
        let length = usize::try_from(header & !UNDER_WAY).unwrap_or(usize::MAX).min(BYTES_MAX);
        let words = self.room.iter().take(length.div_ceil(WORD_BYTES));
        let mut lines: Vec<u8> = words.flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()).collect();
        lines.truncate(length);
        if lines.last()? != &b'\n' {
            lines.push(b'\n');
        }
        Some(Left { lines, was_under_way: header & UNDER_WAY != 0 })
    }
}

impl Left {
    /// What is still to be written, where this is the end of the log. A process that is killed while it writes may have written
    /// all, nothing, or a beginning, as the kernel goes from page to page.
    pub(crate) fn missing_in(&self, end: &[u8]) -> &[u8] {
        let lines = self.lines.as_slice();
        if !self.was_under_way {
            return lines;
        }
        let first = lines.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        let Some(found) = end.windows(first.len().max(1)).rposition(|window| window == first) else { return lines };
        let same = lines.iter().zip(&end[found..]).take_while(|(one, other)| one == other).count();
        let whole = lines[..same].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        &lines[whole..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Vec<AtomicU64> {
        std::iter::repeat_with(AtomicU64::default).take(2 * WORDS).collect()
    }

    #[test]
    fn what_was_put_is_taken_once_however_it_came() {
        let memory = memory();
        let shelf = Shelf::of(&memory, 1).unwrap();
        assert_eq!(shelf.take(), None);
        for length in [1, 7, 8, 9, 15, 16, 160, BYTES_MAX] {
            let all: Vec<u8> = (0..length).map(|at| b'a' + (at % 26) as u8).chain([b'\n']).skip(1).collect();
            for parts in [1, 3] {
                let mut before = 0;
                for end in (1..=parts).map(|part| length * part / parts) {
                    shelf.put(&all[..end], before);
                    before = end;
                }
                assert_eq!(shelf.take(), Some(Left { lines: all.clone(), was_under_way: false }), "{length}");
                assert_eq!(shelf.take(), None);
            }
        }
        assert!(memory[..WORDS].iter().all(|word| word.load(Ordering::Relaxed) == 0), "another seat's");
    }

    #[test]
    fn it_is_known_whether_it_was_just_being_written() {
        let memory = memory();
        let shelf = Shelf::of(&memory, 0).unwrap();
        shelf.put(b"one\n", 0);
        shelf.begin();
        assert_eq!(shelf.take(), Some(Left { lines: b"one\n".to_vec(), was_under_way: true }));
        shelf.put(b"two\n", 0);
        shelf.begin();
        shelf.clear();
        assert_eq!(shelf.take(), None);
    }

    #[test]
    fn what_was_written_before_the_end_is_not_written_again() {
        let lines = b"[pid: 1] one\n[pid: 1] two\n[pid: 1] three\n".to_vec();
        let missing = |was_under_way, end: &[u8]| {
            let left = Left { lines: lines.clone(), was_under_way };
            String::from_utf8(left.missing_in(end).to_vec()).unwrap()
        };
        let with = |written: usize, behind: &str| [b"x\n", &lines[..written], behind.as_bytes()].concat();
        let all = String::from_utf8(lines.clone()).unwrap();
        assert_eq!(missing(false, &with(lines.len(), "")), all, "it had not begun");
        for behind in ["", "[pid: 2] other\n"] {
            assert_eq!(missing(true, &with(lines.len(), behind)), "");
            assert_eq!(missing(true, &with(0, behind)), all);
            // In the middle of the first, the second and the third.
            assert_eq!(missing(true, &with(5, behind)), all);
            assert_eq!(missing(true, &with(18, behind)), "[pid: 1] two\n[pid: 1] three\n");
            assert_eq!(missing(true, &with(26, behind)), "[pid: 1] three\n");
            assert_eq!(missing(true, &with(lines.len() - 1, behind)), "[pid: 1] three\n");
        }
        assert_eq!(missing(true, b""), all, "the log cannot be read");
    }

    #[test]
    fn whatever_stands_there_is_short_and_ends_like_a_line() {
        let memory = memory();
        let shelf = Shelf::of(&memory, 0).unwrap();
        for header in [u64::MAX, UNDER_WAY, 1 << 62, BYTES_MAX as u64 + 1, 5] {
            memory[0].store(header, Ordering::Relaxed);
            let left = shelf.take();
            assert!(left.is_none_or(|left| left.lines.len() <= BYTES_MAX + 1 && left.lines.ends_with(b"\n")));
        }
        assert!(Shelf::of(&memory, 2).is_none() && Shelf::of(&memory, u32::MAX).is_none());
    }
}
