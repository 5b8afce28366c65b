//! The worker: accepts connections and has them answered, one at a time for each thread.
//!
//! This file has the life of the process and of its threads; what one thread does is in `accept_loop`, one connection
//! in `connection`. Forked by the zygote; lives in [`Worker::live`], which never returns into the zygote's code. It
//! hears the master over its control socket (a record there only means "look at your seat's order word", so no order
//! can be lost between a check and a wait), and end-of-file there means that the master is gone.

mod accept_loop;
pub mod body;
mod connection;
mod eagerness;
mod exception;
mod orders;
pub mod reply;
mod request_log;
mod rush;
mod wear;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use worker_protocol::control::{FromWorker, LeaveReason};
use worker_protocol::head::RequestHead;
use worker_protocol::ids::{Life, Seat, Slot};
use worker_protocol::scoreboard::{MasterSeat, Presence, Scoreboard, WorkerSeat};

use crate::config::model::{Config, HookPhase, RequestLimits};
use crate::handler::{LogNotes, WorkerInfo};
use crate::sys::clock::monotonic_us;
use crate::sys::control::ControlSocket;
use crate::sys::process;
use crate::sys::stream::Stream;
use crate::sys::wait::{Doorbell, wait_any};
use crate::zygote::{Common, Host, LoadFailure, load_with_hooks, title_process, while_parent_lives};

use accept_loop::{Core, Hears};
use body::RequestBody;
pub use exception::Raised;
use orders::Gate;
use reply::Reply;
use wear::Wear;

/// What answers requests. Shared by all threads of a worker.
pub trait Service: Sync {
    /// Answers one request. Whatever is left undone (no answer, an unread body) is put right afterwards.
    fn serve(&self, exchange: &mut Exchange<'_>);

    /// Runs around the accept loop of each thread; a runtime that wants threads to be known to it does so here.
    fn on_thread(&self, accept_loop: &mut dyn FnMut()) {
        accept_loop();
    }
}

/// One request and its answer in the making.
#[derive(Debug)]
pub struct Exchange<'c> {
    /// The variables of the request and what they mean.
    pub head: &'c RequestHead<'c>,
    /// The request body.
    pub body: RequestBody<'c>,
    /// The answer.
    pub reply: Reply<'c>,
    /// The worker that handles it.
    pub worker: &'c Worker<'c>,
    /// Which of the worker's threads handles it, from 0.
    pub core: usize,
    /// The connection itself.
    pub stream: &'c Stream,
    /// What the application wants of its line in the log.
    pub notes: LogNotes,
    /// Whether the application failed.
    exception: bool,
}

impl Exchange<'_> {
    /// Whether the `X-Forwarded-*` headers of this request are believed (`trusted-proxy`).
    pub fn trusts_forwarded(&self) -> bool {
        self.worker.limits().trusts(self.head.remote_addr)
    }

    /// Notes that the application failed: a panic, an exception. If it is one that the configuration monitors, the
    /// worker leaves after this request.
    pub fn note_exception(&mut self, describe: impl FnOnce() -> Raised) {
        self.exception = true;
        if self.worker.config().recycling.exceptions.include(describe) {
            self.worker.retire_self(LeaveReason::Exception);
        }
    }
}

/// A worker process: what the zygote gave it, and its seat in the scoreboard.
#[derive(Debug)]
pub struct Worker<'z> {
    common: &'z Common,
    control: &'z ControlSocket,
    slot: Slot,
    scoreboard: Scoreboard<'z>,
    seat: WorkerSeat<'z>,
    life: Life,
    born_us: u64,
    /// Whether no other worker had its number before, for the hooks that run only once.
    first: bool,
    wear: Wear,
    /// Requests since birth, of all threads.
    requests: AtomicU64,
    gate: Gate,
}

/// Exit code of a worker that ended in an orderly way (uWSGI's manual, "Things to know").
pub const ORDERLY: i32 = 30;

