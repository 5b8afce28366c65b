//! Answers that slow clients take on threads of their own (`offload-threads`), so that the thread that took the request is
//! free for the next one. What is left of an answer goes there with its connection, and the connection comes back when the
//! client has it. Worker only.
//!
//! An answer goes there only when the client's socket is full: one that fits costs nothing more. There is a bound for how
//! many are there; beyond it a thread sends its answer itself.

mod carrier;
mod home;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, Scope};

use self::carrier::Carrier;
pub(super) use self::home::Home;
use super::connection::Patient;

/// Most answers that one thread may have.
const ANSWERS_MAX: usize = 1_024;

/// What the stack of such a thread takes.
const STACK_BYTES: usize = 256 * 1024;

/// All threads for it, and how many answers there are.
#[derive(Debug)]
pub(crate) struct Offloading {
    carriers: Box<[Carrier]>,
    /// Whose turn it is.
    next: AtomicUsize,
    aboard: Arc<AtomicUsize>,
    /// How long a client may take nothing of its answer.
    patience_us: u64,
    /// Where there is room for what does not fit into memory.
    room: PathBuf,
}

/// A place among the answers that there may be, free again when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Berth(Arc<AtomicUsize>);

impl Drop for Berth {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Offloading {
    /// With so many threads, which are still to be begun.
    pub(super) fn new(threads: usize, patience_us: u64, room: PathBuf) -> io::Result<Self> {
        let carriers = (0..threads).map(|_| Carrier::new()).collect::<io::Result<_>>()?;
        Ok(Self { carriers, next: AtomicUsize::new(0), aboard: Arc::default(), patience_us, room })
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

    /// A place for one more answer, if there is one.
    pub(crate) fn book(&self) -> Option<Berth> {
        let most = self.carriers.len() * ANSWERS_MAX;
        let berth = Berth(Arc::clone(&self.aboard));
        // One that is too many takes its number back as it is dropped.
        (self.aboard.fetch_add(1, Ordering::Relaxed) < most).then_some(berth)
    }

    /// Where there is room for what does not fit into memory.
    pub(crate) fn room(&self) -> &Path {
        &self.room
    }

    /// Takes a connection with what is left of its answer over.
    pub(super) fn take_over(&self, patient: Box<Patient>, home: &Arc<Home>) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        if let Some(carrier) = self.carriers.get(turn % self.carriers.len().max(1)) {
            carrier.take_over(patient, Arc::clone(home));
        }
    }
}
