//! The threads of a worker: one that takes requests and hears the master, or several that take requests and one that
//! hears. Worker only.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};

use worker_protocol::scoreboard::Presence;

use super::accept_loop::{Core, Hears};
use super::exchange::Service;
use super::process::Worker;
use super::statics::Statics;
use crate::sys::clock::monotonic_us;
use crate::sys::forks;
use crate::sys::wait::{Doorbell, wait_any};

/// Exit code of a worker that ended in an orderly way (uWSGI's manual, "Things to know").
const ORDERLY: i32 = 30;

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
            Err(error) => {
                log::error!("{}: {error}", member.name());
                1
            }
        }
    }

    fn serve_on_threads<S: Service + ?Sized>(&self, service: &S) -> io::Result<()> {
        match self.member().config().threads {
            0 | 1 => self.serve_alone(service),
            threads => self.serve_with_threads(service, threads),
        }
    }

    /// The main thread takes requests and hears the master.
    fn serve_alone<S: Service + ?Sized>(&self, service: &S) -> io::Result<()> {
        let mut ended = Ok(());
        service.on_thread(0, &mut || {
            ended = Core::new(self, 0, Hears::Master).and_then(|mut core| {
                self.member().tell_ready();
                core.run(service)
            });
        });
        ended
    }

    /// The main thread only hears the master; the others take requests.
    fn serve_with_threads<S: Service + ?Sized>(&self, service: &S, threads: usize) -> io::Result<()> {
        let (report, reports) = crossbeam_channel::bounded(threads);
        let done = Doorbell::new()?;
        let waiting = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for core in 0..threads {
                let (report, done, waiting) = (report.clone(), &done, &waiting);
                std::thread::Builder::new().name(format!("core {core}")).spawn_scoped(scope, move || {
                    let mut ended = Ok(());
                    service.on_thread(core, &mut || {
                        ended = Core::new(self, core, Hears::Bell).and_then(|mut core| {
                            if waiting.fetch_add(1, Ordering::AcqRel) + 1 == threads {
                                self.member().tell_ready();
                            }
                            core.run(service)
                        });
                    });
                    // The receiver outlives the scope; there is room for one report of each thread.
                    let _ = report.send(ended);
                    done.ring();
                })?;
            }
            self.supervise(&done, threads, &reports)
        })
    }

    /// Hears the master until every thread has ended. The first error of a thread makes all of them leave.
    fn supervise(
        &self,
        done: &Doorbell,
        threads: usize,
        reports: &crossbeam_channel::Receiver<io::Result<()>>,
    ) -> io::Result<()> {
        let member = self.member();
        let mut result = Ok(());
        let mut left = threads;
        while left > 0 {
            // Once the threads leave, only their ends matter: the control socket may stay readable for ever.
            let awaited =
                if member.is_leaving_for_all() { vec![done.as_fd()] } else { vec![member.control(), done.as_fd()] };
            wait_any(&awaited)?;
            member.hear()?;
            self.retire_if_worn_out(monotonic_us());
            done.silence();
            for ended in reports.try_iter() {
                left -= 1;
                if ended.is_err() {
                    member.leave();
                    result = ended;
                }
            }
        }
        result
    }
}