impl<'z> Worker<'z> {
    pub(crate) fn new(
        common: &'z Common,
        control: &'z ControlSocket,
        seat_number: Seat,
        slot: Slot,
        life: Life,
        nth: u32,
    ) -> io::Result<Self> {
        let scoreboard = Scoreboard::attach(common.scoreboard.words()).map_err(io::Error::other)?;
        let seat = scoreboard.worker(seat_number).ok_or_else(|| io::Error::other("there is no such seat"))?;
        seat.take(life);
        seat.set_identity(std::process::id(), slot, nth);
        let born_us = monotonic_us();
        Ok(Self {
            common,
            control,
            slot,
            scoreboard,
            seat,
            life,
            born_us,
            first: nth == 1,
            wear: Wear::new(&common.config.recycling, slot, born_us),
            requests: AtomicU64::new(0),
            gate: Gate::new()?,
        })
    }

    /// The worker's whole life; returns its exit code.
    pub(crate) fn live(&self, host: &mut dyn Host) -> i32 {
        title_process(&self.config().process_names.below_master(&format!("rhinod worker {}", self.slot)));
        if self.config().identity.no_orphans
            && let Err(error) = process::die_with_parent()
        {
            log::warn!("no-orphans: {error}");
        }
        if let Err(failure) = self.run_hooks(&[HookPhase::PostFork]) {
            return self.refuse(&failure);
        }
        if self.config().lazy_apps {
            let load = || load_with_hooks(host, self.config(), self.common.generation);
            if let Err(failure) = while_parent_lives(self.config().identity.no_orphans, load) {
                return self.refuse(&failure);
            }
        }
        if let Some(directory) = &self.config().identity.chdir2
            && let Err(error) = std::env::set_current_dir(directory)
        {
            return self.refuse(&LoadFailure::new(format!("chdir2 to {}: {error}", directory.display())));
        }
        host.work(self)
    }

