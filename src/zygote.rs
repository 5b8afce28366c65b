//! The zygote: loads the application once, forks workers when told, reports their deaths.
//!
//! Runs as a fresh `exec` for each generation, single-threaded. It holds no timers and decides nothing: orders come
//! over its control socket, and the end of that socket means that the master is gone. It watches its workers through
//! pidfds, not through SIGCHLD, which belongs to the application.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nix::sys::signal::Signal;
use worker_protocol::control::{FromZygote, MESSAGE_BYTES_MAX, Message, ToZygote};
use worker_protocol::ids::{Generation, Life, ProcessId, Seat, Slot};

use crate::config::model::{Config, HookPhase};
use crate::sys::control::{ControlSocket, Received};
use crate::sys::process::{self, PidFd};
use crate::sys::shared_memory::SharedWords;
use crate::sys::signals;
use crate::sys::wait::{Doorbell, wait_any};
use crate::worker::Worker;

/// The argument that makes a binary a zygote instead of a master; the number of its control socket follows.
pub const ZYGOTE_ARGUMENT: &str = "__zygote";

/// Exit code of a zygote or worker whose application could not be loaded (uWSGI's manual, "Things to know").
pub const LOAD_FAILED: i32 = 22;

/// What a zygote hosts: the runtime of one language.
pub trait Host {
    /// Called once in the zygote, before anything else, also with `lazy-apps`.
    fn prepare(&mut self, _config: &Config) -> Result<(), LoadFailure> {
        Ok(())
    }

    /// Loads the application. Called once in the zygote; with `lazy-apps` once in each worker instead.
    ///
    /// `generation`: a runtime that serves errors in place of an application that cannot be loaded may do so in the
    /// first one; a later one replaces a generation that serves, and must fail.
    fn load(&mut self, config: &Config, generation: Generation) -> Result<(), LoadFailure>;

    /// Called in the zygote right before a fork.
    fn before_fork(&mut self) {}

    /// Called in the zygote right after a fork.
    fn after_fork_in_zygote(&mut self) {}

    /// Called in the worker right after the fork, before anything else.
    fn after_fork_in_worker(&mut self) {}

    /// Names of threads that live in the zygote besides the main one: they do not exist in the workers.
    fn live_threads(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// Serves until the worker is to leave. Returns the exit code.
    fn work(&mut self, worker: &Worker<'_>) -> i32;
}

/// Why an application does not serve.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct LoadFailure {
    /// Exit code that tells the kind of failure.
    pub exit_code: i32,
    /// What the operator reads: message and traceback.
    pub reason: String,
}

impl LoadFailure {
    /// The ordinary kind: exit code 22.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { exit_code: LOAD_FAILED, reason: reason.into() }
    }
}

/// The life of a zygote: from the descriptor of its control socket to its exit code.
pub fn run(control: RawFd, host: &mut dyn Host) -> i32 {
    match Zygote::set_up(control) {
        Ok(mut zygote) => zygote.live(host),
        Err(error) => {
            eprintln!("rhinod zygote: cannot start: {error}");
            1
        }
    }
}

/// What came with the master's first record, common to all workers of the generation.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) config: Config,
    pub(crate) generation: Generation,
    pub(crate) scoreboard: SharedWords,
    pub(crate) master_bell: Doorbell,
    pub(crate) listeners: Vec<OwnedFd>,
}

struct Zygote {
    control: ControlSocket,
    common: Common,
    children: BTreeMap<Seat, (ProcessId, PidFd)>,
    /// Whether the application ignores its children's ends. The zygote cannot, as it has to tell of its workers'; they
    /// do.
    ignores_children: bool,
}

/// What the worker's side of a fork needs.
struct Birth {
    seat: Seat,
    slot: Slot,
    life: Life,
    nth: u32,
    control: ControlSocket,
}

impl Zygote {
    fn set_up(control: RawFd) -> io::Result<Self> {
        let control = ControlSocket::from_owned(process::adopt_descriptor(control)?);
        let mut buffer = [0; MESSAGE_BYTES_MAX];
        let (order, descriptors) = loop {
            wait_any(&[control.as_fd()])?;
            match control.receive(&mut buffer)? {
                Received::Message(length, descriptors) => break (decode(&buffer[..length])?, descriptors),
                Received::Nothing => {}
                Received::EndOfFile => return Err(io::Error::other("the master is gone")),
            }
        };
        let ToZygote::Setup { generation, .. } = order else {
            return Err(io::Error::other("the master's first record is not the set-up"));
        };
        let common = Common::take(generation, descriptors)?;
        crate::logging::stamp_lines(&common.config.logging);
        Ok(Self { control, common, children: BTreeMap::new(), ignores_children: false })
    }

