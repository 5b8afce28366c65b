//! The supervisor of a worker: a thread that minds the deadlines of requests, and that no line of the log waits for long. It
//! strikes what is over its time, says where it is stuck, and has the worker replaced if the thread does not come back.
//! `deadlines` decides what is due, `watch` is what it looks at. Worker only.
//!
//! It begins with the first request that has a deadline, or that comes while lines wait. It sleeps until the first deadline that it knows of; whoever
//! begins a request that is due earlier wakes it, so that nearly all requests begin and end without a word to it. The
//! master is told by when it looks again, and minds that (`master/second_line.rs`).

use std::fmt::Debug;
use std::thread::{Builder, Scope};

use worker_protocol::control::LeaveReason;

use super::deadlines::{Blow, Due};
use super::exchange::Service;
use super::place::Guard;
use super::process::{ORDERLY, Worker};
use super::watch::{Overdue, Watch};
use crate::escape;
use crate::logging::waiting;
use crate::sys::clock::{epoch_us, monotonic_us};
use crate::sys::process;
use crate::sys::queue::QueueProbe;
use crate::sys::thread::heed_nudges;

/// What its stack takes: it composes lines of the log.
const STACK_BYTES: usize = 256 * 1024;

/// How long a line of the log waits at most for others to be written with, in microseconds.
pub(super) const LINES_WAIT_US: u64 = 50_000;

/// The supervisor, and whoever has it begin.
pub(super) struct Supervisor<'scope, 'env, S: ?Sized> {
    pub(super) scope: &'scope Scope<'scope, 'env>,
    pub(super) worker: &'env Worker<'env>,
    pub(super) service: &'env S,
}

impl<S: ?Sized> Clone for Supervisor<'_, '_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: ?Sized> Copy for Supervisor<'_, '_, S> {}

impl<S: ?Sized> Debug for Supervisor<'_, '_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supervisor").finish_non_exhaustive()
    }
}

impl<S: Service + ?Sized> Guard for Supervisor<'_, '_, S> {
    fn look_by(&self, due_us: u64) {
        if self.worker.supervision.looks_after(due_us) {
            self.wake(due_us);
        }
    }

    fn mind_lines(&self, due_us: u64) {
        if self.worker.supervision.looks_after(due_us) {
            self.begin_once();
            self.worker.supervision.ring();
        }
    }
}

