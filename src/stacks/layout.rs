//! What stands where in the structures of each version of CPython: from its headers for 3.9 to 3.12 (of machines with pointers of 64
//! bits), and from what the interpreter itself says for 3.13 (`_Py_DebugOffsets`). A version that is not here is not guessed at.
//! Pure; the operator's process.

use super::line_table::LineTable;
use super::memory::{Memory, block, word_in};
use super::signpost::Signpost;

/// Why nothing can be read of an interpreter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Of another version.
    #[error("the stacks of CPython {0}.{1} are not known to this version of rhinod")]
    Version(u8, u8),
    /// What it says of itself is not what such an interpreter says.
    #[error("the interpreter is not where the process says that it is")]
    Elsewhere,
}

/// Offsets in bytes. That of a word which is no offset stands for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// In the runtime: the newest interpreter.
    pub(super) interpreters: usize,
    /// In an interpreter: the next one, and the newest thread.
    pub(super) next_interpreter: usize,
    pub(super) threads: usize,
    pub(super) thread: ThreadLayout,
    pub(super) frame: FrameLayout,
    pub(super) code: CodeLayout,
    /// How many bytes stand before the characters of a text in ASCII, and of another one.
    pub(super) ascii: usize,
    pub(super) compact: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ThreadLayout {
    pub(super) next: usize,
    /// What `threading` calls its identifier.
    pub(super) identifier: usize,
    /// The kernel's number of it; versions before 3.11 do not keep it.
    pub(super) kernel: Option<usize>,
    pub(super) frame: usize,
    /// Where that leads to something else first: the frame's place there.
    pub(super) by_way_of: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FrameLayout {
    pub(super) previous: usize,
    pub(super) code: usize,
    pub(super) instruction: Instruction,
    /// Whose it is, where there are frames of the interpreter's own.
    pub(super) owner: Option<usize>,
}

/// How a frame says where in its code it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instruction {
    /// By a number of units of so many bytes.
    Counted { at: usize, unit: i64 },
    /// By an address.
    Pointed { at: usize },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CodeLayout {
    pub(super) file: usize,
    pub(super) function: usize,
    pub(super) first_line: usize,
    pub(super) lines: usize,
    pub(super) table: LineTable,
    /// Where its instructions begin, for who has an address.
    pub(super) instructions: usize,
}

/// The owner of frames that are no calls of Python code (`FRAME_OWNED_BY_CSTACK`).
pub(super) const OWNED_BY_C: u8 = 3;

/// Most that an offset can be: interpreters are larger than anything else, and far smaller than this.
const OFFSET_MAX: u64 = 1 << 20;

/// The words of `_Py_DebugOffsets` of 3.13 that are read.
const DEBUG_WORDS: usize = 71;

impl Layout {
    /// Of the interpreter that a signpost leads to.
    pub(super) fn of(signpost: &Signpost, memory: &dyn Memory) -> Result<Self, Unreadable> {
        match signpost.python() {
            (3, 9) => Ok(of_3_9()),
            (3, 10) => Ok(of_3_10()),
            (3, 11) => Ok(of_3_11()),
            (3, 12) => Ok(of_3_12()),
            (3, 13) => {
                let told = block(memory, signpost.runtime, DEBUG_WORDS * 8).ok_or(Unreadable::Elsewhere)?;
                in_debug_offsets(&told, signpost).ok_or(Unreadable::Elsewhere)
            }
            (major, minor) => Err(Unreadable::Version(major, minor)),
        }
    }
}

fn of_3_9() -> Layout {
    Layout {
        interpreters: 32,
        next_interpreter: 0,
        threads: 8,
        thread: ThreadLayout { next: 8, identifier: 176, kernel: None, frame: 24, by_way_of: None },
        frame: FrameLayout {
            previous: 24,
            code: 32,
            instruction: Instruction::Counted { at: 104, unit: 1 },
            owner: None,
        },
        code: CodeLayout {
            file: 104,
            function: 112,
            first_line: 40,
            lines: 120,
            table: LineTable::Increments,
            instructions: 0,
        },
        ascii: 48,
        compact: 72,
    }
}

fn of_3_10() -> Layout {
    let before = of_3_9();
    Layout {
        frame: FrameLayout { instruction: Instruction::Counted { at: 96, unit: 2 }, ..before.frame },
        code: CodeLayout { table: LineTable::Ranges, ..before.code },
        ..before
    }
}

fn of_3_11() -> Layout {
    Layout {
        interpreters: 40,
        next_interpreter: 0,
        threads: 16,
        thread: ThreadLayout { next: 8, identifier: 152, kernel: Some(160), frame: 56, by_way_of: Some(8) },
        frame: FrameLayout { previous: 48, code: 32, instruction: Instruction::Pointed { at: 56 }, owner: None },
        code: CodeLayout {
            file: 112,
            function: 128,
            first_line: 72,
            lines: 136,
            table: LineTable::Locations,
            instructions: 184,
        },
        ascii: 48,
        compact: 72,
    }
}

fn of_3_12() -> Layout {
    Layout {
        interpreters: 40,
        next_interpreter: 0,
        threads: 72,
        thread: ThreadLayout { next: 8, identifier: 136, kernel: Some(144), frame: 56, by_way_of: Some(0) },
        frame: FrameLayout { previous: 8, code: 0, instruction: Instruction::Pointed { at: 56 }, owner: Some(70) },
        code: CodeLayout {
            file: 112,
            function: 128,
            first_line: 68,
            lines: 136,
            table: LineTable::Locations,
            instructions: 192,
        },
        ascii: 40,
        compact: 56,
    }
}

/// What an interpreter of 3.13 says of its own structures (`Include/internal/pycore_runtime.h`); it holds for every 3.13.
fn in_debug_offsets(told: &[u8], signpost: &Signpost) -> Option<Layout> {
    let is_of_this_version = word_in(told, 8)? >> 16 == signpost.version >> 16;
    let has_the_lock = word_in(told, 16)? == 0;
    (told.starts_with(b"xdebugpy") && is_of_this_version && has_the_lock).then_some(())?;
    let offset =
        |word: usize| Some(word_in(told, word * 8)?).filter(|offset| *offset < OFFSET_MAX).map(|at| at as usize);
    let ascii = offset(70)?;
    Some(Layout {
        interpreters: offset(5)?,
        next_interpreter: offset(8)?,
        threads: offset(9)?,
        thread: ThreadLayout {
            next: offset(21)?,
            identifier: offset(24)?,
            kernel: Some(offset(25)?),
            frame: offset(23)?,
            by_way_of: None,
        },
        frame: FrameLayout {
            previous: offset(29)?,
            code: offset(30)?,
            instruction: Instruction::Pointed { at: offset(31)? },
            owner: Some(offset(33)?),
        },
        code: CodeLayout {
            file: offset(35)?,
            function: offset(37)?,
            first_line: offset(39)?,
            lines: offset(38)?,
            table: LineTable::Locations,
            instructions: offset(43)?,
        },
        ascii,
        // Behind it the length and the address of the same text in UTF-8.
        compact: ascii + 16,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_interpreter_says_of_itself_is_taken_only_if_it_can_be() {
        let signpost = Signpost { runtime: 1, code_type: 2, version: 0x030d_00f0 };
        let mut told: Vec<u8> = (0..DEBUG_WORDS as u64).flat_map(u64::to_ne_bytes).collect();
        told[..8].copy_from_slice(b"xdebugpy");
        told[8..16].copy_from_slice(&0x030d_01f0_u64.to_ne_bytes());
        told[16..24].fill(0);
        let layout = in_debug_offsets(&told, &signpost).unwrap();
        assert_eq!((layout.interpreters, layout.thread.frame, layout.compact), (5, 23, 86));
        let with = |at: usize, word: u64| {
            let mut told = told.clone();
            told[at..at + 8].copy_from_slice(&word.to_ne_bytes());
            in_debug_offsets(&told, &signpost)
        };
        assert_eq!(with(0, 0), None, "another beginning");
        assert_eq!(with(8, 0x030e_00f0), None, "another version");
        assert_eq!(with(16, 1), None, "no lock");
        assert_eq!(with(23 * 8, u64::MAX), None, "an offset that is none");
        assert_eq!(in_debug_offsets(&told[..200], &signpost), None, "cut off");
    }
}
