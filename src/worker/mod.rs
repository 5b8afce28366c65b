//! The worker: accepts connections and has them answered, one at a time for each thread.
//!
//! Forked by the zygote; lives in [`Worker::live`], which never returns into the zygote's code. It hears the master over
//! its control socket (a record there only means "look at your seat's order word", so no order can be lost between a
//! check and a wait), and end-of-file there means that the master is gone.

pub mod body;
mod connection;
mod exception;
pub mod reply;
mod request_log;
mod rush;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use worker_protocol::control::{FromWorker, LeaveReason, MESSAGE_BYTES_MAX, Message, Seat, Slot, ToWorker};
use worker_protocol::head::RequestHead;
use worker_protocol::scoreboard::{self, MasterSeat, Order, Presence, Scoreboard, WorkerSeat};

use crate::config::model::{Config, Recycling, RequestLimits};
use crate::handler::{LogNotes, WorkerInfo};
use crate::sys::clock::{epoch_us, monotonic_us};
use crate::sys::control::{ControlSocket, Received};
use crate::sys::memory;
use crate::sys::process;
use crate::sys::stream::{Stream, accept};
use crate::sys::wait::{Doorbell, WaitSet, wait_any};
use crate::zygote::{Common, Host, LoadFailure, load_with_hooks, log_to, title_process};

use body::RequestBody;
use connection::{Buffers, Ended};
pub use exception::Raised;
use reply::Reply;
use request_log::Template;
use rush::Rush;

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
    life: u64,
    born_us: u64,
    /// Whether no other worker had its number before.
    first: bool,
    wear: Wear,
    /// Requests since birth, of all threads.
    requests: AtomicU64,
    gate: Gate,
}

/// When this worker is to be replaced, worked out once (reference/processes.md 3.1).
#[derive(Debug)]
struct Wear {
    /// Monotonic time at which it is too old.
    old_at_us: Option<u64>,
    /// Monotonic time until which only its age counts.
    spared_until_us: u64,
    requests_max: Option<u64>,
    has_memory_limit: bool,
}

impl Wear {
    /// The deltas let workers that were started together end one after another.
    fn new(recycling: &Recycling, slot: Slot, born_us: u64) -> Self {
        let earlier = slot.0.saturating_sub(1);
        let lifetime = |most: Duration| (most + recycling.max_lifetime_delta * earlier).as_micros() as u64;
        let requests_max = recycling.max_requests + recycling.max_requests_delta * u64::from(earlier);
        Self {
            old_at_us: recycling.max_lifetime.map(|most| born_us.saturating_add(lifetime(most))),
            spared_until_us: born_us.saturating_add(recycling.min_lifetime.as_micros() as u64),
            requests_max: (recycling.max_requests > 0).then_some(requests_max),
            has_memory_limit: recycling.rss.is_some() || recycling.address_space.is_some(),
        }
    }
}

/// What decides whether this worker's threads go on, apart from the order word of the seat.
#[derive(Debug)]
struct Gate {
    /// Set once, when the worker leaves by itself or the master is gone. 0: stay; 1: leave.
    leaving: AtomicU8,
    /// Readable while the threads must look up from their waiting.
    bell: Doorbell,
    /// Threads that are paused wait here for a change.
    changed: (Mutex<()>, Condvar),
}

/// Exit code of a worker that ended in an orderly way (reference/processes.md 1.7).
pub const ORDERLY: i32 = 30;

/// How often a worker that is never idle looks whether its master is still there.
const MASTER_CHECK_US: u64 = 100_000;

/// Tokens of the wait sets: listening sockets are numbered from 0.
const ORDERS: u64 = u64::MAX;

