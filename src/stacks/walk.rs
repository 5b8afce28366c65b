//! From the runtime of an interpreter to its threads, and from each to the calls that it is in. The threads go on meanwhile: what
//! two walks in a row agree on was so. Pure; the operator's process.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::code::Known;
use super::layout::{FrameLayout, Instruction, Layout, OWNED_BY_C, Unreadable};
use super::memory::{Memory, block, number_in, word, word_in};
use super::signpost::Signpost;

/// Most that are followed, so that each walk ends: of interpreters, of threads, of calls.
const INTERPRETERS_MAX: usize = 64;
const THREADS_MAX: usize = 1_024;
const CALLS_MAX: usize = 1_000;

/// A thread that the interpreter knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// The kernel's number of it, where the interpreter keeps that.
    pub kernel: Option<i32>,
    /// What `threading.get_ident()` returns in it.
    pub identifier: u64,
    /// The calls that it is in, the innermost first.
    pub frames: Vec<Frame>,
    /// Whether it is in more calls than were followed.
    pub is_deeper: bool,
    /// Whether it went on so fast that no two walks agreed: its innermost calls may be of different moments.
    pub is_blurred: bool,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The function's name, with that of its class from Python 3.11 on.
    pub function: Rc<str>,
    /// The file that it is in.
    pub file: Rc<str>,
    /// The line that it has come to.
    pub line: Option<u32>,
}

/// Reads the stacks of one process, as often as one likes.
#[derive(Debug)]
pub struct Reader {
    signpost: Signpost,
    layout: Layout,
    known: Known,
}

/// A call as it stands in memory.
#[derive(Debug, Clone, Copy)]
struct Call {
    frame: u64,
    code: u64,
    /// An address, or a number of bytes.
    instruction: i64,
}

/// The calls of a thread, the innermost first, and whether there are more.
type Chain = (Vec<Call>, bool);

impl Reader {
    /// Of the process whose signpost this is.
    ///
    /// # Errors
    /// When its interpreter is of a version that is not known, or is not there.
    pub fn of(signpost: Signpost, memory: &dyn Memory) -> Result<Self, Unreadable> {
        Ok(Self { signpost, layout: Layout::of(&signpost, memory)?, known: Known::default() })
    }

    /// All threads as they are now; `attempts` walks are made until two in a row agree.
    pub fn threads(&mut self, memory: &dyn Memory, attempts: u32) -> Vec<Thread> {
        let places = &self.layout.thread;
        let length = [places.next, places.identifier, places.frame].into_iter().max().unwrap_or(0);
        let length = length.max(places.kernel.unwrap_or(0)) + 8;
        let mut threads = Vec::new();
        for address in self.thread_addresses(memory) {
            let Some(state) = block(memory, address, length) else { continue };
            let (Some(identifier), kernel) = (word_in(&state, self.layout.thread.identifier), self.kernel(&state))
            else {
                continue;
            };
            let ((calls, is_deeper), is_blurred) = self.settled(memory, address, attempts);
            let frames = calls.iter().filter_map(|call| self.frame(memory, call)).collect();
            threads.push(Thread { kernel, identifier, frames, is_deeper, is_blurred });
        }
        threads
    }

    fn kernel(&self, state: &[u8]) -> Option<i32> {
        number_in(state, self.layout.thread.kernel?).filter(|number| *number > 0)
    }

    /// Where the states of threads are, of all interpreters; one that comes again ends a list.
    fn thread_addresses(&self, memory: &dyn Memory) -> BTreeSet<u64> {
        let layout = &self.layout;
        let mut addresses = BTreeSet::new();
        let mut interpreter = word(memory, self.signpost.runtime, layout.interpreters);
        for _ in 0..INTERPRETERS_MAX {
            let Some(place) = interpreter.filter(|place| *place != 0) else { break };
            let mut thread = word(memory, place, layout.threads);
            while let Some(address) = thread.filter(|address| *address != 0)
                && addresses.len() < THREADS_MAX
                && addresses.insert(address)
            {
                thread = word(memory, address, layout.thread.next);
            }
            interpreter = word(memory, place, layout.next_interpreter);
        }
        addresses
    }

