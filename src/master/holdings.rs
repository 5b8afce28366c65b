//! What workers and zygotes hold of the machine's memory, for whoever asks. Master only.
//!
//! Reading it is work for the kernel, and the process that is looked at may have to wait for it when it maps memory. So
//! nobody looks unless somebody asks, a reading counts for some seconds, and looking takes a small part of the time only: of
//! an instance with very many workers not all are read at the same moment.

use std::collections::BTreeMap;
use std::io;

use super::machine::ProcessId;
use crate::operator::words::Memory;
use crate::stats::{Holding, Report, WorkerStatus};
use crate::sys::memory::Held;

/// How long a reading counts.
const COUNTS_US: u64 = 5_000_000;

/// Most time that is spent when somebody asks. Who is left out has its turn with the next question.
const AT_ONCE_US: u64 = 20_000;

/// For how many times as long as it took nobody looks again.
const REST: u64 = 20;

/// What processes hold, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    readings: BTreeMap<ProcessId, Reading>,
    rests_until_us: u64,
}

#[derive(Debug)]
struct Reading {
    read_us: u64,
    /// `None`: it has ended; else why it cannot be read.
    found: Result<Option<Held>, String>,
}

impl Holdings {
    /// Forgets who is not among `processes` any more, and reads those of whom there is no reading that counts, as far as there
    /// is time.
    pub(super) fn refresh(
        &mut self,
        processes: &[ProcessId],
        read: impl Fn(ProcessId) -> io::Result<Option<Held>>,
        now_us: impl Fn() -> u64,
    ) {
        self.readings.retain(|pid, _| processes.contains(pid));
        let began_us = now_us();
        if began_us < self.rests_until_us {
            return;
        }
        let read_us = |pid: &ProcessId| self.readings.get(pid).map(|reading| reading.read_us);
        let counts = |at_us: Option<u64>| at_us.is_some_and(|at_us| at_us.saturating_add(COUNTS_US) > began_us);
        let mut due: Vec<(Option<u64>, ProcessId)> = processes.iter().map(|pid| (read_us(pid), *pid)).collect();
        due.retain(|(at_us, _)| !counts(*at_us));
        due.sort_unstable();
        let mut spent_us = 0;
        for (_, pid) in due {
            let found = read(pid).map_err(|error| error.to_string());
            let read_us = now_us();
            self.readings.insert(pid, Reading { read_us, found });
            spent_us = read_us.saturating_sub(began_us);
            if spent_us >= AT_ONCE_US {
                break;
            }
        }
        self.rests_until_us = began_us.saturating_add(spent_us.saturating_mul(REST));
    }

    /// What a process holds, if that is known.
    pub(super) fn of(&self, pid: i32) -> Option<Holding> {
        let found = self.readings.get(&ProcessId::new(pid)?)?.found.as_ref().ok()?;
        found.map(|Held { private_bytes, shared_bytes, proportional_bytes }| Holding {
            private_bytes,
            shared_bytes,
            proportional_bytes,
        })
    }

    /// Whose memory cannot be read, and why.
    pub(super) fn unread(&self) -> Vec<String> {
        let told =
            |(pid, reading): (&ProcessId, &Reading)| Some(format!("process {pid}: {}", reading.found.as_ref().err()?));
        self.readings.iter().filter_map(told).collect()
    }
}

/// What all of an instance hold together, for `rhinod status`.
pub(super) fn sum(report: &Report) -> Option<Memory> {
    let is_there = |status: WorkerStatus| status != WorkerStatus::Cheap;
    let workers = report.workers.iter().filter(|worker| is_there(worker.status)).filter_map(|worker| worker.holding);
    let zygotes = report.zygotes.iter().filter_map(|zygote| zygote.holding);
    let mut sum = Memory {
        unread: report.unread.first().cloned(),
        refork_saved_bytes: report.refork_saved_bytes,
        ..Memory::default()
    };
    for Holding { private_bytes, shared_bytes, proportional_bytes } in workers {
        sum.workers += 1;
        sum.private_bytes = sum.private_bytes.saturating_add(private_bytes);
        sum.shared_bytes = sum.shared_bytes.max(shared_bytes);
        sum.pss_bytes = sum.pss_bytes.saturating_add(proportional_bytes);
    }
    for holding in zygotes {
        sum.zygotes += 1;
        sum.pss_bytes = sum.pss_bytes.saturating_add(holding.proportional_bytes);
    }
    (sum.workers + sum.zygotes > 0 || sum.unread.is_some()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    fn pid(number: i32) -> ProcessId {
        ProcessId::new(number).expect("a number of a process")
    }

    /// A book, a clock, and who was read.
    #[derive(Default)]
    struct Bench {
        book: Holdings,
        clock: Cell<u64>,
        read: RefCell<Vec<i32>>,
    }

    impl Bench {
        /// Has these asked for, each of which takes so long to read.
        fn ask(&mut self, processes: &[i32], each_us: u64) -> Vec<i32> {
            let processes: Vec<ProcessId> = processes.iter().map(|number| pid(*number)).collect();
            let (clock, list) = (&self.clock, &self.read);
            let read = |one: ProcessId| {
                clock.set(clock.get() + each_us);
                list.borrow_mut().push(one.get());
                match one.get() {
                    13 => Err(io::ErrorKind::PermissionDenied.into()),
                    _ => Ok(Some(Held { private_bytes: 1, shared_bytes: 2, proportional_bytes: clock.get() })),
                }
            };
            self.book.refresh(&processes, read, || clock.get());
            self.read.take()
        }
    }

    #[test]
    fn a_reading_counts_for_a_while_and_who_is_gone_is_forgotten() {
        let mut bench = Bench::default();
        assert_eq!(bench.ask(&[7, 8], 1_000), [7, 8]);
        bench.clock.set(COUNTS_US);
        assert_eq!(bench.ask(&[8, 9], 1_000), [9]);
        assert!(bench.book.of(7).is_none() && bench.book.of(8).is_some());
        bench.clock.set(2 * COUNTS_US + 10_000);
        assert_eq!(bench.ask(&[8, 9], 1_000), [8, 9]);
    }

    #[test]
    fn looking_takes_a_small_part_of_the_time_and_everybody_has_a_turn() {
        let mut bench = Bench::default();
        let all: Vec<i32> = (100..200).collect();
        assert_eq!(bench.ask(&all, 5_000), [100, 101, 102, 103]);
        assert_eq!(bench.ask(&all, 5_000), Vec::<i32>::new(), "it rests");
        bench.clock.set(bench.clock.get() + REST * AT_ONCE_US);
        assert_eq!(bench.ask(&all, 5_000), [104, 105, 106, 107]);
    }

    #[test]
    fn one_that_cannot_be_read_is_named_with_the_reason() {
        let mut bench = Bench::default();
        bench.ask(&[12, 13], 10);
        assert!(bench.book.of(12).is_some() && bench.book.of(13).is_none());
        assert_eq!(bench.book.unread(), ["process 13: permission denied"]);
    }
}
