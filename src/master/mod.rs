//! The master process: owns sockets, scoreboard, signals and timers; never runs application code.
//!
//! `machine` decides (pure), everything else here acts. The loop in [`Driver::run`] is the one place that waits.

mod children;
mod decisions;
mod descriptors;
mod failure;
mod fifo;
mod files;
mod interpreter;
mod launch;
pub mod machine;
mod notify;
mod operator;
mod scaler;
mod signals;
mod startup;
pub(crate) mod upgrade;
mod watches;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use crate::config::model::{Config, WatchEffect};
use crate::operator::DONE;
use crate::scaling::Settings;
use crate::sys::clock::monotonic_us;
use crate::sys::listeners::BoundSocket;
use crate::sys::memory::resident_bytes;
use crate::sys::wait::Doorbell;

use children::Children;
use decisions::DecisionFile;
use descriptors::Descriptors;
pub use failure::StartFailure;
use fifo::{Fifos, Letter};
use files::PidFiles;
use machine::{Action, Announcement, Event, Generation, Machine, Order, Outcome, Plan, Reload, Seat, Time};
use notify::Notifier;
use operator::{Operators, Question};
use scaler::Scaler;
use signals::{Heard, Signals};
use upgrade::{Handover, SocketHandover};
use watches::Watches;

/// Reads the configuration anew: at start, and at each reload.
pub type ReadConfig<'a> = &'a dyn Fn() -> Result<Config, String>;

/// Runs an instance from start to end; returns the exit code.
///
/// # Errors
/// What keeps it from starting. Nothing is left behind then.
pub fn run(config: Config, read: ReadConfig<'_>) -> Result<i32, StartFailure> {
    // Before anything of ours is open, which might have one of these numbers.
    let descriptors = Descriptors::inherit(&config.reload_descriptors)?;
    // Before anything else, so that a signal that comes during the start is remembered and not lost.
    let signals = Signals::install().map_err(|error| StartFailure::system("install signal handlers", &error))?;
    let mut started = startup::start(&config)?;
    match first_image(config, read, signals, descriptors) {
        Ok(mut driver) => {
            driver.sockets = std::mem::take(&mut started.sockets);
            driver.pid_files = std::mem::take(&mut started.pid_files);
            driver.scaler.record_to(started.decisions.take());
            if let Err(failure) = crate::hooks::run(&driver.config.hooks, "master-start") {
                log::error!("{failure}");
                driver.order(Order::StopNow);
            }
            driver.run()
        }
        Err(failure) => {
            started.withdraw();
            Err(failure)
        }
    }
}

/// A driver for a first start; its sockets and pid files are still to come.
fn first_image(
    config: Config,
    read: ReadConfig<'_>,
    signals: Signals,
    descriptors: Descriptors,
) -> Result<Driver<'_>, StartFailure> {
    let plan = Plan { seats: startup::seats(&config), ..Plan::of(&config) };
    let machine = Machine::start(Time(monotonic_us()), plan.clone()).map_err(StartFailure::configuration)?;
    let system = |what| move |error: io::Error| StartFailure::system(what, &error);
    let poll = Poll::new().map_err(system("set up the event loop"))?;
    let children = Children::new(&plan, &config).map_err(system("make the scoreboard"))?;
    let bell = Doorbell::new().map_err(system("make a doorbell"))?;
    let operators = Operators::listen(&poll).map_err(system("listen for operators"))?;
    let parts = Parts { poll, machine, children, bell, operators, descriptors, sockets: Vec::new(), fifo_slot: 0 };
    Driver::new(config, read, signals, parts, PidFiles::default())
}

