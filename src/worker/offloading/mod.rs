//! Answers that slow clients take on threads of their own (`offload-threads`), so that the thread that took the request is
//! free for the next one. What is left of an answer goes there with its connection, and the connection comes back when the
//! client has it. Worker only.
//!
//! An answer goes there only when the client's socket is full: one that fits costs nothing more. There is a bound for how
//! many are there; beyond it a thread sends its answer itself.

mod berths;
mod carrier;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, Scope};

pub(super) use self::berths::{Berth, Berths};
pub(super) use self::carrier::Carried;
use self::carrier::Carrier;

/// Most answers that one thread may have.
const ANSWERS_MAX: usize = 1_024;

/// What the stack of such a thread takes.
const STACK_BYTES: usize = 256 * 1024;

/// All threads for it, and the places that there are for answers.
#[derive(Debug)]
pub(super) struct Offloading {
    carriers: Box<[Carrier]>,
    /// Whose turn it is.
    next: AtomicUsize,
    berths: Berths,
    /// How long a client may take nothing of its answer.
    patience_us: u64,
}

impl Offloading {
    /// With so many threads, which are still to be begun.
    pub(super) fn new(threads: usize, patience_us: u64, room: PathBuf) -> io::Result<Self> {
        let carriers = (0..threads).map(|_| Carrier::new()).collect::<io::Result<_>>()?;
        let berths = Berths::new(threads * ANSWERS_MAX, room);
        Ok(Self { carriers, next: AtomicUsize::new(0), berths, patience_us })
    }

    /// Begins them, within the life of the worker's other threads.
    pub(super) fn begin<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) -> io::Result<()> {
        let patience_us = self.patience_us;
        for (number, carrier) in self.carriers.iter().enumerate() {
            let thread = Builder::new().name(format!("offload {number}")).stack_size(STACK_BYTES);
            if let Err(error) = thread.spawn_scoped(scope, move || carrier.run(patience_us)) {
                self.end();
                return Err(io::Error::new(error.kind(), format!("offload-threads cannot be started: {error}")));
            }
        }
        Ok(())
    }

    /// No answer comes any more.
    pub(super) fn end(&self) {
        self.carriers.iter().for_each(Carrier::end);
    }

    /// The places that there are for answers.
    pub(super) fn berths(&self) -> &Berths {
        &self.berths
    }

    /// Takes a connection with what is left of its answer over.
    pub(super) fn take_over(&self, carried: Box<dyn Carried>) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        if let Some(carrier) = self.carriers.get(turn % self.carriers.len().max(1)) {
            carrier.take_over(carried);
        }
    }
}
