//! The kernel's numbers of threads, for versions of CPython that do not keep them: the C library has each in the thread's own
//! structure, whose address is what Python calls the thread's identifier. Pure; the operator's process.

use std::collections::BTreeSet;

use super::memory::{Memory, block, number_in};
use super::walk::Thread;

/// How far into such a structure the number is looked for. (glibc has it at 720 on x86-64.)
const STRUCTURE_BYTES: usize = 1_024;

/// Fills in the numbers that are missing. `of_process` are those of all threads of the process: the place in the structure is the
/// first at which every thread has one of them, each its own, so that it is not guessed at.
pub fn fill_in(threads: &mut [Thread], of_process: &BTreeSet<i32>, memory: &dyn Memory) {
    if threads.iter().all(|thread| thread.kernel.is_some()) {
        return;
    }
    let structures: Option<Vec<_>> =
        threads.iter().map(|thread| block(memory, thread.identifier, STRUCTURE_BYTES)).collect();
    let Some(structures) = structures else { return };
    let numbers_at = |place: usize| -> Option<Vec<i32>> {
        let number = |structure: &Vec<u8>| number_in(structure, place).filter(|number| of_process.contains(number));
        let numbers: Vec<i32> = structures.iter().map(number).collect::<Option<_>>()?;
        (numbers.iter().collect::<BTreeSet<_>>().len() == numbers.len()).then_some(numbers)
    };
    if let Some(numbers) = (0..STRUCTURE_BYTES).step_by(4).find_map(numbers_at) {
        for (thread, number) in threads.iter_mut().zip(numbers) {
            thread.kernel = Some(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Structures of 1 KiB, one behind the other from 4,096 on.
    struct Structures(Vec<u8>);

    impl Memory for Structures {
        fn read(&self, address: u64, bytes: &mut [u8]) -> bool {
            let found = (address as usize).checked_sub(4_096).and_then(|at| self.0.get(at..at + bytes.len()));
            found.map(|found| bytes.copy_from_slice(found)).is_some()
        }
    }

    #[test]
    fn the_place_is_where_every_thread_has_a_number_of_its_own() {
        let mut bytes = vec![0; 2_048];
        let mut put = |place: usize, number: i32| bytes[place..place + 4].copy_from_slice(&number.to_ne_bytes());
        // A number of the process in one of them only, the same in both, and then the real place.
        put(8, 70);
        put(16, 70);
        put(1_024 + 16, 70);
        put(720, 70);
        put(1_024 + 720, 71);
        let memory = Structures(bytes);
        let thread =
            |identifier| Thread { kernel: None, identifier, frames: Vec::new(), is_deeper: false, is_blurred: false };
        let mut threads = [thread(4_096), thread(4_096 + 1_024)];
        fill_in(&mut threads, &BTreeSet::from([70, 71, 72]), &memory);
        assert_eq!(threads.map(|thread| thread.kernel), [Some(70), Some(71)]);
        let mut elsewhere = [thread(4_096), thread(1)];
        fill_in(&mut elsewhere, &BTreeSet::from([70, 71]), &memory);
        assert_eq!(elsewhere.map(|thread| thread.kernel), [None, None]);
    }
}