    fn live(&mut self, host: &mut dyn Host) -> i32 {
        let generation = self.common.generation.0;
        title_process(&self.common.config.process_names.below_master(&format!("rhinod zygote {generation}")));
        if let Err(code) = self.load(host) {
            return code;
        }
        loop {
            match self.wait().and_then(|ended| self.bury(&ended)).and_then(|()| self.obey(host)) {
                Ok(true) => {}
                Ok(false) => return 0,
                Err(error) => {
                    log::error!("zygote of generation {generation}: {error}");
                    return 1;
                }
            }
        }
    }

    fn load(&mut self, host: &mut dyn Host) -> Result<(), i32> {
        let started = crate::sys::clock::monotonic_us();
        let Common { config, generation, .. } = &self.common;
        // Whatever an application prints belongs to the log, as in uWSGI (uWSGI's manual, "Python support").
        if let Err(error) = process::join_output_to_error() {
            log::warn!("what the application prints does not go to the log: {error}");
        }
        let loaded = while_parent_lives(false, || {
            host.prepare(config)?;
            if config.lazy_apps { Ok(()) } else { load_with_hooks(host, config, *generation) }
        });
        self.ignores_children = signals::ignores_children();
        if self.ignores_children
            && let Err(error) = signals::ignore_children(false)
        {
            log::warn!("the ends of workers will not be noticed: {error}");
        }
        if let Err(failure) = loaded {
            let told = self.report(&FromZygote::LoadFailed { exit_code: failure.exit_code, text: failure.reason });
            return Err(told.map_or(1, |()| failure.exit_code));
        }
        // What a signal to all processes of the service means, the master says.
        note_signals(&[Signal::SIGTERM, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2], &Arc::default());
        let threads = host.live_threads();
        if !threads.is_empty() {
            let count = u32::try_from(threads.len()).unwrap_or(u32::MAX);
            self.report(&FromZygote::LiveThreads { count, text: threads.join(", ") }).map_err(|_| 1)?;
        }
        self.report(&FromZygote::Loaded { boot_us: crate::sys::clock::monotonic_us() - started }).map_err(|_| 1)
    }

    /// Sleeps until there is an order or a death; returns the seats of the workers that have ended.
    fn wait(&self) -> io::Result<Vec<Seat>> {
        let mut descriptors: Vec<BorrowedFd<'_>> = vec![self.control.as_fd()];
        descriptors.extend(self.children.values().map(|(_, pidfd)| pidfd.as_fd()));
        let seats: Vec<Seat> = self.children.keys().copied().collect();
        let ready = wait_any(&descriptors)?;
        Ok(ready.into_iter().filter_map(|index| Some(seats[index.checked_sub(1)?])).collect())
    }

    /// Reaps the workers that have ended and tells the master how.
    fn bury(&mut self, ended: &[Seat]) -> io::Result<()> {
        for seat in ended {
            let reaped = self.children.get(seat).and_then(|(pid, _)| process::reap(Some(*pid)));
            if let Some((pid, status)) = reaped {
                self.children.remove(seat);
                self.report(&FromZygote::Exited { seat: *seat, pid, wait_status: status.0 })?;
            }
        }
        Ok(())
    }

    /// Carries out all orders that are there. False: it is time to leave.
    fn obey(&mut self, host: &mut dyn Host) -> io::Result<bool> {
        let mut buffer = [0; MESSAGE_BYTES_MAX];
        loop {
            match self.control.receive(&mut buffer)? {
                Received::Nothing => return Ok(true),
                Received::EndOfFile => return Ok(false),
                Received::Message(length, descriptors) => match decode(&buffer[..length])? {
                    ToZygote::Stop => return Ok(false),
                    ToZygote::Fork { seat, slot, life, nth } => {
                        let control = descriptors
                            .into_iter()
                            .next()
                            .ok_or_else(|| io::Error::other("the order to fork came without a control socket"))?;
                        let control = ControlSocket::from_owned(control);
                        self.fork(host, Birth { seat, slot, life, nth, control })?;
                    }
                    ToZygote::LogTo => log_to(&descriptors),
                    ToZygote::Setup { .. } => log::warn!("the master sent a second set-up, which was ignored"),
                },
            }
        }
    }