/// Goes on as the next image of a master that has replaced its own binary; see [`upgrade`].
///
/// # Errors
/// When what was handed over cannot be used: the old image has asked before, so that this is a fault of the system.
pub(crate) fn resume(handover: Handover, read: ReadConfig<'_>) -> Result<i32, StartFailure> {
    let signals = Signals::install().map_err(|error| StartFailure::system("install signal handlers", &error))?;
    crate::sys::process::unblock_signals(nix::sys::signal::SigSet::empty());
    crate::logging::stamp_lines(&handover.config.logging);
    startup::title_master(&handover.config);
    let adopted = || -> io::Result<(Parts, Option<DecisionFile>)> {
        let poll = Poll::new()?;
        let children = Children::adopt(handover.children, &poll)?;
        let sockets = handover.sockets.into_iter().map(SocketHandover::adopt).collect::<io::Result<_>>()?;
        let bell = Doorbell::from_owned(upgrade::take(handover.bell)?);
        let operators = Operators::adopt(upgrade::take(handover.operators)?, &poll)?;
        let descriptors = Descriptors::adopt(handover.descriptors)?;
        let machine = Machine::adopt(Time(monotonic_us()), handover.snapshot).map_err(io::Error::other)?;
        let decisions = handover.decisions.map(DecisionFile::adopt).transpose()?;
        let fifo_slot = handover.fifo_slot;
        let parts = Parts { poll, machine, children, bell, operators, descriptors, sockets, fifo_slot };
        Ok((parts, decisions))
    };
    let (parts, decisions) =
        adopted().map_err(|error| StartFailure::system("take over from the image before", &error))?;
    let pid_files = PidFiles::adopt(handover.pid_files);
    let mut driver = Driver::new(handover.config, read, signals, parts, pid_files)?;
    driver.scaler.record_to(decisions);
    driver.scaler.remember(handover.scaling);
    log::info!("the master (pid {}) runs version {} now", std::process::id(), env!("CARGO_PKG_VERSION"));
    driver.notifier.announce(&Announcement::Ready);
    // Children that ended while nobody listened.
    driver.reap();
    driver.look_due = true;
    driver.scale();
    driver.run()
}

/// What a driver is made of, at a first start or after a re-execution.
struct Parts {
    poll: Poll,
    machine: Machine,
    children: Children,
    bell: Doorbell,
    operators: Operators,
    descriptors: Descriptors,
    sockets: Vec<BoundSocket>,
    fifo_slot: usize,
}

/// A configuration that is to come into force, and what it has opened already.
struct Candidate {
    config: Config,
    sockets: Vec<BoundSocket>,
    /// The log, if it is another file than now.
    log: Option<File>,
    /// Where decisions will be recorded, if that changes.
    decisions: Option<Option<DecisionFile>>,
}

/// Carries out what the machine decides.
struct Driver<'a> {
    machine: Machine,
    children: Children,
    config: Config,
    /// What was prepared for a reload, until the machine commits or abandons it.
    candidate: Option<Candidate>,
    sockets: Vec<BoundSocket>,
    pid_files: PidFiles,
    bell: Doorbell,
    signals: Signals,
    scaler: Scaler,
    operators: Operators,
    descriptors: Descriptors,
    fifos: Fifos,
    watches: Watches,
    notifier: Notifier,
    /// The newest generation of which a worker was measured.
    measured: Generation,
    /// Why the configuration proved unfit, for the end of a start that fails because of it.
    unfit: Option<StartFailure>,
    /// What went wrong with the last reload, until the next one.
    last_failure: Option<String>,
    /// Whether something happened that the number of workers may depend on.
    look_due: bool,
    /// Whether the event loop watches the listening sockets.
    watching_queue: bool,
    read: ReadConfig<'a>,
    poll: Poll,
}

const SIGNALS: Token = Token(0);
const BELL: Token = Token(1);
/// Listening sockets, watched only while a connection in the queue is news; one token stands for all.
const QUEUE: Token = Token(2);
const FIFO: Token = Token(3);
const WATCHES: Token = Token(4);

