//! What the master wants of a process, what the process wants itself, and how its threads learn of it. Every process below
//! a zygote.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use worker_protocol::ids::Life;
use worker_protocol::scoreboard::{SeatOrder, WorkerSeat};

use crate::sys::wait::Doorbell;

/// What decides whether the threads of a process go on.
#[derive(Debug)]
pub(super) struct Orders<'z> {
    seat: WorkerSeat<'z>,
    life: Life,
    /// Set once, when the process leaves by itself or the master is gone.
    leaving: AtomicBool,
    bell: Doorbell,
    /// Threads that are paused wait here for a change.
    changed: (Mutex<()>, Condvar),
}

impl<'z> Orders<'z> {
    /// Of the process with this life in this seat.
    pub(super) fn new(seat: WorkerSeat<'z>, life: Life) -> io::Result<Self> {
        let (leaving, bell) = (AtomicBool::new(false), Doorbell::new()?);
        Ok(Self { seat, life, leaving, bell, changed: (Mutex::new(()), Condvar::new()) })
    }

    /// What there is to do now.
    pub(super) fn now(&self) -> SeatOrder {
        if self.leaving.load(Ordering::Acquire) { SeatOrder::Retire } else { self.seat.order(self.life) }
    }

    /// From now on the process leaves, whatever the master says. False: it did already. To be announced.
    pub(super) fn leave(&self) -> bool {
        !self.leaving.swap(true, Ordering::AcqRel)
    }

    /// Has every thread know what there is to do.
    pub(super) fn announce(&self) {
        match self.now() {
            SeatOrder::Run => self.bell.silence(),
            SeatOrder::Pause | SeatOrder::Retire => self.bell.ring(),
        }
        let (lock, changed) = &self.changed;
        drop(lock.lock().unwrap_or_else(PoisonError::into_inner));
        changed.notify_all();
    }

    /// Readable as long as the threads must look up from their waiting.
    pub(super) fn bell(&self) -> &Doorbell {
        &self.bell
    }

    /// Has a thread wait until the order changes.
    pub(super) fn wait_while_paused(&self) {
        let (lock, changed) = &self.changed;
        let mut held = lock.lock().unwrap_or_else(PoisonError::into_inner);
        while self.now() == SeatOrder::Pause {
            held = changed.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