impl<'z> Worker<'z> {
    pub(crate) fn new(
        common: &'z Common,
        control: &'z ControlSocket,
        seat_number: Seat,
        slot: Slot,
        life: u64,
    ) -> io::Result<Self> {
        let scoreboard = Scoreboard::attach(common.scoreboard.words()).map_err(io::Error::other)?;
        let seat = scoreboard.worker(seat_number).ok_or_else(|| io::Error::other("there is no such seat"))?;
        seat.take(life);
        seat.set_process(std::process::id());
        let born_us = monotonic_us();
        Ok(Self {
            common,
            control,
            slot,
            scoreboard,
            seat,
            life,
            born_us,
            first: false,
            wear: Wear::new(&common.config.recycling, slot, born_us),
            requests: AtomicU64::new(0),
            gate: Gate { leaving: AtomicU8::new(0), bell: Doorbell::new()?, changed: (Mutex::new(()), Condvar::new()) },
        })
    }

    /// The worker's whole life; returns its exit code.
    ///
    /// `first`: whether it is the first worker with its number, for the hooks that run only once.
    pub(crate) fn live(&mut self, host: &mut dyn Host, first: bool) -> i32 {
        self.first = first;
        title_process(&self.config().process_names.below_master(&format!("rhinod worker {}", self.slot)));
        if self.config().identity.no_orphans
            && let Err(error) = process::die_with_parent()
        {
            log::warn!("no-orphans: {error}");
        }
        if let Err(failure) = self.run_hooks(&["post-fork"]) {
            return self.refuse(&failure);
        }
        if let Err(failure) = load_with_hooks(host, self.config(), self.common.generation, self.config().lazy_apps) {
            return self.refuse(&failure);
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

    fn run_hooks(&self, phases: &[&str]) -> Result<(), LoadFailure> {
        let hooks = &self.config().hooks;
        let run = |phase: &&str| crate::hooks::run(hooks, phase).map_err(|error| LoadFailure::new(error.to_string()));
        phases.iter().try_for_each(run)
    }

    /// The hooks of the moment at which it begins to accept (reference/processes.md 5.4).
    fn accepting_phases(&self) -> &'static [&'static str] {
        match (self.slot.0 == 1, self.first) {
            (true, true) => &["accepting", "accepting-once", "accepting1", "accepting1-once"],
            (true, false) => &["accepting", "accepting1"],
            (false, true) => &["accepting", "accepting-once"],
            (false, false) => &["accepting"],
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

    /// Takes in what the master sent: most records only say that the order word has changed.
    fn hear(&self) -> io::Result<()> {
        let mut buffer = [0; MESSAGE_BYTES_MAX];
        loop {
            match self.control.receive(&mut buffer)? {
                Received::Message(length, beside) => {
                    if let Ok(ToWorker::LogTo) = ToWorker::decode(&buffer[..length]) {
                        log_to(&beside);
                    }
                }
                Received::Nothing => break,
                Received::EndOfFile => {
                    if !self.is_leaving() {
                        log::error!("worker {}: the master is gone; leaving after what is under way", self.slot);
                    }
                    self.gate.leaving.store(1, Ordering::Release);
                    break;
                }
            }
        }
        match self.order() {
            Order::Run => self.gate.bell.silence(),
            Order::Pause | Order::Retire => self.gate.bell.ring(),
        }
        self.wake_paused();
        Ok(())
    }

    /// What this worker is to do now.
    fn order(&self) -> Order {
        if self.gate.leaving.load(Ordering::Acquire) == 0 { self.seat.order(self.life) } else { Order::Retire }
    }

    /// Whether the worker takes no more requests.
    pub fn is_leaving(&self) -> bool {
        self.order() == Order::Retire
    }

    fn leave(&self) {
        self.gate.leaving.store(1, Ordering::Release);
        self.gate.bell.ring();
        self.wake_paused();
    }

    fn wake_paused(&self) {
        let (lock, changed) = &self.gate.changed;
        drop(lock.lock().unwrap_or_else(PoisonError::into_inner));
        changed.notify_all();
    }

    /// Stops taking requests and asks the master for a successor.
    pub fn retire_self(&self, reason: LeaveReason) {
        let first = self.gate.leaving.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if first {
            self.seat.set_presence(Presence::Leaving);
            self.tell(&FromWorker::Leaving { reason });
            self.gate.bell.ring();
            self.wake_paused();
        }
    }

    /// Whether the worker has lived or worked for so long that it is to be replaced (reference/processes.md 3.1).
    fn worn_out(&self, now_us: u64) -> Option<LeaveReason> {
        let wear = &self.wear;
        if wear.old_at_us.is_some_and(|old_at_us| now_us >= old_at_us) {
            return Some(LeaveReason::MaxLifetime);
        }
        if now_us < wear.spared_until_us {
            return None;
        }
        if wear.requests_max.is_some_and(|requests_max| self.requests.load(Ordering::Relaxed) >= requests_max) {
            return Some(LeaveReason::MaxRequests);
        }
        (wear.has_memory_limit && self.is_too_big()).then_some(LeaveReason::Memory)
    }

    fn is_too_big(&self) -> bool {
        let recycling = &self.config().recycling;
        let (resident, virtual_size) = memory::own_bytes();
        let over = |limit: Option<u64>, used| limit.is_some_and(|limit| used >= limit);
        over(recycling.rss, resident) || over(recycling.address_space, virtual_size)
    }

    /// Requests that this worker has handled.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Requests of all workers that live now.
    pub fn instance_requests(&self) -> u64 {
        self.seats().map(|(_, seat)| seat.figures().requests).sum()
    }

    /// One of uWSGI's metrics (reference/observability.md 2.1), as far as the scoreboard has it: over all workers that
    /// live now.
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

/// How a thread hears of orders while it waits for connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hears {
    /// From the control socket itself: it is the only thread.
    Master,
    /// From the bell that the main thread rings.
    Bell,
}

/// One accept loop: the main thread of a worker without threads, or one of its threads.
struct Core<'w> {
    worker: &'w Worker<'w>,
    number: usize,
    hears: Hears,
    waiting: WaitSet,
    seat: scoreboard::Core<'w>,
    /// The listening socket of the last connection.
    listener: usize,
    rush: Rush,
    looked_us: u64,
    now_us: u64,
    buffers: Buffers,
    template: Option<Template>,
    line: String,
    pid: u32,
}

impl<'w> Core<'w> {
    fn new(worker: &'w Worker<'w>, number: usize, hears: Hears) -> io::Result<Self> {
        let waiting = WaitSet::new()?;
        match hears {
            Hears::Master => waiting.add(&worker.control, ORDERS)?,
            Hears::Bell => waiting.add(&worker.gate.bell, ORDERS)?,
        }
        for (index, listener) in worker.common.listeners.iter().enumerate() {
            waiting.add_listener(listener, index as u64)?;
        }
        let now_us = monotonic_us();
        Ok(Self {
            worker,
            number,
            hears,
            waiting,
            seat: worker.seat.core(number).ok_or_else(|| io::Error::other("the seat has no such core"))?,
            listener: 0,
            rush: Rush::default(),
            looked_us: now_us,
            now_us,
            buffers: Buffers::new(worker.limits()),
            template: Template::of(&worker.config().logging),
            line: String::new(),
            pid: std::process::id(),
        })
    }

    fn run<S: Service + ?Sized>(&mut self, service: &S) -> io::Result<()> {
        loop {
            match self.worker.order() {
                Order::Retire => return Ok(()),
                Order::Pause => self.pause()?,
                Order::Run => {
                    if let Some(stream) = self.next_connection()? {
                        self.answer(service, stream);
                    }
                }
            }
        }
    }

    /// The next connection, or `None` when there may be an order instead.
    ///
    /// Waits first, unless connections come so fast that the next one is surely there.
    fn next_connection(&mut self) -> io::Result<Option<Stream>> {
        if self.hears == Hears::Master && self.now_us.saturating_sub(self.looked_us) >= MASTER_CHECK_US {
            self.looked_us = self.now_us;
            self.worker.hear()?;
            return Ok(None);
        }
        if self.rush.expects_another() {
            match self.accept_from(self.listener)? {
                // It was there when the last request ended, so that its wait ended then, too.
                Some(stream) => {
                    self.rush.hit();
                    return Ok(Some(stream));
                }
                None => self.rush.missed(),
            }
        }
        let timeout_ms = self.time_to_live_ms();
        let began_us = self.now_us;
        let woken = self.waiting.wait(timeout_ms)?;
        self.now_us = monotonic_us();
        self.looked_us = self.now_us;
        match woken {
            Some(ORDERS) => {
                if self.hears == Hears::Master {
                    self.worker.hear()?;
                }
                Ok(None)
            }
            Some(index) => {
                self.rush.waited(self.now_us - began_us);
                self.listener = index as usize;
                self.accept_from(self.listener)
            }
            None => {
                self.retire_if_worn_out();
                Ok(None)
            }
        }
    }

    fn accept_from(&self, listener: usize) -> io::Result<Option<Stream>> {
        match self.worker.common.listeners.get(listener) {
            Some(listener) => accept(listener).or_else(|error| self.survive_accept(error)),
            None => Ok(None),
        }
    }

    /// Running out of descriptors or memory is no reason to die: the connection stays in the queue.
    fn survive_accept(&self, error: io::Error) -> io::Result<Option<Stream>> {
        if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)) {
            log::error!("worker {}: cannot accept a connection: {error}", self.worker.slot);
            // Nothing tells when descriptors come free, so that a short rest is all there is.
            std::thread::sleep(Duration::from_millis(100));
            return Ok(None);
        }
        Err(error)
    }