    fn fork(&mut self, host: &mut dyn Host, birth: Birth) -> io::Result<()> {
        let seat = birth.seat;
        host.before_fork();
        // The worker's life begins inside the closure and never comes back from there.
        let forked = process::fork_child(|| self.begin_worker(host, birth));
        host.after_fork_in_zygote();
        match forked.and_then(|pid| PidFd::open(pid).map(|pidfd| (pid, pidfd))) {
            Ok((pid, pidfd)) => {
                self.report_with(&FromZygote::Forked { seat, pid }, &[pidfd.as_fd()])?;
                self.children.insert(seat, (pid, pidfd));
                Ok(())
            }
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(0);
                self.report(&FromZygote::ForkFailed { seat, errno })
            }
        }
    }

    /// In the worker: drops what belongs to the zygote, then works. This is the list of what a child must drop:
    /// the zygote's control socket, and the pidfds of its siblings.
    fn begin_worker(&mut self, host: &mut dyn Host, birth: Birth) -> i32 {
        host.after_fork_in_worker();
        if self.ignores_children
            && let Err(error) = signals::ignore_children(true)
        {
            log::warn!("the application's children will have to be waited for: {error}");
        }
        self.children.clear();
        self.control = birth.control;
        match Worker::new(&self.common, &self.control, birth.seat, birth.slot, birth.life, birth.nth) {
            Ok(worker) => worker.live(host),
            Err(error) => {
                log::error!("a worker cannot begin: {error}");
                1
            }
        }
    }

    fn report(&self, record: &FromZygote) -> io::Result<()> {
        self.report_with(record, &[])
    }

    /// A master that is gone shows as end-of-file at the next wait; only then does the zygote leave.
    fn report_with(&self, record: &FromZygote, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        match self.control.send_record_waiting(record, descriptors) {
            // A reset: it died with a report of ours unread.
            Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => Ok(()),
            other => other,
        }
    }
}

impl Common {
    /// Sorts out the descriptors beside the set-up record: scoreboard, doorbell, settings, then the listeners.
    fn take(generation: Generation, descriptors: Vec<OwnedFd>) -> io::Result<Self> {
        let missing = || io::Error::other("the set-up record came without its descriptors");
        let mut descriptors = descriptors.into_iter();
        let scoreboard = SharedWords::map(descriptors.next().ok_or_else(missing)?)?;
        let master_bell = Doorbell::from_owned(descriptors.next().ok_or_else(missing)?);
        let settings = std::fs::File::from(descriptors.next().ok_or_else(missing)?);
        let config = serde_json::from_reader(io::BufReader::new(settings)).map_err(io::Error::other)?;
        Ok(Self { config, generation, scoreboard, master_bell, listeners: descriptors.collect() })
    }
}

/// Does something that may take for ever, such as running code of the application, and during which nobody hears that
/// the parent has died: then this process dies too. `also_after`: and ever after.
pub(crate) fn while_parent_lives<R>(also_after: bool, act: impl FnOnce() -> R) -> R {
    if let Err(error) = process::die_with_parent() {
        log::warn!("should the parent die now, this process will not notice: {error}");
    }
    let result = act();
    if !also_after && let Err(error) = process::outlive_parent() {
        log::warn!("should the parent die, this process will too: {error}");
    }
    result
}

/// Loads the application between its hooks, in the process that is to load it.
pub(crate) fn load_with_hooks(host: &mut dyn Host, config: &Config, generation: Generation) -> Result<(), LoadFailure> {
    let hook = |phase| crate::hooks::run(&config.hooks, phase).map_err(|error| LoadFailure::new(error.to_string()));
    hook(HookPhase::PreApp)?;
    host.load(config, generation)?;
    hook(HookPhase::PostApp)
}

/// Has signals set a flag, as far as the application has no use for them.
pub(crate) fn note_signals(which: &[Signal], flag: &Arc<AtomicBool>) {
    for signal in which {
        if let Err(error) = signals::note(*signal, flag) {
            log::warn!("{signal} ends this process: {error}");
        }
    }
}

/// Gives this process a title; without one it works as well.
pub(crate) fn title_process(title: &str) {
    if let Err(error) = crate::sys::title::set_title(title) {
        log::warn!("the process cannot be called {title}: {error}");
    }
}

/// Writes the log where the master says from now on.
pub(crate) fn log_to(beside: &[OwnedFd]) {
    let moved = match beside.first() {
        Some(file) => process::redirect_output(file),
        None => Err(io::Error::other("the record came without the file")),
    };
    if let Err(error) = moved {
        log::error!("the log goes on where it was: {error}");
    }
}

fn decode(message: &[u8]) -> io::Result<ToZygote> {
    ToZygote::decode(message).map_err(io::Error::other)
}
