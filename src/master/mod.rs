//! The master process: owns sockets, scoreboard, signals and timers; never runs application code.
//!
//! `machine` decides (pure), everything else here acts. This file has the `Driver` and its loop, `Driver::run`, the
//! one place that waits; what the loop calls is in the file that is named after it: `orders`, `acting`, `candidate`,
//! `load`, `logs`, `upgrade`, `ending`.

mod acting;
mod candidate;
mod children;
mod daemons;
mod decisions;
mod descriptors;
mod ending;
mod fifo;
mod files;
mod load;
mod logs;
pub mod machine;
mod notify;
mod operator;
mod orders;
mod passed;
mod scaler;
mod signals;
mod startup;
pub(crate) mod upgrade;
mod wake;
mod wanted;
mod watches;

use std::io;
use std::time::Duration;

use mio::{Events, Interest, Poll};

use crate::config::model::{Config, HookPhase};
use crate::failure::StartFailure;
use crate::sys::clock::monotonic_us;
use crate::sys::listeners::BoundSocket;
use crate::sys::wait::Doorbell;

use candidate::Candidate;
use children::{Children, Said};
use descriptors::Descriptors;
use fifo::Fifos;
use files::PidFiles;
use machine::{Event, Generation, Machine, Order, Plan, Time};
use notify::Notifier;
use operator::Operators;
use scaler::Scaler;
use signals::Signals;
use wake::Wake;
use wanted::Wanted;
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
    startup::judge_inherited(&config)?;
    // Before anything else, so that a signal that comes during the start is remembered and not lost.
    let signals = Signals::install().map_err(|error| StartFailure::system("install signal handlers", &error))?;
    let mut started = startup::start(&config)?;
    let driver = first_image(config, read, signals, descriptors);
    let settled = driver.and_then(|mut driver| match started.settle() {
        Ok(()) => Ok(driver),
        Err(failure) => {
            driver.fifos.withdraw();
            Err(failure)
        }
    });
    match settled {
        Ok(mut driver) => {
            driver.sockets = std::mem::take(&mut started.sockets);
            driver.pid_files = std::mem::take(&mut started.pid_files);
            driver.scaler.record_to(started.decisions.take());
            if let Err(failure) = crate::hooks::run(&driver.config.hooks, HookPhase::MasterStart) {
                log::error!("{failure}");
                driver.obey(Wanted::Order(Order::StopNow));
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
    /// Whether workers have served: what fails before that is the start.
    has_served: bool,
    /// What went wrong with the last reload, until the next one.
    last_failure: Option<String>,
    /// Whether something happened that the number of workers may depend on.
    look_due: bool,
    /// Whether the event loop watches the listening sockets.
    watching_queue: bool,
    read: ReadConfig<'a>,
    poll: Poll,
}

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
        let registered = poll.registry().register(signals.source(), Wake::Signals.token(), Interest::READABLE);
        registered.map_err(system("watch for signals"))?;
        Wake::Bell.when_readable(&bell, &poll).map_err(system("watch the doorbell"))?;
        let watches = Watches::new(&config.watches).map_err(|error| StartFailure::configuration(&error))?;
        Wake::Watches.when_readable(&watches, &poll).map_err(system("watch for changed files"))?;
        descriptors.watch(&poll)?;
        // Last, since a fifo is a file.
        let mut fifos = Fifos::open(&config.master_fifos, fifo_slot).map_err(|error| {
            StartFailure::file(format!("cannot make the master fifo: {error}")).about("master-fifo")
        })?;
        if let Some((_, fifo)) = fifos.active()
            && let Err(error) = Wake::Fifo.when_readable(fifo, &poll)
        {
            fifos.withdraw();
            return Err(system("watch the master fifo")(error));
        }
        let scaler = Scaler::new(&config);
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
            has_served: false,
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
        let others = [look_us, self.watches.due_us(), self.notifier.due_us(), self.children.executed.due_us()];
        let others = others.into_iter().chain([self.operators.due_us()]);
        let earliest_us = deadline_us.into_iter().chain(others.flatten()).min()?;
        Some(Duration::from_micros(earliest_us.saturating_sub(monotonic_us())))
    }

    /// Turns whatever woke us into events of the machine.
    fn take_in(&mut self, woken: &Events) {
        for event in woken {
            match Wake::of(event.token()) {
                Some(wake) => self.wake_up(wake),
                None => log::error!("the event loop tells of {:?}, for which nobody has asked", event.token()),
            }
        }
        self.follow_changed_files();
        self.look_at_launches();
        self.operators.drop_silent(monotonic_us());
        self.handle(Event::Elapsed);
        self.scale();
        self.notifier.keep_alive();
    }

    fn wake_up(&mut self, wake: Wake) {
        match wake {
            Wake::Signals => self.hear_signals(),
            Wake::Bell => {
                self.bell.silence();
                self.look_due = true;
            }
            Wake::Queue => self.look_due = true,
            Wake::Fifo => self.hear_fifo(),
            Wake::Watches => self.watches.read(monotonic_us()),
            Wake::Operators => self.operators.welcome(&self.poll),
            Wake::Operator(operator) => self.hear_operator(operator),
            Wake::Descriptor(place) => {
                if let Some(reload) = self.descriptors.hear(place, &self.poll) {
                    self.obey(Wanted::Order(Order::Reload(reload)));
                }
            }
            Wake::Zygote(generation) => {
                let said = self.children.hear_zygote(generation);
                self.take_all(said);
            }
            Wake::Member(seat) => {
                let said = self.children.hear_member(seat);
                self.take_all(said);
            }
            Wake::Orphan(seat) => {
                let ended = self.children.bury_orphan(seat);
                self.handle_all(ended);
            }
            Wake::Report(seat) => {
                let events = self.children.executed.hear_report(seat, &self.poll);
                self.handle_all(events);
            }
            Wake::Program(seat) => {
                let events = self.children.executed.ended_elsewhere(seat, &self.poll);
                self.handle_all(events);
            }
        }
    }

    /// Takes in what children have said.
    fn take_all(&mut self, said: Vec<Said>) {
        for said in said {
            match said {
                Said::Event(event) => self.handle(event),
                Said::Wanted(wanted) => self.obey(wanted),
            }
        }
    }

    fn handle_all(&mut self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            self.handle(event);
        }
    }

    /// Passes an event on, and notes what the number of workers depends on.
    fn handle(&mut self, event: Event) {
        match &event {
            Event::Ready { seat, .. } => {
                if let Some(boot_us) = self.children.age_us(*seat) {
                    let pid = self.children.accepting(*seat).map(|(_, pid)| pid.get());
                    self.scaler.note_boot(*seat, pid, boot_us);
                }
                self.look_due = true;
            }
            Event::Exited { seat, .. } => {
                if let Some(board) = self.children.board() {
                    self.scaler.bury(board, *seat);
                }
                self.look_due = true;
            }
            _ => {}
        }
        let unfit = match &event {
            Event::Ready { seat, .. } | Event::Forked { seat, .. } => self.measure(*seat),
            _ => None,
        };
        self.machine.handle_together(Time(monotonic_us()), std::iter::once(event).chain(unfit));
    }

    fn reap(&mut self) {
        let said = self.children.reap(&self.poll);
        self.take_all(said);
    }
}