    fn time_to_live_ms(&self) -> Option<u64> {
        Some(self.worker.wear.old_at_us?.saturating_sub(self.now_us).div_ceil(1_000))
    }

    fn answer<S: Service + ?Sized>(&mut self, service: &S, stream: Stream) {
        let worker = self.worker;
        // The moment at which the wait for it ended.
        let started_us = self.now_us;
        if self.seat.begin_request(started_us) {
            worker.common.master_bell.ring();
        }
        let at_once = self.rush.is_on();
        let ended = connection::handle(worker, service, self.number, stream, &mut self.buffers, at_once, started_us);
        self.now_us = monotonic_us();
        let Ended::Request(request) = ended else {
            self.seat.abandon_request();
            return;
        };
        if let Some(waited_us) = request.waited_us {
            self.seat.set_last_wait_us(waited_us);
        }
        self.seat.end_request(self.now_us, request.served());
        worker.requests.fetch_add(1, Ordering::Relaxed);
        let took_us = self.now_us - started_us;
        let logging = &worker.config().logging;
        if request_log::wanted(logging, &request, took_us) {
            let (read_errors, write_errors) = self.seat.io_errors();
            let entry = request_log::Entry {
                request: &request,
                started_epoch_us: epoch_us().saturating_sub(took_us),
                took_us,
                pid: self.pid,
                slot: worker.slot,
                core: self.number,
                requests: (worker.requests.load(Ordering::Relaxed), worker.instance_requests()),
                memory: logging.memory.then(memory::own_bytes),
                read_errors,
                write_errors,
                metric: &|name| worker.metric(name),
            };
            request_log::write(&mut self.line, logging, self.template.as_ref(), &entry);
        }
        self.retire_if_worn_out();
    }

    fn retire_if_worn_out(&self) {
        if let Some(reason) = self.worker.worn_out(self.now_us) {
            self.worker.retire_self(reason);
        }
    }

    /// Takes nothing until the order changes.
    fn pause(&mut self) -> io::Result<()> {
        match self.hears {
            Hears::Master => {
                wait_any(&[self.worker.control.as_fd()])?;
                self.worker.hear()
            }
            Hears::Bell => {
                let (lock, changed) = &self.worker.gate.changed;
                let mut held = lock.lock().unwrap_or_else(PoisonError::into_inner);
                while self.worker.order() == Order::Pause {
                    held = changed.wait(held).unwrap_or_else(PoisonError::into_inner);
                }
                Ok(())
            }
        }
    }
}
