//! The code of a Python function, as far as a stack names it: function, file and lines. Pure; the operator's process.

use std::collections::HashMap;
use std::rc::Rc;

use super::layout::{CodeLayout, Layout};
use super::memory::{Memory, block, number_in, word_in};

/// Longest name that is read, in characters.
const TEXT_MAX: usize = 1_024;

/// Largest table of lines that is read. One of a function of ten thousand lines has some 100 kB.
const TABLE_BYTES_MAX: u64 = 1 << 20;

/// Most functions that are remembered.
const KNOWN_MAX: usize = 20_000;

/// Where objects have their type, and bytes their length and what they hold: the same in every version.
const TYPE: usize = 8;
const LENGTH: usize = 16;
const BYTES: usize = 32;

/// The state of a text: so many bits, which have been the same since 3.3 (`Include/cpython/unicodeobject.h`).
const STATE: usize = 32;

/// A function.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) function: Rc<str>,
    pub(super) file: Rc<str>,
    first_line: i32,
    table: Vec<u8>,
}

impl Code {
    /// The line of the instruction so many bytes behind the first one.
    pub(super) fn line(&self, layout: &CodeLayout, instruction: i64) -> Option<u32> {
        layout.table.line(&self.table, self.first_line, instruction)
    }
}

/// What of a code object tells it from one that is in its place later.
type Key = (u64, [Option<u64>; 3], Option<i32>);

/// Functions that have been read.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<Key, Rc<Code>>);

impl Known {
    /// The function whose code is at an address; `None` where there is none.
    pub(super) fn code(
        &mut self,
        memory: &dyn Memory,
        layout: &Layout,
        code_type: u64,
        address: u64,
    ) -> Option<Rc<Code>> {
        let places = &layout.code;
        let length = [places.file, places.function, places.lines].into_iter().max()?.max(places.first_line) + 8;
        let object = block(memory, address, length)?;
        (word_in(&object, TYPE)? == code_type).then_some(())?;
        let parts = [places.function, places.file, places.lines].map(|place| word_in(&object, place));
        let key = (address, parts, number_in(&object, places.first_line));
        if let Some(code) = self.0.get(&key) {
            return Some(code.clone());
        }
        let [function, file, table] = parts;
        let code = Rc::new(Code {
            function: text(memory, layout, function?)?.into(),
            file: text(memory, layout, file?)?.into(),
            first_line: number_in(&object, places.first_line)?,
            table: bytes(memory, table?)?,
        });
        if self.0.len() >= KNOWN_MAX {
            self.0.clear();
        }
        self.0.insert(key, code.clone());
        Some(code)
    }
}

/// What a bytes object holds.
fn bytes(memory: &dyn Memory, address: u64) -> Option<Vec<u8>> {
    let head = block(memory, address, BYTES)?;
    let length = word_in(&head, LENGTH).filter(|length| *length <= TABLE_BYTES_MAX)?;
    match length {
        0 => Some(Vec::new()),
        length => block(memory, address.checked_add(BYTES as u64)?, length as usize),
    }
}

/// A text of the compact kind, as names in code are; its beginning, if it is long.
fn text(memory: &dyn Memory, layout: &Layout, address: u64) -> Option<String> {
    let head = block(memory, address, STATE + 4)?;
    let length = usize::try_from(word_in(&head, LENGTH)?).ok()?.min(TEXT_MAX);
    let state = number_in(&head, STATE)?;
    let (bytes_each, is_compact, is_ascii) = (state >> 2 & 7, state >> 5 & 1 == 1, state >> 6 & 1 == 1);
    let (bytes_each, _) = (usize::try_from(bytes_each).ok()?, is_compact.then_some(())?);
    if length == 0 {
        return Some(String::new());
    }
    let start = address.checked_add(if is_ascii { layout.ascii } else { layout.compact } as u64)?;
    let characters = block(memory, start, length * bytes_each)?;
    let of_code = |code: u32| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    match bytes_each {
        1 => Some(characters.into_iter().map(char::from).collect()),
        2 => Some(characters.chunks_exact(2).map(|two| of_code(u16::from_ne_bytes([two[0], two[1]]).into())).collect()),
        4 => {
            let code = |four: &[u8]| u32::from_ne_bytes([four[0], four[1], four[2], four[3]]);
            Some(characters.chunks_exact(4).map(|four| of_code(code(four))).collect())
        }
        _ => None,
    }
}
