//! What the master wants of a worker, what the worker wants itself, and how its threads learn of it. Worker only.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use worker_protocol::control::{FromWorker, LeaveReason, MESSAGE_BYTES_MAX, Message, ToWorker};
use worker_protocol::scoreboard::{Presence, SeatOrder};

use super::Worker;
use crate::sys::control::Received;
use crate::sys::wait::Doorbell;
use crate::zygote::log_to;

/// What decides whether this worker's threads go on, apart from the order word of the seat.
#[derive(Debug)]
pub(super) struct Gate {
    /// Set once, when the worker leaves by itself or the master is gone. 0: stay; 1: leave.
    leaving: AtomicU8,
    /// Readable while the threads must look up from their waiting.
    pub(super) bell: Doorbell,
    /// Threads that are paused wait here for a change.
    changed: (Mutex<()>, Condvar),
}

impl Gate {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { leaving: AtomicU8::new(0), bell: Doorbell::new()?, changed: (Mutex::new(()), Condvar::new()) })
    }
}

impl Worker<'_> {
    /// Takes in what the master sent: most records only say that the order word has changed.
    pub(super) fn hear(&self) -> io::Result<()> {
        let mut buffer = [0; MESSAGE_BYTES_MAX];
        loop {
            match self.control.receive(&mut buffer)? {
                Received::Message(length, beside) => {
                    if let Ok(ToWorker::LogTo) = ToWorker::decode(&buffer[..length]) {
                        log_to(&beside);
                    }
                }
                Received::Nothing => break,
                Received::EndOfFile => {
                    if !self.is_leaving() {
                        log::error!("worker {}: the master is gone; leaving after what is under way", self.slot);
                    }
                    self.gate.leaving.store(1, Ordering::Release);
                    break;
                }
            }
        }
        match self.order() {
            SeatOrder::Run => self.gate.bell.silence(),
            SeatOrder::Pause | SeatOrder::Retire => self.gate.bell.ring(),
        }
        self.wake_paused();
        Ok(())
    }

    /// What this worker is to do now.
    pub(super) fn order(&self) -> SeatOrder {
        if self.gate.leaving.load(Ordering::Acquire) == 0 { self.seat.order(self.life) } else { SeatOrder::Retire }
    }

    /// Whether the worker takes no more requests.
    pub fn is_leaving(&self) -> bool {
        self.order() == SeatOrder::Retire
    }

    pub(super) fn leave(&self) {
        self.gate.leaving.store(1, Ordering::Release);
        self.gate.bell.ring();
        self.wake_paused();
    }

    /// Has a thread that does not hear the master itself wait until the order changes.
    pub(super) fn wait_while_paused(&self) {
        let (lock, changed) = &self.gate.changed;
        let mut held = lock.lock().unwrap_or_else(PoisonError::into_inner);
        while self.order() == SeatOrder::Pause {
            held = changed.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn wake_paused(&self) {
        let (lock, changed) = &self.gate.changed;
        drop(lock.lock().unwrap_or_else(PoisonError::into_inner));
        changed.notify_all();
    }

    /// Stops taking requests and asks the master for a successor.
    pub fn retire_self(&self, reason: LeaveReason) {
        let first = self.gate.leaving.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if first {
            self.seat.set_presence(Presence::Leaving);
            self.tell(&FromWorker::Leaving { reason });
            self.gate.bell.ring();
            self.wake_paused();
        }
    }
}
