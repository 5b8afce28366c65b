//! Signals of the application: hears what it wants of them, has them raised when they are due, and passes them on to whom they
//! are for. What holds is decided in [`crate::timetable`]. Master only.

use super::driver::Driver;
use super::machine::{Condition, Generation, WorkerView};
use super::wake::Wake;
use super::watches::Watches;
use crate::config::model::{Watch, WatchEffect, mailboxes};
use crate::sys::clock::{epoch_us, monotonic_us, utc_offset_s};
use crate::sys::mailbox::Posted;
use crate::timetable::{Target, WallClock, Wish};

/// How often it is said that wishes are not understood.
const TELL_EVERY_US: u64 = 1_000_000;

impl Driver<'_> {
    /// Takes in what the application wants.
    pub(super) fn hear_wishes(&mut self) {
        for message in self.children.mailboxes.take_wishes(&self.poll) {
            let Some((generation, wish)) = Wish::read(&message) else {
                self.unfit_wishes += 1;
                continue;
            };
            if let Wish::Raise(signal) = wish {
                self.raise(signal);
                continue;
            }
            if let Wish::Alarm(name, message) = &wish {
                self.raise_alarms(std::slice::from_ref(name), message);
                continue;
            }
            let holds = self.timetable.hear(Generation(generation), &wish, monotonic_us());
            if holds && matches!(wish, Wish::File(..)) {
                self.watch_signal_files();
            }
        }
        self.tell_of_unfit_wishes(monotonic_us());
    }

    /// Once a second at most: everybody in the instance can write there, as much as he likes.
    fn tell_of_unfit_wishes(&mut self, now_us: u64) {
        if self.unfit_wishes > 0 && now_us >= self.unfit_wishes_told_us.saturating_add(TELL_EVERY_US) {
            let count = std::mem::take(&mut self.unfit_wishes);
            self.unfit_wishes_told_us = now_us;
            log::warn!("the application wants something of signals that nobody understands ({count} times)");
        }
    }

    /// What the application of this generation wants of signals holds from now on.
    pub(super) fn take_timetable_over(&mut self, generation: Generation) {
        // It may have been said before that it is there, on another way.
        self.hear_wishes();
        let now_us = monotonic_us();
        for (signal, seconds) in self.in_force.config.signal_timers.clone() {
            self.timetable.hear(generation, &Wish::Timer(signal, seconds.saturating_mul(1_000_000), None), now_us);
        }
        self.timetable.take_over(generation, now_us);
        self.watch_signal_files();
    }

    /// When a signal is due.
    pub(super) fn signals_due_us(&self) -> Option<u64> {
        self.timetable
            .current()
            .due_us(monotonic_us(), wall_clock())
            .into_iter()
            .chain(self.signal_files.due_us())
            .min()
    }

    /// Raises what is due.
    pub(super) fn raise_what_is_due(&mut self) {
        if self.machine.is_stopping() {
            return;
        }
        for signal in self.timetable.fire(monotonic_us(), wall_clock()) {
            self.raise(signal);
        }
        for (_, effect) in self.signal_files.take(monotonic_us()) {
            if let WatchEffect::Signal(signal) = effect {
                self.raise(signal);
            }
        }
    }

    /// Begins to watch the files that hold now. The same ones go on as they were.
    pub(super) fn watch_signal_files(&mut self) {
        let watch = |(signal, path): &(u8, String)| Watch {
            path: path.into(),
            effect: WatchEffect::Signal(*signal),
            any_event: true,
        };
        let watches: Vec<Watch> = self.timetable.current().files().iter().map(watch).collect();
        let mut new = Watches::new(&watches, monotonic_us());
        if let Some(source) = new.source()
            && let Err(error) = Wake::SignalFiles.when_readable(source, &self.poll)
        {
            log::error!("files whose changes raise signals are looked at every two seconds only: {error}");
        }
        new.succeed(&mut self.signal_files, monotonic_us());
        self.signal_files = new;
    }

    /// Passes a signal on to whom it is for.
    pub(super) fn raise(&mut self, signal: u8) {
        let mules = || 1..=u32::try_from(self.in_force.config.mules.list.len()).unwrap_or(u32::MAX);
        match self.timetable.current().target(signal) {
            Target::AnyWorker => self.post_signal(signal, "worker", "workers pool"),
            Target::Workers => self.signal_workers(signal, |worker| worker.condition != Condition::Leaving),
            Target::ActiveWorkers => {
                self.signal_workers(signal, |worker| matches!(worker.condition, Condition::Ready(_)));
            }
            Target::Worker(number) => self.signal_workers(signal, |worker| {
                worker.post.number == number && worker.condition != Condition::Leaving
            }),
            Target::AnyMule => self.post_signal(signal, "mule", "a mule"),
            Target::Mules => mules().for_each(|number| self.signal_mule(signal, number)),
            Target::Mule(number) => self.signal_mule(signal, number),
            Target::Farm(named) => {
                let farms = &self.in_force.config.mules.farms;
                let numbered = named.parse::<usize>().ok().and_then(|number| farms.get(number.checked_sub(1)?));
                let farm = farms.iter().find(|farm| farm.name == named).or(numbered);
                match farm {
                    Some(farm) => self.post_signal(signal, &mailboxes::farm(&farm.name), &format!("farm {named}")),
                    None => log::warn!("signal {signal} is for farm {named}, which there is not"),
                }
            }
            Target::Spooler => self.post_signal(signal, "spooler", "the spooler"),
            Target::Nobody => {}
            Target::Unknown(word) => {
                log::warn!("^^^ UNSUPPORTED SIGNAL TARGET: {} ^^^", crate::escape::value(word.as_bytes()))
            }
        }
    }

    fn signal_mule(&self, signal: u8, number: u32) {
        self.post_signal(signal, &mailboxes::mule(number), &format!("mule {number}"));
    }

    fn signal_workers(&self, signal: u8, which: impl Fn(&WorkerView) -> bool) {
        for worker in self.machine.workers().filter(which) {
            if !self.children.pass_signal(worker.seat, signal) {
                log::error!("could not deliver signal {signal} to worker {}", worker.post.number);
            }
        }
    }

    fn post_signal(&self, signal: u8, to: &str, told: &str) {
        let name = mailboxes::signals(to);
        match self.children.mailboxes.post(&name, &[signal]) {
            Some(Ok(Posted::Queued)) => {}
            Some(Ok(Posted::Full | Posted::TooLong)) => {
                let bytes = self.children.mailboxes.bytes(&name);
                log::error!(
                    "*** SIGNAL QUEUE IS FULL: buffer size {bytes} bytes (you can tune it with --signal-bufsize) ***"
                );
                log::error!("could not deliver signal {signal} to {told}");
            }
            Some(Err(error)) => log::error!("could not deliver signal {signal} to {told}: {error}"),
            None => log::warn!("signal {signal} is for {told}, and there is nobody"),
        }
    }
}

/// The wall clock now, where this machine is.
pub(super) fn wall_clock() -> WallClock {
    let epoch_s = i64::try_from(epoch_us() / 1_000_000).unwrap_or(i64::MAX);
    WallClock { epoch_s, offset_s: utc_offset_s(epoch_s) }
}
