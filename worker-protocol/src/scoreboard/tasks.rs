//! What a process does beside requests, or in their place: signals of the application, and the tasks of a mule or a spooler
//! process. Both sides: the process writes, the master and other processes read.

use std::sync::atomic::{AtomicU64, Ordering};

use super::master::MasterSeat;
use super::words::{core_line, core_words, task_line};
use super::worker::WorkerSeat;

/// Signals of the application in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Signals {
    /// Those that it has handled in this life.
    pub handled: u64,
    /// The one whose function runs now.
    pub under_way: Option<u8>,
}

/// Tasks of a mule or a spooler process in this life. A message is the task of a mule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tasks {
    /// Those that are done.
    pub done: u64,
    /// Those that have failed, or are to be run again.
    pub failed: u64,
    /// Since when one is under way, monotonic.
    pub since_us: Option<u64>,
    /// How many waited when it last looked, the one under way left out.
    pub waiting: u64,
}

impl WorkerSeat<'_> {
    /// The application's function for a signal begins, on whatever thread.
    pub fn begin_signal(&self, number: u8) {
        self.store(core_line::SIGNAL_UNDER_WAY, u64::from(number) + 1);
    }

    /// It has ended.
    pub fn end_signal(&self) {
        if let Some(words) = core_words(self.words, 0) {
            words[core_line::SIGNALS].fetch_add(1, Ordering::Relaxed);
        }
        self.store(core_line::SIGNAL_UNDER_WAY, 0);
    }

    /// A task begins.
    pub fn begin_task(&self, now_us: u64) {
        self.store(task_line::SINCE_US, now_us.max(1));
    }

    /// The task under way has ended. Without effect when none is.
    pub fn end_task(&self, failed: bool) {
        let Some(words) = core_words(self.words, 0) else { return };
        if words[task_line::SINCE_US].swap(0, Ordering::AcqRel) > 0 {
            words[if failed { task_line::FAILED } else { task_line::DONE }].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Says how many tasks wait.
    pub fn set_tasks_waiting(&self, count: u64) {
        self.store(task_line::WAITING, count);
    }

    fn store(&self, index: usize, value: u64) {
        if let Some(words) = core_words(self.words, 0) {
            words[index].store(value, Ordering::Release);
        }
    }
}

impl MasterSeat<'_> {
    /// Signals of the process in this seat.
    pub fn signals(&self) -> Signals {
        Signals {
            handled: self.word(core_line::SIGNALS),
            under_way: self.word(core_line::SIGNAL_UNDER_WAY).checked_sub(1).and_then(|number| number.try_into().ok()),
        }
    }

    /// Tasks of the mule or the spooler process in this seat.
    pub fn tasks(&self) -> Tasks {
        Tasks {
            done: self.word(task_line::DONE),
            failed: self.word(task_line::FAILED),
            since_us: Some(self.word(task_line::SINCE_US)).filter(|since_us| *since_us > 0),
            waiting: self.word(task_line::WAITING),
        }
    }

    fn word(&self, index: usize) -> u64 {
        core_words(self.words, 0).map_or(0, |words: &[AtomicU64]| words[index].load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Life, Seat};
    use crate::scoreboard::{Layout, Scoreboard};

    #[test]
    fn signals_and_tasks_are_counted_by_who_does_them_and_begin_anew_with_each_life() {
        let layout = Layout::new(2, 1).unwrap();
        let memory: Vec<AtomicU64> = (0..layout.words()).map(|_| AtomicU64::new(0)).collect();
        let board = Scoreboard::create(&memory, layout).unwrap();
        let (own, seen) = (board.worker(Seat(1)).unwrap(), board.master(Seat(1)).unwrap());
        own.take(Life(1));
        own.begin_signal(0);
        assert_eq!(seen.signals(), Signals { handled: 0, under_way: Some(0) });
        own.end_signal();
        own.begin_signal(255);
        assert_eq!(seen.signals(), Signals { handled: 1, under_way: Some(255) });
        own.end_task(true);
        assert_eq!(seen.tasks(), Tasks::default(), "none was under way");
        own.set_tasks_waiting(3);
        own.begin_task(7);
        assert_eq!(seen.tasks(), Tasks { since_us: Some(7), waiting: 3, ..Tasks::default() });
        own.end_task(false);
        own.begin_task(8);
        own.end_task(true);
        assert_eq!(seen.tasks(), Tasks { done: 1, failed: 1, since_us: None, waiting: 3 });
        assert_eq!((seen.figures().requests, seen.figures().running_us), (0, 0), "they are no requests");
        assert_eq!(board.master(Seat(0)).unwrap().tasks(), Tasks::default());
        own.take(Life(2));
        assert_eq!((seen.signals(), seen.tasks()), (Signals::default(), Tasks::default()));
    }
}