    /// The calls of a thread, and whether they are not those of one moment.
    fn settled(&self, memory: &dyn Memory, thread: u64, attempts: u32) -> (Chain, bool) {
        let mut last = self.chain(memory, thread);
        for _ in 0..attempts {
            let now = self.chain(memory, thread);
            let same = |(one, other): (&Call, &Call)| (one.frame, one.code) == (other.frame, other.code);
            let agree = now.0.len() == last.0.len() && now.0.iter().zip(&last.0).all(same);
            last = now;
            if agree {
                return (last, false);
            }
        }
        (last, true)
    }

    fn chain(&self, memory: &dyn Memory, thread: u64) -> Chain {
        let places = &self.layout.thread;
        let first = word(memory, thread, places.frame);
        let mut next = match places.by_way_of {
            Some(place) => first.and_then(|address| word(memory, address, place)),
            None => first,
        };
        let frame = &self.layout.frame;
        let length = frame.bytes();
        let mut calls = Vec::new();
        for _ in 0..CALLS_MAX {
            let Some(address) = next.filter(|address| *address != 0) else { return (calls, false) };
            let Some(found) = block(memory, address, length) else { return (calls, false) };
            if frame.owner.is_none_or(|place| found.get(place) != Some(&OWNED_BY_C)) {
                calls.extend(frame.call(address, &found));
            }
            next = word_in(&found, frame.previous);
        }
        (calls, true)
    }

    /// A call by name; `None` for what is none.
    fn frame(&mut self, memory: &dyn Memory, call: &Call) -> Option<Frame> {
        let code = self.known.code(memory, &self.layout, self.signpost.code_type, call.code)?;
        let instruction = match self.layout.frame.instruction {
            Instruction::Counted { .. } => call.instruction,
            Instruction::Pointed { .. } => {
                let first = call.code.checked_add(self.layout.code.instructions as u64)?;
                call.instruction.checked_sub(i64::try_from(first).ok()?)?
            }
        };
        let line = code.line(&self.layout.code, instruction);
        Some(Frame { function: code.function.clone(), file: code.file.clone(), line })
    }
}

impl FrameLayout {
    /// How much of a frame is read.
    fn bytes(&self) -> usize {
        let (Instruction::Counted { at, .. } | Instruction::Pointed { at }) = self.instruction;
        [self.previous, self.code, at, self.owner.unwrap_or(0)].into_iter().max().unwrap_or(0) + 8
    }

