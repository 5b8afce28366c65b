//! The threads of a worker: one that takes requests and hears the master, or several that take requests and one that
//! hears. Worker only.

use std::io;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use worker_protocol::control::LeaveReason;
use worker_protocol::scoreboard::{Presence, SeatOrder};

use super::accept_loop::{Core, Hears};
use super::exchange::Service;
use super::offloading::Offloading;
use super::place::{Guard, Place};
use super::process::{ORDERLY, Worker};
use super::statics::Statics;
use super::supervisor::Supervisor;
use crate::member::LoadFailure;
use crate::sys::clock::monotonic_us;
use crate::sys::forks;
use crate::sys::mailbox::Mailbox;
use crate::sys::wait::{Doorbell, wait_any};

impl Worker<'_> {
    /// Serves until it is time to leave; returns the exit code.
    pub fn serve<S: Service + ?Sized>(&self, service: &S) -> i32 {
        let member = self.member();
        if let Err(failure) = self.run_accepting_hooks() {
            return member.refuse(&failure);
        }
        member.heed_signals();
        if let Err(error) = forks::count() {
            log::warn!("processes that the application forks keep clients waiting for the end of answers: {error}");
        }
        // From here on it may hold a request.
        member.seat().set_presence(Presence::Accepting);
        let ended = match Statics::of(&member.config().statics) {
            Some(statics) => self.serve_on_threads(&statics.before(service)),
            None => self.serve_on_threads(service),
        };
        member.seat().set_presence(Presence::Leaving);
        match ended {
            Ok(()) => ORDERLY,
            Err(error) if !member.was_ready() => {
                member.refuse(&LoadFailure { exit_code: 1, reason: error.to_string() })
            }
            Err(error) => {
                log::error!("{}: {error}", member.name());
                1
            }
        }
    }

    fn serve_on_threads<S: Service + ?Sized>(&self, service: &S) -> io::Result<()> {
        std::thread::scope(|scope| {
            let guard = &Supervisor { scope, worker: self, service };
            self.offloading().map_or(Ok(()), |offloading| offloading.begin(scope))?;
            let ended = match self.member().config().threads {
                0 | 1 => self.serve_alone(service, guard),
                threads => self.serve_with_threads(service, threads, guard),
            };
            self.supervision.end();
            self.offloading().into_iter().for_each(Offloading::end);
            ended
        })
    }

    /// The main thread takes requests and hears the master.
    fn serve_alone<S: Service + ?Sized>(&self, service: &S, guard: &dyn Guard) -> io::Result<()> {
        let mut ended = not_begun(0);
        service.on_thread(0, &mut || {
            ended =
                self.place(0, guard).and_then(|place| Core::new(self, place, Hears::Master)).and_then(|mut core| {
                    self.member().tell_ready();
                    core.run(service)
                });
            self.supervision.leave(0);
        });
        ended
    }

    /// The life of one of several threads; it is ready when all are.
    fn serve_core<S: Service + ?Sized>(
        &self,
        service: &S,
        number: usize,
        guard: &dyn Guard,
        waiting: &Waiting,
    ) -> io::Result<()> {
        let mut ended = not_begun(number);
        service.on_thread(number, &mut || {
            let place = self.place(number, guard);
            ended = place.and_then(|place| Core::new(self, place, Hears::Bell)).and_then(|mut core| {
                if waiting.are_all_with_this() {
                    self.member().tell_ready();
                }
                core.run(service)
            });
            self.supervision.leave(number);
        });
        ended
    }

    /// The main thread only hears the master; the others take requests. All of them do, or none: where one cannot be started
    /// or panics, the others leave.
    fn serve_with_threads<S: Service + ?Sized>(
        &self,
        service: &S,
        threads: usize,
        guard: &dyn Guard,
    ) -> io::Result<()> {
        let (report, reports) = crossbeam_channel::bounded(threads);
        let done = Doorbell::new()?;
        let waiting = Waiting { there: AtomicUsize::new(0), all: threads };
        std::thread::scope(|scope| {
            let mut started = 0;
            let mut refused = Ok(());
            while started < threads && refused.is_ok() {
                let (report, done, waiting, number) = (report.clone(), &done, &waiting, started);
                let life = move || {
                    let ended = catch_unwind(AssertUnwindSafe(|| self.serve_core(service, number, guard, waiting)));
                    // Also after a panic.
                    self.supervision.leave(number);
                    // The receiver outlives the scope; there is room for one report of each thread.
                    let _ =
                        report.send(ended.unwrap_or_else(|_| Err(io::Error::other(format!("core {number} panicked")))));
                    done.ring();
                };
                match self.thread(number).spawn_scoped(scope, life) {
                    Ok(_) => started += 1,
                    Err(error) => {
                        let told = format!("only {started} of {threads} threads can be started: {error}");
                        refused = Err(io::Error::new(error.kind(), told));
                        self.member().leave();
                    }
                }
            }
            (started..threads).for_each(|missing| self.supervision.leave(missing));
            let ended = self.supervise(service, &done, started, &reports);
            refused.and(ended)
        })
    }

    /// A thread that is to take requests.
    fn thread(&self, number: usize) -> std::thread::Builder {
        let thread = std::thread::Builder::new().name(format!("core {number}"));
        match self.member().config().resources.thread_stack {
            Some(bytes) => thread.stack_size(bytes),
            None => thread,
        }
    }

    /// The calling thread takes the place of a core.
    fn place<'c>(&'c self, core: usize, guard: &'c dyn Guard) -> io::Result<Place<'c>> {
        let watch = self.supervision.watch(core).ok_or_else(|| io::Error::other("there is no such thread"))?;
        watch.attend();
        Ok(Place { core, watch, guard })
    }

    /// Hears the master until every thread has ended. The first error of a thread makes all of them leave.
    fn supervise<S: Service + ?Sized>(
        &self,
        service: &S,
        done: &Doorbell,
        threads: usize,
        reports: &crossbeam_channel::Receiver<io::Result<()>>,
    ) -> io::Result<()> {
        let member = self.member();
        let mut result = Ok(());
        let mut left = threads;
        while left > 0 {
            // Once the threads leave, only their ends matter: the control socket may stay readable for ever.
            let mut awaited = vec![done.as_fd()];
            if !member.is_leaving_for_all() {
                awaited.push(member.control());
                awaited.extend(self.common_signals().filter(|_| member.order() == SeatOrder::Run).map(Mailbox::outlet));
            }
            wait_any(&awaited)?;
            member.hear()?;
            self.handle_signals(service);
            self.retire_if_worn_out(monotonic_us());
            done.silence();
            for ended in reports.try_iter() {
                left -= 1;
                if ended.is_err() {
                    match member.was_ready() {
                        true => member.retire_self(LeaveReason::Signal),
                        false => member.leave(),
                    }
                    result = result.and(ended);
                }
            }
        }
        result
    }
}

/// How many threads wait for requests.
struct Waiting {
    there: AtomicUsize,
    all: usize,
}

impl Waiting {
    /// Counts one more.
    fn are_all_with_this(&self) -> bool {
        self.there.fetch_add(1, Ordering::AcqRel) + 1 == self.all
    }
}

/// What a thread ends with whose accept loop was never run, as the application's part of its start has failed.
fn not_begun(number: usize) -> io::Result<()> {
    Err(io::Error::other(format!("core {number} cannot be started")))
}