impl<'a> Driver<'a> {
    fn new(
        config: Config,
        read: ReadConfig<'a>,
        mut signals: Signals,
        parts: Parts,
        pid_files: PidFiles,
    ) -> Result<Self, StartFailure> {
        let Parts { poll, machine, children, bell, operators, descriptors, sockets, fifo_slot } = parts;
        let system = |what| move |error: io::Error| StartFailure::system(what, &error);
        let registered = poll.registry().register(signals.source(), SIGNALS, Interest::READABLE);
        registered.map_err(system("watch for signals"))?;
        watch(&poll, &bell, BELL).map_err(system("watch the doorbell"))?;
        let fifos = Fifos::open(&config.master_fifos, fifo_slot)
            .map_err(|error| StartFailure::file(format!("cannot make the master fifo: {error}")))?;
        if let Some((_, fifo)) = fifos.active() {
            watch(&poll, fifo, FIFO).map_err(system("watch the master fifo"))?;
        }
        let watches = Watches::new(&config.watches).map_err(|error| StartFailure::configuration(&error))?;
        watch(&poll, &watches, WATCHES).map_err(system("watch for changed files"))?;
        descriptors.watch(&poll)?;
        let scaler = Scaler::new(&config).map_err(StartFailure::configuration)?;
        Ok(Self {
            machine,
            children,
            config,
            candidate: None,
            sockets,
            pid_files,
            bell,
            signals,
            scaler,
            operators,
            descriptors,
            fifos,
            watches,
            notifier: Notifier::new(),
            measured: Generation(0),
            unfit: None,
            last_failure: None,
            look_due: true,
            watching_queue: false,
            read,
            poll,
        })
    }

