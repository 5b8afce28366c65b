//! A thread that sends what is left of answers, each at the speed of its client. Worker only.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::sys::clock::monotonic_us;
use crate::sys::process;
use crate::sys::stream::Stream;
use crate::sys::wait::{Doorbell, WaitSet};
use crate::worker::reply::Moved;

/// One of them, as others see it.
#[derive(Debug)]
pub(super) struct Carrier {
    /// `None`: it takes no more.
    new: Mutex<Option<Vec<Load>>>,
    bell: Doorbell,
    over: AtomicBool,
}

/// A connection with what is left of its answer.
pub(in crate::worker) trait Carried: Send + Debug {
    /// The connection itself.
    fn stream(&self) -> &Stream;

    /// Sends what its client takes, without waiting.
    ///
    /// # Errors
    /// The answer cannot become whole.
    fn carry_on(&mut self) -> io::Result<Moved>;

    /// The answer does not become whole.
    fn break_off(&mut self);

    /// It goes back to where it belongs.
    fn come_home(self: Box<Self>);
}

/// One of them here.
#[derive(Debug)]
struct Load {
    carried: Box<dyn Carried>,
    /// When its client has taken nothing for too long.
    until_us: u64,
}

/// What the thread has.
struct Cargo {
    waiting: WaitSet,
    loads: BTreeMap<u64, Load>,
    next: u64,
    deadlines: BTreeSet<(u64, u64)>,
    /// Those that have more to move.
    ready: BTreeSet<u64>,
    patience_us: u64,
}

const BELL: u64 = u64::MAX;

impl Carrier {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { new: Mutex::new(Some(Vec::new())), bell: Doorbell::new()?, over: AtomicBool::new(false) })
    }

    /// Takes one over.
    pub(super) fn take_over(&self, carried: Box<dyn Carried>) {
        let load = Load { carried, until_us: 0 };
        match &mut *self.new.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(new) => new.push(load),
            None => return load.give_up(),
        }
        self.bell.ring();
    }

    /// No more come.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.bell.ring();
    }

    /// The life of the thread, until no more come and the last one is sent.
    pub(super) fn run(&self, patience_us: u64) {
        // Signals are for the other threads.
        process::block_signals();
        if let Err(error) = self.carry(patience_us) {
            log::error!("a thread that sends answers to slow clients ends: {error}");
        }
        // Whoever waits for one gets to know.
        let late = self.new.lock().unwrap_or_else(PoisonError::into_inner).take();
        late.into_iter().flatten().for_each(Load::give_up);
    }

    fn carry(&self, patience_us: u64) -> io::Result<()> {
        let waiting = WaitSet::new()?;
        waiting.add(&self.bell, BELL)?;
        let mut cargo = Cargo {
            waiting,
            loads: BTreeMap::new(),
            next: 0,
            deadlines: BTreeSet::new(),
            ready: BTreeSet::new(),
            patience_us,
        };
        let carried = self.carry_on(&mut cargo);
        std::mem::take(&mut cargo.loads).into_values().for_each(Load::give_up);
        carried
    }

    fn carry_on(&self, cargo: &mut Cargo) -> io::Result<()> {
        while !(self.over.load(Ordering::Acquire) && cargo.loads.is_empty()) {
            match cargo.wait()? {
                Some(BELL) => {
                    self.bell.silence();
                    for load in self.taken() {
                        cargo.take_in(load)?;
                    }
                }
                Some(number) => cargo.advance(number)?,
                None => {}
            }
            cargo.advance_ready()?;
            cargo.give_up_late_ones()?;
        }
        Ok(())
    }

    fn taken(&self) -> Vec<Load> {
        self.new.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(std::mem::take).unwrap_or_default()
    }
}

impl Cargo {
    fn wait(&self) -> io::Result<Option<u64>> {
        let patience_us = match self.ready.is_empty() {
            true => self.deadlines.first().map(|(until_us, _)| until_us.saturating_sub(monotonic_us())),
            false => Some(0),
        };
        self.waiting.wait(patience_us.map(|patience_us| patience_us.div_ceil(1_000)))
    }

    fn take_in(&mut self, mut load: Load) -> io::Result<()> {
        let number = self.next;
        self.next += 1;
        if let Err(error) = self.waiting.add_writable(load.carried.stream(), number) {
            log::error!("cannot wait for a client to take its answer, which ends therefore: {error}");
            load.give_up();
            return Ok(());
        }
        load.until_us = monotonic_us().saturating_add(self.patience_us);
        self.deadlines.insert((load.until_us, number));
        self.loads.insert(number, load);
        Ok(())
    }

    /// Moves what its client takes.
    fn advance(&mut self, number: u64) -> io::Result<()> {
        let Some(load) = self.loads.get_mut(&number) else { return Ok(()) };
        self.ready.remove(&number);
        match load.carried.carry_on() {
            Ok(Moved::Blocked { any: false }) => Ok(()),
            Ok(moved @ (Moved::Blocked { any: true } | Moved::Partly)) => {
                self.deadlines.remove(&(load.until_us, number));
                load.until_us = monotonic_us().saturating_add(self.patience_us);
                self.deadlines.insert((load.until_us, number));
                if moved == Moved::Partly {
                    self.ready.insert(number);
                }
                Ok(())
            }
            Ok(Moved::Whole) => self.send_home(number, true),
            Err(error) => {
                log::debug!("a client did not take the rest of its answer: {error}");
                self.send_home(number, false)
            }
        }
    }

    fn advance_ready(&mut self) -> io::Result<()> {
        for number in std::mem::take(&mut self.ready) {
            self.advance(number)?;
        }
        Ok(())
    }

    fn give_up_late_ones(&mut self) -> io::Result<()> {
        let now_us = monotonic_us();
        while let Some((_, number)) = self.deadlines.first().copied().filter(|(until_us, _)| *until_us <= now_us) {
            log::info!("a client has taken nothing of its answer for too long (http-timeout)");
            self.send_home(number, false)?;
        }
        Ok(())
    }

    fn send_home(&mut self, number: u64, is_whole: bool) -> io::Result<()> {
        let Some(load) = self.loads.remove(&number) else { return Ok(()) };
        self.deadlines.remove(&(load.until_us, number));
        self.ready.remove(&number);
        let removed = self.waiting.remove(load.carried.stream());
        match is_whole {
            true => load.carried.come_home(),
            false => load.give_up(),
        }
        removed
    }
}

impl Load {
    /// Its answer does not become whole.
    fn give_up(mut self) {
        self.carried.break_off();
        self.carried.come_home();
    }
}
