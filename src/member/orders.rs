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

    /// Whether the process leaves, for whoever hears no more orders after that: the word of the order changes before the
    /// record comes which tells of it, so that the threads may not know yet, and nobody would tell them.
    pub(super) fn are_final(&self) -> bool {
        let leaving = self.now() == SeatOrder::Retire;
        if leaving {
            self.announce();
        }
        leaving
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

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::sync::atomic::AtomicU64;

    use worker_protocol::ids::Seat;
    use worker_protocol::scoreboard::{Layout, Scoreboard};

    use super::*;
    use crate::sys::wait::{Interest, wait_ready};

    #[test]
    fn who_sees_the_last_order_before_it_is_told_has_the_threads_know() {
        let layout = Layout::new(1, 2).expect("a layout");
        let words: Vec<AtomicU64> = std::iter::repeat_with(AtomicU64::default).take(layout.words()).collect();
        let board = Scoreboard::create(&words, layout).expect("a board");
        let (seat, life) = (Seat(0), Life(7));
        let orders = Orders::new(board.worker(seat).expect("the seat"), life).expect("a bell");
        let rung = || wait_ready(&orders.bell().as_fd(), Interest::Readable, 0).expect("the bell");
        board.master(seat).expect("the seat").set_order(SeatOrder::Run, life);
        assert!(!orders.are_final() && !rung());
        // The word only; the record comes later.
        board.master(seat).expect("the seat").set_order(SeatOrder::Retire, life);
        assert!(orders.are_final() && rung());
    }
}
