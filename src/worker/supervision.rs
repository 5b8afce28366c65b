//! What the threads of a worker and its supervisor share: a watch for each thread, and the supervisor's sleep. Worker only.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::watch::Watch;
use crate::sys::clock::monotonic_us;

/// What all threads of a worker and its supervisor share.
#[derive(Debug)]
pub(super) struct Supervision {
    pub(super) watches: Box<[Watch]>,
    /// When it looks again; at the end of time when it waits to be woken.
    planned_us: AtomicU64,
    agenda: Mutex<Agenda>,
    woken: Condvar,
}

#[derive(Debug, Default)]
struct Agenda {
    /// Somebody has woken it.
    rung: bool,
    /// The worker serves no more.
    over: bool,
    /// There is one.
    runs: bool,
}

impl Supervision {
    pub(super) fn of(threads: usize) -> Self {
        Self {
            watches: (0..threads).map(|_| Watch::default()).collect(),
            planned_us: AtomicU64::new(u64::MAX),
            agenda: Mutex::default(),
            woken: Condvar::new(),
        }
    }

    /// The watch of a thread.
    pub(super) fn watch(&self, core: usize) -> Option<&Watch> {
        self.watches.get(core)
    }

    /// A thread takes no more requests.
    pub(super) fn leave(&self, core: usize) {
        if let Some(watch) = self.watch(core) {
            watch.leave();
        }
        self.ring();
    }

    /// The worker serves no more.
    pub(super) fn end(&self) {
        self.agenda().over = true;
        self.woken.notify_one();
    }

    /// Wakes the supervisor.
    pub(super) fn ring(&self) {
        let mut agenda = self.agenda();
        agenda.rung = true;
        if agenda.runs {
            self.woken.notify_one();
        }
    }

    /// Has the supervisor begin, if it has not. `begin` fails: the next one tries.
    pub(super) fn begin_once(&self, begin: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut agenda = self.agenda();
        if !agenda.runs {
            begin()?;
            agenda.runs = true;
        }
        Ok(())
    }

    /// Whether it has to be woken for something that is due then.
    pub(super) fn looks_after(&self, due_us: u64) -> bool {
        due_us < self.planned_us.load(Ordering::SeqCst)
    }

    /// When the supervisor looks next; `None`: not before it is woken.
    pub(super) fn plan(&self, next_us: Option<u64>) {
        self.planned_us.store(next_us.unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Sleeps until then or until woken. False: it is over.
    pub(super) fn sleep(&self, until_us: Option<u64>) -> bool {
        let mut agenda = self.agenda();
        while !agenda.rung && !agenda.over {
            let now_us = monotonic_us();
            agenda = match until_us {
                Some(until_us) if until_us <= now_us => break,
                Some(until_us) => {
                    let patience = Duration::from_micros(until_us - now_us);
                    self.woken.wait_timeout(agenda, patience).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.woken.wait(agenda).unwrap_or_else(PoisonError::into_inner),
            };
        }
        agenda.rung = false;
        !agenda.over
    }

    fn agenda(&self) -> MutexGuard<'_, Agenda> {
        self.agenda.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sleeps_until_then_or_until_woken_or_the_end() {
        let supervision = Supervision::of(1);
        let soon_us = monotonic_us() + 2_000;
        assert!(supervision.sleep(Some(soon_us)));
        assert!(monotonic_us() >= soon_us, "never before its time");
        supervision.ring();
        assert!(supervision.sleep(None));
        std::thread::scope(|scope| {
            scope.spawn(|| supervision.end());
            assert!(!supervision.sleep(None));
        });
    }
}