impl<'scope, S: Service + ?Sized> Supervisor<'scope, '_, S> {
    /// Wakes it. The promise to look by then is given at once: it may be stopped together with all of the process.
    #[cold]
    fn wake(&self, due_us: u64) {
        let member = self.worker.member();
        member.seat().set_look_due_us(Some(due_us));
        member.ring_master();
        self.begin_once();
        self.worker.supervision.ring();
    }

    fn begin_once(&self) {
        let supervisor = *self;
        let begun = self.worker.supervision.begin_once(|| {
            heed_nudges()?;
            let builder = Builder::new().name("supervisor".to_owned()).stack_size(STACK_BYTES);
            builder.spawn_scoped(self.scope, move || supervisor.run()).map(drop)
        });
        if let Err(error) = begun {
            log::error!("{}: requests have no deadline: {error}", self.worker.member().name());
        }
    }

    fn run(&self) {
        // Signals are for the other threads.
        process::block_signals();
        let supervision = &self.worker.supervision;
        let seat = self.worker.member().seat();
        loop {
            // Whoever begins something while it looks wakes it.
            supervision.plan(None);
            let deadline_us = self.look();
            let lines_us = waiting::tend().then(|| monotonic_us() + LINES_WAIT_US);
            let next_us = deadline_us.into_iter().chain(lines_us).min();
            supervision.plan(next_us);
            self.end_without_the_stuck();
            seat.set_look_due_us(deadline_us);
            if !supervision.sleep(next_us) {
                return seat.set_look_due_us(None);
            }
        }
    }

    /// Does what is due. When to look again.
    fn look(&self) -> Option<u64> {
        let watches = self.worker.supervision.watches.iter().enumerate();
        watches.filter_map(|(core, watch)| self.look_at(core, watch)).min()
    }

    fn look_at(&self, core: usize, watch: &Watch) -> Option<u64> {
        let grace_us = self.grace_us();
        loop {
            let now_us = monotonic_us();
            match watch.due(now_us, grace_us) {
                Due::Nothing => return None,
                Due::At(at_us) => return Some(at_us),
                Due::Strike(_) if self.spares() => {
                    log::info!("HARAKIRI: skipping worker {}, as few others wait", self.number());
                    watch.change(|term| term.spare(now_us));
                }
                due @ Due::Strike(blow) => {
                    // It takes its time, of which the master is told.
                    self.worker.member().seat().set_look_due_us(Some(now_us));
                    if let Some(overdue) = watch.strike(due, now_us, grace_us) {
                        self.told(core, watch, blow, &overdue);
                    }
                }
                due @ Due::GiveUp => {
                    watch.change(|term| term.done(due, now_us, grace_us));
                    self.give_up(core);
                }
            }
        }
    }

    fn grace_us(&self) -> Option<u64> {
        let grace = self.worker.member().config().harakiri.grace;
        grace.map(|grace| grace.as_micros().try_into().unwrap_or(u64::MAX))
    }

    fn number(&self) -> u32 {
        self.worker.member().post().number
    }

    /// Whether too few others wait (`harakiri-queue-threshold`).
    fn spares(&self) -> bool {
        let queue_min = self.worker.member().config().harakiri.queue_min;
        if queue_min == 0 {
            return false;
        }
        let probe = QueueProbe::new();
        let queues = self.worker.member().instance().sockets().filter_map(|socket| probe.queue_of(&socket));
        queues.map(|queue| u64::from(queue.waiting)).sum::<u64>() < queue_min
    }

    /// Says what was struck and where it is stuck, as uWSGI does, and has it interrupted.
    fn told(&self, core: usize, watch: &Watch, blow: Blow, overdue: &Overdue) {
        let (number, own) = (self.number(), if blow.by_application { " (user)" } else { "" });
        let graceful = if blow.is_warning { "yes" } else { "no" };
        let (pid, attempt) = (std::process::id(), blow.attempt);
        let since_s = epoch_us().saturating_sub(overdue.took_us) / 1_000_000;
        log::warn!("*** HARAKIRI ON WORKER {number} (pid: {pid}, try: {attempt}, graceful: {graceful}) ***");
        log::warn!("HARAKIRI [core {core}] {} since {since_s}", overdue.about);
        log::warn!("HARAKIRI{own} triggered by worker {number} core {core} !!!");
        if self.worker.member().config().harakiri.verbose {
            self.tell_of_all();
        }
        if blow.is_warning {
            self.warn_worker();
        } else {
            self.interrupt(core);
            self.tell_where(core, watch, overdue);
        }
    }

    /// Sends the worker the signal that comes first.
    fn warn_worker(&self) {
        let signal = self.worker.member().config().harakiri.signal;
        if let Err(error) = process::signal_self(signal) {
            log::error!("harakiri-graceful-signal {signal}: {error}");
        }
    }

    /// On a thread of its own, as the application may let nobody in.
    fn interrupt(&self, core: usize) {
        let supervisor = *self;
        let builder = Builder::new().name("interrupter".to_owned()).stack_size(STACK_BYTES);
        let interrupting = move || {
            process::block_signals();
            if let Some(watch) = supervisor.worker.supervision.watch(core) {
                supervisor.service.interrupt(core, watch);
            }
        };
        if let Err(error) = builder.spawn_scoped(self.scope, interrupting) {
            log::error!("worker {} core {core} cannot be interrupted: {error}", self.number());
        }
    }

    fn tell_where(&self, core: usize, watch: &Watch, overdue: &Overdue) {
        let state = watch.thread().map(|thread| (thread.as_raw(), thread.state()));
        let stack = self.service.whereabouts(core, watch);
        let answer = if overdue.answered { "was answered with 504" } else { "was cut off in its answer" };
        let mut told = format!(
            "HARAKIRI [core {core}] {} {answer} after {}.{:03} s",
            overdue.about,
            overdue.took_us / 1_000_000,
            overdue.took_us / 1_000 % 1_000
        );
        if let Some((thread, state)) = state {
            told += &format!("; its thread {thread} is {state}");
        }
        if !stack.is_empty() {
            told += &format!("\n{stack}");
        }
        log::warn!("{}", escape::lines(&told));
    }

    /// What the kernel says of every busy thread.
    fn tell_of_all(&self) {
        for (core, watch) in self.worker.supervision.watches.iter().enumerate() {
            if let (Some((about, _)), Some(thread)) = (watch.in_hand(), watch.thread()) {
                let state = thread.state();
                let call = state.call.as_deref().unwrap_or("unknown");
                log::warn!("HARAKIRI [core {core}] {about}: thread {} is {state}, syscall {call}", thread.as_raw());
            }
        }
    }

    /// A thread does not come back: the worker is to be replaced.
    fn give_up(&self, core: usize) {
        let number = self.number();
        log::warn!(
            "worker {number} core {core} cannot be interrupted: the worker finishes its other requests and leaves"
        );
        self.worker.member().retire_self(LeaveReason::Harakiri);
    }

    /// Ends the worker when only those of its threads are left that were given up. What they do ends with it.
    fn end_without_the_stuck(&self) {
        let watches = &self.worker.supervision.watches;
        let stuck = |watch: &&Watch| !watch.has_left() && watch.is_given_up();
        let given_up = watches.iter().filter(stuck).count();
        if given_up > 0
            && self.worker.member().is_leaving()
            && watches.iter().all(|watch| watch.has_left() || stuck(&watch))
        {
            log::warn!("worker {} ends with {given_up} of its threads stuck", self.number());
            process::end_at_once(ORDERLY);
        }
    }
}
