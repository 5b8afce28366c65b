//! What every process shares that a zygote forks, whatever its work is: how it begins, what it hears of the master and
//! tells it, when it is worn out. The work itself is the caller's: `worker` serves requests.
//!
//! Zygote (which loads the application as a member does with `lazy-apps`), and every process below it.

mod appetite;
pub(crate) mod born;
pub(crate) mod hear;
mod instance;
pub(crate) mod memories;
mod mold;
mod orders;
mod processors;
pub(crate) mod runtime;
mod shared_queue;
mod spool;
mod tasks;
mod wear;

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use worker_protocol::control::{FromWorker, LeaveReason};
use worker_protocol::ids::Generation;
use worker_protocol::post::Post;
use worker_protocol::scoreboard::{Presence, SeatOrder, WorkerSeat};

pub use self::instance::Instance;
pub use self::memories::{SharedCache, WriteLock};
pub use self::runtime::{LoadFailure, Runtime};
pub use self::shared_queue::SharedQueue;
pub use self::spool::NotSpooled;

use self::appetite::Appetite;
use self::born::{Birth, Listening, title_process, while_parent_lives};
use self::hear::Line;
use self::mold::{Calling, Season};
use self::orders::Orders;
use self::runtime::{load_with_hooks, run_hooks};
use self::wear::{Due, Wear};
use crate::config::model::{Config, HookPhase};
use crate::sys::clock::monotonic_us;
use crate::sys::control::ControlSocket;
use crate::sys::process;
use crate::sys::wait::Doorbell;

/// A process that a zygote forked: what it was given, and its seat in the scoreboard.
#[derive(Debug)]
pub struct Member<'z> {
    instance: Instance<'z>,
    birth: Birth,
    born_us: u64,
    line: Line<'z>,
    seat: WorkerSeat<'z>,
    orders: Orders<'z>,
    wear: Wear,
    appetite: Appetite,
    season: Season,
    calling: Calling,
    told_ready: AtomicBool,
    /// Signals of the application that have come for this process alone.
    signals: Mutex<VecDeque<u8>>,
}

impl<'z> Member<'z> {
    /// Takes the seat. The first thing that happens in the child.
    pub(crate) fn new(instance: Instance<'z>, control: &'z ControlSocket, birth: Birth) -> io::Result<Self> {
        let seat = instance.own_seat(birth.seat)?;
        seat.take(birth.life);
        seat.set_identity(std::process::id(), birth.post, birth.nth);
        let born_us = monotonic_us();
        Ok(Self {
            instance,
            birth,
            born_us,
            line: Line::new(control),
            seat,
            orders: Orders::new(seat, birth.life)?,
            wear: Wear::new(&instance.config().recycling, birth.post, born_us),
            appetite: Appetite::default(),
            season: Season::of(instance.config().refork, birth.post.role),
            calling: Calling::default(),
            told_ready: AtomicBool::new(false),
            signals: Mutex::default(),
        })
    }

    /// What comes before the work: title, hooks, and the application where each process loads its own.
    pub(crate) fn begin(&self, runtime: &mut dyn Runtime) -> Result<(), LoadFailure> {
        let config = self.config();
        title_process(&config.process_names.below_master(&format!("rhinod {}", self.name())));
        processors::keep_to_share(config.resources.cpus_each, self.post().number);
        if config.identity.no_orphans
            && let Err(error) = process::die_with_parent()
        {
            log::warn!("no-orphans: {error}");
        }
        let loads = config.lazy_apps && !self.instance.is_grown();
        if loads {
            enter_anew(config)?;
        }
        self.run_hooks(&[HookPhase::PostFork])?;
        if loads {
            let load = || load_with_hooks(runtime, config, self.instance.generation());
            while_parent_lives(config.identity.no_orphans, load)?;
            if runtime.serves_errors() {
                self.tell(&FromWorker::NoApplication);
            }
        }
        if let Some(directory) = &config.identity.chdir2 {
            std::env::set_current_dir(directory)
                .map_err(|error| LoadFailure::new(format!("chdir2 to {}: {error}", directory.display())))?;
        }
        Ok(())
    }

    pub(crate) fn run_hooks(&self, phases: &[HookPhase]) -> Result<(), LoadFailure> {
        run_hooks(&self.config().hooks, phases)
    }

