//! The companion as a process: a member beside the workers that serves no requests but runs code of the application: a mule
//! or a spooler process. What it runs is the runtime's; here is how it hears the master meanwhile.
//!
//! Companions only, and the zygote that forks them.

mod ears;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::member::born::Birth;
use crate::member::{Instance, LoadFailure, Member, Runtime};
use crate::sys::clock::monotonic_us;
use crate::sys::control::ControlSocket;
use crate::sys::wait::Doorbell;

/// A runtime whose application may have companions.
pub trait CompanionRuntime: Runtime {
    /// Runs the life of a companion, from right after the fork on: the application may ask for it meanwhile. Returns the
    /// exit code.
    fn in_companion(
        &mut self,
        companion: &Companion<'_>,
        life: &mut dyn FnMut(&mut dyn CompanionRuntime) -> i32,
    ) -> i32;

    /// Does a companion's work until that is done, or until the master wants it to leave. Returns the exit code.
    fn accompany(&mut self, companion: &Companion<'_>) -> i32 {
        companion.member().refuse(&LoadFailure::new("only Python applications have mules and spoolers"))
    }
}

/// A companion process.
#[derive(Debug)]
pub struct Companion<'z> {
    member: Member<'z>,
    /// Whether what it runs looks by itself whether it is to leave, between two pieces of work.
    minds_orders: AtomicBool,
    /// Monotonic time by which what it does now must be done; 0: no such time.
    due_us: AtomicU64,
    /// Rung when the ears are to look up: a deadline has changed, or the work is over.
    news: Doorbell,
    is_over: AtomicBool,
}

impl<'z> Companion<'z> {
    pub(crate) fn new(instance: Instance<'z>, control: &'z ControlSocket, birth: Birth) -> io::Result<Self> {
        Ok(Self {
            member: Member::new(instance, control, birth)?,
            minds_orders: AtomicBool::new(false),
            due_us: AtomicU64::new(0),
            news: Doorbell::new()?,
            is_over: AtomicBool::new(false),
        })
    }

    /// Its whole life; returns its exit code.
    pub(crate) fn live(&self, runtime: &mut dyn CompanionRuntime) -> i32 {
        if let Err(failure) = self.member.begin(runtime) {
            return self.member.refuse(&failure);
        }
        self.member.tell_ready();
        std::thread::scope(|scope| {
            let heard = std::thread::Builder::new().name("ears".to_owned()).spawn_scoped(scope, || self.listen());
            match heard {
                Ok(_) => {
                    let _over = Over(self);
                    runtime.accompany(self)
                }
                Err(error) => {
                    log::error!("{}: nobody would hear the master: {error}", self.member.name());
                    1
                }
            }
        })
    }

    /// What it is besides a companion.
    pub fn member(&self) -> &Member<'z> {
        &self.member
    }

    /// Readable once the master wants it to leave.
    pub fn orders(&self) -> BorrowedFd<'_> {
        self.member.bell().as_fd()
    }

    /// From now on what it runs looks by itself whether it is to leave, between two pieces of work: nothing cuts one short
    /// before the master's patience ends.
    pub fn mind_orders(&self) {
        self.minds_orders.store(true, Ordering::Release);
    }

    /// Gives what it does now so much time, after which the process is killed; `None`: all the time.
    pub fn set_deadline(&self, limit: Option<Duration>) {
        let due_us = limit.map_or(0, |limit| monotonic_us().saturating_add(limit.as_micros() as u64).max(1));
        let before_us = self.due_us.swap(due_us, Ordering::AcqRel);
        // Whoever waits for one that is over looks again then.
        if due_us > 0 && due_us != before_us {
            self.news.ring();
        }
    }
}

/// Tells the ears that the work is over, also when it panics.
struct Over<'c, 'z>(&'c Companion<'z>);

impl Drop for Over<'_, '_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Release);
        self.0.news.ring();
    }
}