    /// The configuration of the instance.
    pub fn config(&self) -> &'z Config {
        &self.common.config
    }

    /// What the worker knows of itself.
    pub fn info(&self) -> WorkerInfo {
        WorkerInfo { slot: self.slot, generation: self.common.generation, threads: self.config().threads.max(1) }
    }

    /// Tells the master that this worker cannot serve, and why. Returns the exit code to end with.
    pub fn refuse(&self, failure: &LoadFailure) -> i32 {
        self.tell(&FromWorker::NotReady { exit_code: failure.exit_code, text: failure.reason.clone() });
        failure.exit_code
    }

    /// Tells the master that the application asks for something.
    pub fn tell(&self, record: &FromWorker) {
        // A master that is gone shows as end-of-file.
        let _ = self.control.send_record_waiting(record, &[]);
    }

    /// Serves until it is time to leave; returns the exit code.
    pub fn serve<S: Service + ?Sized>(&self, service: &S) -> i32 {
        if let Err(failure) = self.run_hooks(self.accepting_phases()) {
            return self.refuse(&failure);
        }
        self.wear.heed_signals();
        // From here on it may hold a request.
        self.seat.set_presence(Presence::Accepting);
        let ended = match self.config().threads {
            0 | 1 => self.serve_alone(service),
            threads => self.serve_with_threads(service, threads),
        };
        self.seat.set_presence(Presence::Leaving);
        match ended {
            Ok(()) => ORDERLY,
            Err(error) => {
                log::error!("worker {}: {error}", self.slot);
                1
            }
        }
    }

    /// Tells the master that every thread waits for connections.
    fn tell_ready(&self) {
        let boot_us = monotonic_us() - self.born_us;
        self.seat.set_boot_us(boot_us);
        self.tell(&FromWorker::Ready { boot_us });
    }

    fn run_hooks(&self, phases: &[HookPhase]) -> Result<(), LoadFailure> {
        let hooks = &self.config().hooks;
        let run =
            |phase: &HookPhase| crate::hooks::run(hooks, *phase).map_err(|error| LoadFailure::new(error.to_string()));
        phases.iter().try_for_each(run)
    }

    /// The hooks of the moment at which it begins to accept (uWSGI's manual, "Hooks").
    fn accepting_phases(&self) -> &'static [HookPhase] {
        use HookPhase::{Accepting, Accepting1, Accepting1Once, AcceptingOnce};
        match (self.slot.0 == 1, self.first) {
            (true, true) => &[Accepting, AcceptingOnce, Accepting1, Accepting1Once],
            (true, false) => &[Accepting, Accepting1],
            (false, true) => &[Accepting, AcceptingOnce],
            (false, false) => &[Accepting],
        }
    }

    /// The main thread takes requests and hears the master.
    fn serve_alone<S: Service + ?Sized>(&self, service: &S) -> io::Result<()> {
        let mut ended = Ok(());
        service.on_thread(&mut || {
            ended = Core::new(self, 0, Hears::Master).and_then(|mut core| {
                self.tell_ready();
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
                    service.on_thread(&mut || {
                        ended = Core::new(self, core, Hears::Bell).and_then(|mut core| {
                            if waiting.fetch_add(1, Ordering::AcqRel) + 1 == threads {
                                self.tell_ready();
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
        let mut result = Ok(());
        let mut left = threads;
        while left > 0 {
            // Once the threads leave, only their ends matter: the control socket may stay readable for ever.
            let awaited = if self.is_leaving() { vec![done.as_fd()] } else { vec![self.control.as_fd(), done.as_fd()] };
            wait_any(&awaited)?;
            self.hear()?;
            if let Some(reason) = self.worn_out(monotonic_us()) {
                self.retire_self(reason);
            }
            done.silence();
            for ended in reports.try_iter() {
                left -= 1;
                if ended.is_err() {
                    self.leave();
                    result = ended;
                }
            }
        }
        result
    }

    /// Requests that this worker has handled.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Requests of all workers that live now.
    pub fn instance_requests(&self) -> u64 {
        self.seats().map(|(_, seat)| seat.figures().requests).sum()
    }

    /// One of uWSGI's metrics (uWSGI's manual, "The Metrics subsystem"), as far as the scoreboard has it: over all
    /// workers that live now.
    fn metric(&self, name: &str) -> Option<u64> {
        let figures = || self.seats().map(|(_, seat)| seat.figures());
        let accepting = || self.seats().filter(|(_, seat)| seat.presence() == Presence::Accepting);
        Some(match name {
            "worker.0.requests" => self.instance_requests(),
            "core.busy_workers" => figures().filter(|worker| worker.busy_cores > 0).count() as u64,
            "core.idle_workers" => accepting().filter(|(_, seat)| seat.figures().busy_cores == 0).count() as u64,
            "core.total_tx" => figures().map(|worker| worker.sent_bytes).sum(),
            "core.total_running_time" => figures().map(|worker| worker.running_us).sum(),
            "core.avg_response_time" => {
                let averages: Vec<u64> = figures().map(|worker| worker.average_us).filter(|us| *us > 0).collect();
                averages.iter().sum::<u64>() / (averages.len() as u64).max(1)
            }
            _ => return None,
        })
    }

    /// The seats of all workers, this one's among them, as the master sees them.
    pub fn seats(&self) -> impl Iterator<Item = (Seat, MasterSeat<'z>)> {
        let seats = (0..self.scoreboard.layout().seats()).map(Seat);
        seats.filter_map(|seat| Some((seat, self.scoreboard.master(seat)?)))
    }

    /// The sockets that the worker accepts on.
    pub fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.common.listeners.iter().map(AsFd::as_fd)
    }

    /// The memory file that all processes of the instance share; record locks on it hold over all of them.
    pub fn shared_memory(&self) -> BorrowedFd<'_> {
        self.common.scoreboard.as_fd()
    }

    fn limits(&self) -> &'z RequestLimits {
        &self.common.config.request
    }
}