    /// What it has in common with the others of its instance.
    pub fn instance(&self) -> &Instance<'z> {
        &self.instance
    }

    /// The configuration of the instance.
    pub fn config(&self) -> &'z Config {
        self.instance.config()
    }

    /// What it is, and the number that operators know it by.
    pub fn post(&self) -> Post {
        self.birth.post
    }

    /// Whether no other process had its number before, for what is done only once.
    pub(crate) fn is_first(&self) -> bool {
        self.birth.nth == 1
    }

    /// What it is called in the log and, behind `rhinod`, in its title.
    pub(crate) fn name(&self) -> String {
        self.birth.post.to_string()
    }

    /// How many of its threads have a request.
    pub(crate) fn busy_cores(&self) -> u32 {
        let own = self.instance.seats().find(|(seat, _)| *seat == self.birth.seat);
        own.map_or(0, |(_, seat)| seat.figures().busy_cores)
    }

    /// Its own seat.
    pub(crate) fn seat(&self) -> &WorkerSeat<'z> {
        &self.seat
    }

    /// Which seat that is.
    pub(crate) fn seat_number(&self) -> u32 {
        self.birth.seat.0
    }

    /// The sockets of the instance, each with what is spoken on it, to be accepted on.
    pub(crate) fn listeners(&self) -> &'z [Listening] {
        self.instance.listeners()
    }

    /// Wakes the master.
    pub(crate) fn ring_master(&self) {
        self.instance.ring_master();
    }

    /// What the master wants of it now; without a system call.
    pub(crate) fn order(&self) -> SeatOrder {
        self.orders.now()
    }

    /// Whether it takes no more work.
    pub fn is_leaving(&self) -> bool {
        self.order() == SeatOrder::Retire
    }

    /// The same, for whoever hears nothing more after that: every thread knows of it now.
    pub(crate) fn is_leaving_for_all(&self) -> bool {
        self.orders.are_final()
    }

    /// Becomes readable when the master has said something, and when it is gone; then [`Member::hear`] is due.
    pub(crate) fn control(&self) -> BorrowedFd<'_> {
        self.line.as_fd()
    }

    /// Readable as long as its threads must look up from their waiting.
    pub(crate) fn bell(&self) -> &Doorbell {
        self.orders.bell()
    }

    /// Takes in what the master sent, and has the threads know.
    pub(crate) fn hear(&self) -> io::Result<()> {
        let signalled = |number| self.signals.lock().unwrap_or_else(PoisonError::into_inner).push_back(number);
        if !self.line.hear(signalled, |generation| self.calling.hear(generation))? {
            if !self.is_leaving() {
                log::error!("{}: the master is gone; leaving after what is under way", self.name());
            }
            self.orders.leave();
            self.instance.end_listening();
        }
        self.orders.announce();
        Ok(())
    }

    /// The next signal of the application that has come for this process alone.
    pub fn take_signal(&self) -> Option<u8> {
        self.signals.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// The same in the middle of work, for who waits for a signal there: the thread that hears the master.
    ///
    /// # Errors
    /// The control socket cannot be read.
    pub fn hear_between(&self) -> io::Result<()> {
        self.hear()
    }

    /// Has a thread that does not hear the master itself wait until the order changes.
    pub(crate) fn wait_while_paused(&self) {
        self.orders.wait_while_paused();
    }

    /// Tells the master something.
    pub fn tell(&self, record: &FromWorker) {
        self.line.tell(record);
    }

    /// Tells the master that it is ready, and since when in its life.
    pub(crate) fn tell_ready(&self) {
        let boot_us = monotonic_us() - self.born_us;
        self.seat.set_boot_us(boot_us);
        self.note_memory(monotonic_us());
        self.told_ready.store(true, Ordering::Release);
        self.tell(&FromWorker::Ready { boot_us });
    }

    /// Whether it has told the master so.
    pub(crate) fn was_ready(&self) -> bool {
        self.told_ready.load(Ordering::Acquire)
    }

    /// Tells whoever reads the seat how much memory this process takes, once in a while.
    #[inline(always)]
    pub(crate) fn note_memory(&self, now_us: u64) {
        self.appetite.note(&self.seat, now_us);
    }

    /// Tells the master that it cannot do its work, and why. Returns the exit code to end with.
    pub fn refuse(&self, failure: &LoadFailure) -> i32 {
        self.tell(&FromWorker::NotReady { exit_code: failure.exit_code, text: failure.told() });
        failure.exit_code
    }

    /// Takes no more work, since it cannot go on; the master is not asked for anything.
    pub(crate) fn leave(&self) {
        self.orders.leave();
        self.orders.announce();
    }

    /// Stops taking work and asks the master for a successor.
    pub fn retire_self(&self, reason: LeaveReason) {
        if self.orders.leave() {
            self.seat.set_presence(Presence::Leaving);
            self.tell(&FromWorker::Leaving { reason });
            self.orders.announce();
        }
    }

    /// From here on signals to this process alone make it leave when it has nothing to do.
    pub(crate) fn heed_signals(&self) {
        self.wear.heed_signals();
    }

    /// Asks for a successor, or leaves, if it has lived, worked or grown enough.
    #[inline(always)]
    pub(crate) fn retire_if_worn_out(&self, now_us: u64, requests: u64) {
        match self.wear.due(now_us, requests) {
            Some(Due::Successor(reason)) => self.tell(&FromWorker::Worn { reason }),
            Some(Due::End(reason)) => self.retire_self(reason),
            None => {}
        }
        if self.season.is_due(requests) {
            self.tell(&FromWorker::Seasoned);
        }
    }

    /// Of which generation it is to be the mold, for who has no work any more: not to end but to give back what must not be
    /// shared.
    pub fn calling(&self) -> Option<Generation> {
        if let Err(error) = self.hear() {
            log::error!("{}: {error}", self.name());
        }
        self.calling.get()
    }

    /// It cannot be the mold, and ends as others do.
    pub fn miss_calling(&self, why: &str) {
        self.calling.forget();
        self.tell(&FromWorker::NotMolded { text: why.to_owned() });
    }

    /// How long until its age is to be looked at, in microseconds.
    pub(crate) fn time_to_live_us(&self, now_us: u64) -> Option<u64> {
        Some(self.wear.old_at_us()?.saturating_sub(now_us))
    }
}

/// `chdir` of a process that loads the application by itself: what has been switched on the way there since its zygote
/// began leads to the new release.
fn enter_anew(config: &Config) -> Result<(), LoadFailure> {
    let Some(directory) = &config.identity.chdir else { return Ok(()) };
    match std::env::set_current_dir(directory) {
        // Who has dropped privileges may stand where he could not go.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        entered => entered.map_err(|error| LoadFailure::new(format!("chdir to {}: {error}", directory.display()))),
    }
}