    fn run(mut self) -> Result<i32, StartFailure> {
        let mut events = Events::with_capacity(256);
        loop {
            if let Some(code) = self.act() {
                return self.end(code);
            }
            match self.poll.poll(&mut events, self.timeout()) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.clean_up();
                    return Err(StartFailure::system("wait for events", &error));
                }
            }
            self.take_in(&events);
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let deadline_us = self.machine.deadline().map(|deadline| deadline.0);
        let look_us = self.may_scale().then(|| self.scaler.next_look_us()).flatten();
        let others = [look_us, self.watches.due_us(), self.notifier.due_us()];
        let earliest_us = deadline_us.into_iter().chain(others.into_iter().flatten()).min()?;
        Some(Duration::from_micros(earliest_us.saturating_sub(monotonic_us())))
    }

    /// Turns whatever woke us into events of the machine.
    fn take_in(&mut self, woken: &Events) {
        for event in woken {
            match event.token() {
                SIGNALS => self.hear_signals(),
                BELL => {
                    self.bell.silence();
                    self.look_due = true;
                }
                QUEUE => self.look_due = true,
                FIFO => self.hear_fifo(),
                WATCHES => self.watches.read(monotonic_us()),
                token if Operators::owns(token) => self.hear_operators(token),
                token if Descriptors::owns(token) => {
                    if let Some(reload) = self.descriptors.hear(token, &self.poll) {
                        self.order(Order::Reload(reload));
                    }
                }
                token => {
                    for event in self.children.hear(token) {
                        self.handle(event);
                    }
                }
            }
        }
        self.follow_changed_files();
        self.handle(Event::Elapsed);
        self.scale();
        self.notifier.keep_alive();
    }

    /// Passes an event on, and notes what the number of workers depends on.
    fn handle(&mut self, event: Event) {
        let event = match event {
            Event::Order(Order::Reload(reload)) if self.config.exit_on_reload => self.end_in_place_of(reload),
            event => event,
        };
        match &event {
            Event::WorkerReady { seat, .. } => {
                if let Some(boot_us) = self.children.age_us(*seat) {
                    let pid = self.children.accepting(*seat).map(|(_, pid)| pid.get());
                    self.scaler.note_boot(*seat, pid, boot_us);
                }
                self.look_due = true;
            }
            Event::WorkerExited { seat, .. } => {
                if let Some(board) = self.children.board() {
                    self.scaler.bury(board, *seat);
                }
                self.look_due = true;
            }
            _ => {}
        }
        let unfit = match &event {
            Event::WorkerReady { seat, .. } | Event::WorkerForked { seat, .. } => self.measure(*seat),
            _ => None,
        };
        self.machine.handle_together(Time(monotonic_us()), std::iter::once(event).chain(unfit));
    }

    /// Whether the first worker of a generation is so large that the fewest of them break the memory limit.
    fn measure(&mut self, seat: Seat) -> Option<Event> {
        let (generation, pid) = self.children.accepting(seat)?;
        if generation <= self.measured {
            return None;
        }
        self.measured = generation;
        let config = match &self.candidate {
            Some(candidate) if generation != self.machine.current() => &candidate.config,
            _ => &self.config,
        };
        config.scaling.rss_soft?;
        let settings = Settings::from_config(&config.scaling, config.workers, config.threads).ok()?;
        let misfit = settings.check_memory(resident_bytes(pid.get())).err()?;
        let failure = StartFailure::configuration(misfit).about("cheaper-rss-limit-soft");
        let (exit_code, reason) = (i32::from(failure.exit.code()), failure.message.clone());
        self.unfit = Some(failure);
        Some(Event::GenerationUnfit { generation, exit_code, reason })
    }

    /// Whether the number of workers may change.
    fn may_scale(&self) -> bool {
        !self.machine.is_stopping() && !self.machine.is_paused()
    }

    /// `exit-on-reload`: what would execute the master anew in uWSGI ends the instance.
    fn end_in_place_of(&mut self, reload: Reload) -> Event {
        let order = match reload {
            Reload::Graceful => Order::Stop,
            Reload::Brutal => Order::StopNow,
            workers => return Event::Order(Order::Reload(workers)),
        };
        log::info!("exit-on-reload: the instance ends in place of a {reload}. GAME OVER (insert coin)");
        self.operators.reload_ended(Ok("the instance ends in place of a reload (exit-on-reload)"));
        Event::Order(order)
    }

    /// Looks at the load if there is a reason to, and has the machine follow what is decided.
    fn scale(&mut self) {
        let now_us = monotonic_us();
        let timer = self.scaler.next_look_us().is_some_and(|look| look <= now_us);
        if !(self.look_due || timer) || !self.may_scale() {
            return;
        }
        self.look_due = false;
        let Some(board) = self.children.board() else { return };
        if let Some(event) = self.scaler.look(now_us, &self.machine, board, &self.sockets) {
            self.handle(event);
        }
        self.watch_queue(self.scaler.wakes_on_queue());
    }

    /// Begins or ends watching the listening sockets.
    fn watch_queue(&mut self, wanted: bool) {
        if wanted == self.watching_queue {
            return;
        }
        self.watching_queue = wanted;
        for socket in &self.sockets {
            let raw = socket.as_fd().as_raw_fd();
            let changed = if wanted {
                self.poll.registry().register(&mut SourceFd(&raw), QUEUE, Interest::READABLE)
            } else {
                self.poll.registry().deregister(&mut SourceFd(&raw))
            };
            if let Err(error) = changed {
                log::warn!("cannot watch the queue of {}: {error}", socket.name);
            }
        }
    }

    fn hear_signals(&mut self) {
        for heard in self.signals.take(&self.config) {
            match heard {
                Heard::ChildEnded => self.reap(),
                Heard::Order(order) => self.order(order),
                Heard::Statistics => log::info!("{}", self.status()),
                Heard::Ignored(name) => log::info!("{name} received: nothing to do"),
            }
        }
    }

    fn reap(&mut self) {
        for event in self.children.reap(&self.poll) {
            self.handle(event);
        }
    }

    fn hear_fifo(&mut self) {
        for letter in self.fifos.read() {
            match letter {
                Letter::Order(order) => self.order(order),
                Letter::Listen(slot) => self.listen_to_fifo(slot),
                Letter::ReopenLog => self.reopen_logs(),
                Letter::PidFiles => self.rewrite_pid_files(),
                Letter::Statistics => log::info!("{}", self.status()),
                Letter::Unsupported(letter) => log::warn!("master fifo: {letter:?} is not supported"),
            }
        }
    }

    fn listen_to_fifo(&mut self, slot: usize) {
        if let Err(error) = self.fifos.listen(slot) {
            log::error!("cannot listen to master fifo {slot}: {error}");
        }
        if let Some((path, fifo)) = self.fifos.active() {
            log::info!("active master fifo is now {}", path.display());
            if let Err(error) = watch(&self.poll, fifo, FIFO) {
                log::error!("cannot watch the master fifo: {error}");
            }
        }
    }

    /// Opens anew by their names the files that lines are added to: the log, into which everyone below writes as well,
    /// and the record of decisions.
    fn reopen_logs(&mut self) {
        let recording = self.scaler.recording();
        if self.config.log_file().is_none() && recording.is_none() {
            log::warn!("there is no log to open anew: it is in no file that the configuration names");
        }
        if let Some(Err(error)) = recording.map(DecisionFile::reopen) {
            log::error!("{error}");
        }
        let Some(path) = self.config.log_file() else { return };
        let reopened = crate::logging::reopen(path, &self.config.logging, |file| self.children.log_to(file));
        if let Err(error) = reopened {
            log::error!("the log goes on where it was: cannot open {}: {error}", path.display());
        }
    }

    fn rewrite_pid_files(&mut self) {
        if let Err(error) = self.pid_files.rewrite() {
            log::error!("{error}");
        }
    }

    fn hear_operators(&mut self, token: Token) {
        for (operator, question) in self.operators.hear(token, &self.poll) {
            match question {
                Question::Status => {
                    let status = self.status();
                    self.operators.answer(operator, DONE, &status);
                }
                Question::Order(order @ Order::Reload(_)) => {
                    self.operators.wait_for_reload(operator);
                    self.order(order);
                }
                Question::Order(order) => {
                    self.order(order);
                    self.operators.answer(operator, DONE, "");
                }
            }
        }
    }

    fn follow_changed_files(&mut self) {
        for (path, effect) in self.watches.take(monotonic_us()) {
            let reload = match effect {
                WatchEffect::Reload => Reload::Graceful,
                WatchEffect::BrutalReload => Reload::Brutal,
                WatchEffect::WorkersReload => Reload::Workers,
                WatchEffect::ChainReload => Reload::Chain,
                WatchEffect::ReopenLog => {
                    self.reopen_logs();
                    continue;
                }
                WatchEffect::Execute(command) => {
                    follow(&path, &command, crate::hooks::spawn(&command));
                    continue;
                }
                WatchEffect::Hook(action) => {
                    follow(&path, &action, crate::hooks::perform_written(&action));
                    continue;
                }
            };
            log::info!("*** {} has been touched... {reload} ***", path.display());
            self.order(Order::Reload(reload));
        }
    }

    /// How the instance is doing, in one line.
    fn status(&self) -> String {
        let generation = self.machine.current();
        let paused = if self.machine.is_paused() { ", paused" } else { "" };
        let failure = self.last_failure.as_ref().map(|why| format!(", last reload failed: {why}")).unwrap_or_default();
        format!("pid {}, generation {generation}, {}{paused}{failure}", std::process::id(), self.machine.count())
    }

    fn order(&mut self, order: Order) {
        match order {
            // The bounds of scaling hold for what operators ask, too.
            Order::More => self.ask_for_workers(1),
            Order::Fewer => self.ask_for_workers(-1),
            Order::Cheap => {
                self.scaler.sleep(monotonic_us());
                self.look_due = true;
                self.handle(Event::Order(order));
            }
            order => self.handle(Event::Order(order)),
        }
    }

    fn ask_for_workers(&mut self, number: i32) {
        self.scaler.ask(number);
        self.look_due = true;
    }

    /// Carries out all actions there are. The exit code, once there is one.
    fn act(&mut self) -> Option<i32> {
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Exit { code } => return Some(code),
                Action::Note(note) => log::log!(note.level(), "{note}"),
                Action::Announce(announcement) => self.announce(&announcement),
                Action::ReadConfiguration => self.read_configuration(),
                Action::Commit { .. } => self.commit(),
                Action::Abandon { .. } => self.candidate = None,
                Action::StartZygote { generation, candidate } => {
                    let (config, sockets, log) = match &self.candidate {
                        Some(new) if candidate => (&new.config, &new.sockets, new.log.as_ref()),
                        _ => (&self.config, &self.sockets, None),
                    };
                    let (bell, poll) = (&self.bell, &self.poll);
                    let failed = self.children.start_zygote(generation, config, sockets, log, bell, poll).err();
                    for event in failed.into_iter().flatten() {
                        self.handle(event);
                    }
                }
                Action::Upgrade => self.upgrade(),
                other => {
                    if let Some(event) = self.children.carry_out(&other, &self.poll) {
                        self.handle(event);
                    }
                }
            }
        }
        None
    }

    /// Executes the binary that is now where ours was. When that cannot be done, nothing has changed.
    fn upgrade(&mut self) {
        let mut hand_over = || -> io::Result<Handover> {
            Ok(Handover {
                snapshot: self.machine.snapshot(),
                config: self.config.clone(),
                children: self.children.hand_over()?,
                sockets: self.sockets.iter().map(SocketHandover::of).collect::<io::Result<_>>()?,
                bell: upgrade::pass(self.bell.as_fd())?,
                descriptors: self.descriptors.hand_over()?,
                operators: upgrade::pass(self.operators.listener().as_fd())?,
                fifo_slot: self.fifos.slot(),
                pid_files: self.pid_files.paths().to_vec(),
                decisions: self.scaler.recording().map(|file| file.hand_over()).transpose()?,
                scaling: self.scaler.memory().clone(),
            })
        };
        let path = self.children.own_path();
        log::info!("re-executing the master from {}", path.display());
        let error = match hand_over() {
            Ok(handover) => handover.execute(path),
            Err(error) => error,
        };
        log::error!("the master was not replaced and goes on: {error}");
        // Zygotes that are executed from here on must not inherit what was meant to pass.
        crate::sys::process::close_strangers_on_exec();
    }

    fn announce(&mut self, announcement: &Announcement) {
        self.notifier.announce(announcement);
        match announcement {
            Announcement::Ready => {
                if let Err(error) = self.pid_files.write_safe(&self.config.pidfiles) {
                    log::error!("{error}");
                }
                log::info!("ready to serve: {}", self.machine.count());
            }
            Announcement::ReloadDone { outcome, .. } => self.reload_done(outcome),
            Announcement::Reloading(_) | Announcement::Stopping | Announcement::Status(_) => {}
        }
    }

    fn reload_done(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Done => {
                self.last_failure = None;
                let told = format!("generation {} serves", self.machine.current());
                self.operators.reload_ended(Ok(&told));
            }
            Outcome::Failed(reason) => {
                // Also where the machine refused the plan before there was a generation to abandon.
                self.candidate = None;
                self.operators.reload_ended(Err(reason));
                self.last_failure = Some(reason.lines().last().unwrap_or_default().to_owned());
            }
            // Whoever waits, waits for the newer one.
            Outcome::Superseded => {}
            Outcome::Stopped => self.operators.reload_ended(Err("the instance is stopping")),
        }
    }

    /// Reads the configuration for a reload and opens its sockets, without touching what is in force.
    fn read_configuration(&mut self) {
        let answer = self.prepare_candidate().map(|candidate| {
            let plan = Plan { seats: self.children.seats(), ..Plan::of(&candidate.config) };
            self.candidate = Some(candidate);
            plan
        });
        self.handle(Event::ConfigurationRead(answer));
    }

    fn prepare_candidate(&self) -> Result<Candidate, String> {
        let config = (self.read)()?;
        self.children.fits(&config)?;
        for option in startup::not_reloadable(&self.config, &config) {
            log::warn!("{option} changes only with a restart");
        }
        let changed = config.log_file().filter(|path| self.config.log_file() != Some(path));
        let open = |path: &Path| {
            crate::logging::open(path, &config.logging)
                .map_err(|error| format!("cannot open the log {}: {error}", path.display()))
        };
        let log = changed.map(open).transpose()?;
        let record = &config.scaling.log;
        let decisions = (*record != self.config.scaling.log)
            .then(|| record.as_deref().map(DecisionFile::open).transpose())
            .transpose()
            .map_err(|failure| failure.to_string())?;
        // Last, since a socket leaves a file.
        let sockets = startup::open_sockets(&config, &self.sockets).map_err(|failure| failure.to_string())?;
        Ok(Candidate { config, sockets, log, decisions })
    }

    /// Takes over the files to watch and the fifos of a new configuration.
    fn renew_watches(&mut self, config: &Config) {
        if config.watches != self.config.watches {
            match Watches::new(&config.watches).and_then(|new| watch(&self.poll, &new, WATCHES).map(|()| new)) {
                Ok(new) => self.watches = new,
                Err(error) => log::error!("the files to watch stay as they were: {error}"),
            }
        }
        if config.master_fifos != self.config.master_fifos {
            match Fifos::open(&config.master_fifos, 0) {
                Ok(new) => {
                    self.fifos = new;
                    self.listen_to_fifo(0);
                }
                Err(error) => log::error!("the master fifo stays as it was: {error}"),
            }
        }
    }

    fn commit(&mut self) {
        let Some(Candidate { config, sockets, log, decisions }) = self.candidate.take() else { return };
        if let Some(log) = log {
            if let Err(error) = crate::sys::process::redirect_output(&log) {
                log::error!("the master goes on logging where it did: {error}");
            }
            self.children.log_to(&log);
        }
        crate::logging::stamp_lines(&config.logging);
        if let Some(file) = decisions {
            self.scaler.record_to(file);
        }
        self.watch_queue(false);
        if let Err(error) = self.scaler.reconfigure(&config) {
            log::error!("the number of workers goes on being decided as before: {error}");
        }
        self.look_due = true;
        self.renew_watches(&config);
        let old = std::mem::replace(&mut self.sockets, sockets);
        for socket in old {
            let kept = self.sockets.iter().any(|new| new.listener.address == socket.listener.address);
            if !kept && let Err(error) = socket.remove_file() {
                log::warn!("cannot remove {}: {error}", socket.name);
            }
        }
        self.config = config;
        startup::title_master(&self.config);
        if self.config.logging.reopen {
            self.reopen_logs();
        }
    }

    /// What the instance ends with. A start that failed because of the configuration leaves nothing behind.
    fn end(mut self, code: i32) -> Result<i32, StartFailure> {
        let unfit = self.unfit.take().filter(|failure| i32::from(failure.exit.code()) == code);
        self.clean_up();
        match unfit {
            Some(failure) => {
                for socket in &self.sockets {
                    // Best effort: the failure itself is what the operator must read.
                    let _ = socket.remove_file();
                }
                self.pid_files.withdraw();
                self.fifos.remove();
                Err(failure)
            }
            None => Ok(code),
        }
    }

    /// Leaves nothing behind that `vacuum` is to remove.
    fn clean_up(&mut self) {
        if let Err(failure) = crate::hooks::run(&self.config.hooks, "as-user-atexit") {
            log::error!("{failure}");
        }
        if self.config.vacuum {
            for socket in &self.sockets {
                match socket.remove_file() {
                    Ok(true) => log::info!("VACUUM: unix socket {} removed.", socket.name),
                    Ok(false) => {}
                    Err(error) => log::warn!("VACUUM: cannot remove {}: {error}", socket.name),
                }
            }
            self.pid_files.remove();
            self.fifos.remove();
        }
    }
}

/// Has the event loop wake up when a descriptor becomes readable.
fn watch(poll: &Poll, descriptor: &impl AsFd, token: Token) -> io::Result<()> {
    poll.registry().register(&mut SourceFd(&descriptor.as_fd().as_raw_fd()), token, Interest::READABLE)
}

/// Logs what a watched file has set off.
fn follow(path: &Path, what: &str, done: io::Result<()>) {
    match done {
        Ok(()) => log::info!("*** {} has been touched... {what} ***", path.display()),
        Err(error) => log::error!("{} has been touched, but {what} failed: {error}", path.display()),
    }
}