    fn call(&self, frame: u64, found: &[u8]) -> Option<Call> {
        let instruction = match self.instruction {
            Instruction::Counted { at, unit } => i64::from(number_in(found, at)?) * unit,
            Instruction::Pointed { at } => i64::try_from(word_in(found, at)?).ok()?,
        };
        Some(Call { frame, code: word_in(found, self.code)?, instruction })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use testkit::seeds::Seeds;

    use super::*;

    /// A memory of one piece.
    struct Piece {
        start: u64,
        bytes: Vec<u8>,
    }

    impl Memory for Piece {
        fn read(&self, address: u64, bytes: &mut [u8]) -> bool {
            let at = address.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
            let found = at.and_then(|at| self.bytes.get(at..at.checked_add(bytes.len())?));
            found.map(|found| bytes.copy_from_slice(found)).is_some()
        }
    }

    const START: u64 = 0x10_000;
    const CODE_TYPE: u64 = 0xc0de;

    fn signpost(version: u64) -> Signpost {
        Signpost { runtime: START, code_type: CODE_TYPE, version }
    }

    /// An interpreter of 3.11 with a thread in two calls: `inner` in line 12 by way of `outer` in line 7.
    fn interpreter() -> Piece {
        let mut piece = Piece { start: START, bytes: vec![0; 0x2000] };
        let words: BTreeMap<u64, u64> = [
            (40, START + 0x100),
            (0x100 + 16, START + 0x200),
            (0x200 + 152, 77),
            (0x200 + 160, 4_711),
            (0x200 + 56, START + 0x400),
            (0x400 + 8, START + 0x500),
            (0x500 + 32, START + 0x800),
            (0x500 + 48, START + 0x600),
            (0x500 + 56, START + 0x800 + 184 + 2),
            (0x600 + 32, START + 0xa00),
            (0x600 + 56, START + 0xa00 + 184),
        ]
        .into();
        for (place, word) in words {
            piece.put(place, word);
        }
        piece.put_code(0x800, 10, 0x1000, 0x1100, &[0x80, 0, 0xe0, 0, 0]);
        piece.put_code(0xa00, 7, 0x1200, 0x1100, &[0x80, 0]);
        piece.put_text(0x1000, "inner");
        piece.put_text(0x1100, "/srv/web.py");
        piece.put_text(0x1200, "outer");
        piece
    }

    impl Piece {
        fn put(&mut self, place: u64, word: u64) {
            let place = place as usize;
            self.bytes[place..place + 8].copy_from_slice(&word.to_ne_bytes());
        }

        fn put_code(&mut self, place: u64, first_line: u64, function: u64, file: u64, table: &[u8]) {
            let lines = place + 0x1000;
            for (offset, word) in
                [(8, CODE_TYPE), (72, first_line), (112, START + file), (128, START + function), (136, START + lines)]
            {
                self.put(place + offset, word);
            }
            self.put(lines + 16, table.len() as u64);
            let start = (lines + 32) as usize;
            self.bytes[start..start + table.len()].copy_from_slice(table);
        }

        fn put_text(&mut self, place: u64, text: &str) {
            self.put(place + 16, text.len() as u64);
            self.put(place + 32, 1 << 2 | 1 << 5 | 1 << 6);
            let start = place as usize + 48;
            self.bytes[start..start + text.len()].copy_from_slice(text.as_bytes());
        }
    }

    #[test]
    fn threads_are_found_with_their_calls_and_lines() {
        let memory = interpreter();
        let mut reader = Reader::of(signpost(0x030b_02f0), &memory).unwrap();
        let [thread] = &reader.threads(&memory, 2)[..] else { panic!("one thread") };
        assert_eq!(
            (thread.kernel, thread.identifier, thread.is_blurred, thread.is_deeper),
            (Some(4_711), 77, false, false)
        );
        let calls: Vec<_> = thread.frames.iter().map(|frame| (&*frame.function, &*frame.file, frame.line)).collect();
        assert_eq!(calls, [("inner", "/srv/web.py", Some(12)), ("outer", "/srv/web.py", Some(7))]);
    }

    #[test]
    fn a_chain_that_leads_back_to_itself_ends() {
        let mut memory = interpreter();
        memory.put(0x600 + 48, START + 0x500);
        memory.put(0x200 + 8, START + 0x200);
        memory.put(0x100, START + 0x100);
        let mut reader = Reader::of(signpost(0x030b_02f0), &memory).unwrap();
        let threads = reader.threads(&memory, 1);
        assert_eq!(threads.len(), 1);
        assert!(threads[0].is_deeper && threads[0].frames.len() == CALLS_MAX);
    }

    #[test]
    fn an_interpreter_of_another_version_is_told_by_name() {
        let memory = interpreter();
        let refused = |version| Reader::of(signpost(version), &memory).unwrap_err().to_string();
        assert_eq!(refused(0x030e_00f0), "the stacks of CPython 3.14 are not known to this version of rhinod");
        assert_eq!(refused(0x030d_00f0), "the interpreter is not where the process says that it is");
    }

    #[test]
    fn mutants_of_a_memory_are_read_to_an_end() {
        let original = interpreter();
        Seeds::of_this_run(300).try_in_turn(|seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut memory = Piece { start: START, bytes: original.bytes.clone() };
            for _ in 0..random.usize(1..20) {
                let place = random.u64(..memory.bytes.len() as u64 / 8 - 1) * 8;
                let word = if random.bool() { START + random.u64(..0x2000) } else { random.u64(..) };
                memory.put(place, word);
            }
            for version in [0x0309_00f0, 0x030a_00f0, 0x030b_00f0, 0x030c_00f0, 0x030d_00f0] {
                if let Ok(mut reader) = Reader::of(signpost(version), &memory) {
                    assert!(reader.threads(&memory, 1).len() <= THREADS_MAX, "seed {seed}");
                }
            }
        });
    }
}
